package keyfile_test

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factor/fido2/assertion"
	"github.com/factord/factord/daemon/factor/fido2/keyfile"
)

// The files of testdata were made by OpenSSH 9.2 with a security key in software.
func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParseOpenSSH(t *testing.T) {
	for _, test := range []struct {
		name, application string
		algorithm         assertion.Algorithm
		presence, pin     bool
	}{
		{"ecdsa", "ssh:", assertion.ES256, true, false},
		{"ed25519", "ssh:work", assertion.EdDSA, true, false},
		{"verify", "ssh:", assertion.EdDSA, true, true},
		{"resident", "ssh:", assertion.ES256, true, false},
		{"quiet", "ssh:", assertion.ES256, false, false},
	} {
		k, err := keyfile.ParseOpenSSH(read(t, test.name))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if k.Application != test.application || k.Comment != "alice@laptop" || len(k.ID) != 48 || k.Key.Algorithm() != test.algorithm ||
			k.Presence != test.presence || k.PIN != test.pin || k.Verification || k.U2F {
			t.Errorf("%s: %+v", test.name, k)
		}
		// The public file has the point in the clear.
		fields := strings.Fields(string(read(t, test.name+".pub")))
		blob, err := base64.StdEncoding.DecodeString(fields[1])
		if err != nil || !bytes.Contains(blob, point(k.Key)) {
			t.Errorf("%s: another key than in the public file", test.name)
		}
	}
}

// point is the end of the point, which SSH and COSE write alike.
func point(k assertion.PublicKey) []byte {
	cose := k.COSE()
	return cose[len(cose)-32:]
}

func TestParseOpenSSHRefuses(t *testing.T) {
	for _, test := range []struct {
		name string
		file []byte
		want string
	}{
		{"encrypted", read(t, "encrypted"), "encrypted\nhint: "},
		{"no security key", read(t, "plain"), "not one of a security key\nhint: "},
		{"public", read(t, "ecdsa.pub"), "without .pub"},
		{"two", append(read(t, "ecdsa"), read(t, "ed25519")...), "no private key"},
		{"empty", nil, "no private key"},
		{"long", make([]byte, 2<<20), "longer than"},
	} {
		if _, err := keyfile.ParseOpenSSH(test.file); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// Of a file nothing can be left out and little changed.
func TestParseOpenSSHWhole(t *testing.T) {
	block, _ := pem.Decode(read(t, "ecdsa"))
	whole := block.Bytes
	wrap := func(b []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: b}) }
	if _, err := keyfile.ParseOpenSSH(wrap(whole)); err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		if _, err := keyfile.ParseOpenSSH(wrap(whole[:i])); err == nil {
			t.Errorf("accepted with %d of %d bytes", i, len(whole))
		}
	}
	if _, err := keyfile.ParseOpenSSH(wrap(append(bytes.Clone(whole), 0))); err == nil {
		t.Error("accepted with a byte too many")
	}
}

func FuzzParseOpenSSH(f *testing.F) {
	for _, name := range []string{"ecdsa", "ed25519", "verify", "encrypted", "plain"} {
		block, _ := pem.Decode(read(f, name))
		f.Add(block.Bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := keyfile.ParseOpenSSH(pem.EncodeToMemory(&pem.Block{Type: "OPENSSH PRIVATE KEY", Bytes: b}))
		if err == nil && (len(k.ID) == 0 || k.Application == "" || k.Key.Algorithm() == 0) {
			t.Errorf("%+v", k)
		}
	})
}
