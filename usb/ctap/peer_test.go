package ctap_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factor/fido2/assertion"
	"github.com/factord/factord/daemon/factor/fido2/keyfile"
	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/usb/ctap"
	"github.com/factord/factord/usb/virtual/fido"
)

// Programs that are not ours make credentials, whose files are imported, and verify
// what our client brings.

// run starts a program, which has no terminal.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, factordtest.NeedProgram(t, name), args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %q: %v: %s", name, args, err, errs.String())
	}
	return string(out)
}

func file(t *testing.T, lines ...string) string {
	t.Helper()
	f := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(f, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}

// device plugs a key into a pseudo-terminal while a program uses it.
func device(t *testing.T, k *fido.Key, use func(path string)) {
	t.Helper()
	tty, err := fido.OpenTTY(k)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	use(tty.Path())
}

// answers asks a key for an imported credential.
func answers(t *testing.T, k *fido.Key, rpID string, c keyfile.Credential) {
	t.Helper()
	r := request(c.ID)
	if c.ID == nil {
		r.IDs = nil
	}
	r.RPID, r.U2F = rpID, c.U2F
	all, err := open(t, k).Assert(within(t), r)
	if err != nil {
		t.Fatal(err)
	}
	check(t, c.Key, r, all[0])
}

func TestKeysOfOpenSSH(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"ecdsa-sk", "ed25519-sk"} {
		k := fido.New(fido.Options{})
		f := filepath.Join(t.TempDir(), "key")
		device(t, k, func(path string) { run(t, "ssh-keygen", "-q", "-t", kind, "-N", "", "-f", f, "-O", "device="+path) })
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		imported, err := keyfile.ParseOpenSSH(b)
		if err != nil {
			t.Fatal(err)
		}
		answers(t, k, imported.Application, imported.Credential)
	}
}

// made is a credential of fido2-cred as pam-u2f's tool writes it, which makes it in the
// same way and takes no device but its own choice.
func made(t *testing.T, k *fido.Key, alg string, flags ...string) string {
	t.Helper()
	in := file(t, base64.StdEncoding.EncodeToString(make([]byte, 32)), rpID, "alice", "YWxpY2U=")
	var out string
	device(t, k, func(path string) {
		out = run(t, "fido2-cred", append(append([]string{"-M", "-i", in}, flags...), path, alg)...)
	})
	id, key, _ := strings.Cut(run(t, "fido2-cred", "-V", "-i", file(t, strings.TrimSpace(out)), alg), "\n")
	block, _ := pem.Decode([]byte(key))
	if block == nil {
		t.Fatalf("no key in %q", key)
	}
	size := 64 // X and Y
	if alg == "eddsa" {
		size = 32
	}
	raw := block.Bytes[len(block.Bytes)-size:]
	if len(flags) > 0 {
		id = "*"
	}
	return id + "," + base64.StdEncoding.EncodeToString(raw) + "," + alg + ",+presence"
}

func TestKeysOfPAMU2F(t *testing.T) {
	t.Parallel()
	one, two, three, four := fido.New(fido.Options{}), fido.New(fido.Options{}), fido.New(fido.Options{}), fido.New(fido.Options{NoCTAP2: true})
	handle, point := four.RegisterU2F(rpID)
	line := strings.Join([]string{
		"alice", made(t, one, "es256"), made(t, two, "eddsa"), made(t, three, "es256", "-r"),
		base64.RawURLEncoding.EncodeToString(handle) + "," + hex.EncodeToString(point),
	}, ":")
	people, err := keyfile.ParsePAMU2F([]byte(line + "\n"))
	if err != nil || len(people) != 1 || len(people[0].Credentials) != 4 {
		t.Fatalf("%+v, %v", people, err)
	}
	for i, k := range []*fido.Key{one, two, three, four} {
		answers(t, k, rpID, people[0].Credentials[i])
	}
}

// What our client brings is good enough for libfido2.
func TestLibfido2Verifies(t *testing.T) {
	t.Parallel()
	finger := fido.After(0)
	for _, options := range []fido.Options{{Verify: finger}, {Verify: finger, NoES256: true}} {
		c := open(t, fido.New(options))
		e := enrolment("alice")
		e.UV = true
		fresh := enroll(t, c, e)
		r := request(fresh.ID)
		r.UV = true
		all, err := c.Assert(within(t), r)
		if err != nil {
			t.Fatal(err)
		}
		verify(t, fresh.Key, r, all[0])
	}
}

// derPrefix is what comes before a public key of each algorithm (RFC 5480 and 8410).
var derPrefix = map[assertion.Algorithm]string{
	assertion.ES256: "3059301306072a8648ce3d020106082a8648ce3d03010703420004",
	assertion.EdDSA: "302a300506032b6570032100",
}

func verify(t *testing.T, key assertion.PublicKey, r ctap.Request, a ctap.Assertion) {
	t.Helper()
	cose := key.COSE()
	point := cose[len(cose)-32:]
	if key.Algorithm() == assertion.ES256 {
		const y = 32 + 3 // and a label and a length before it
		point = append(bytes.Clone(cose[len(cose)-y-32:len(cose)-y]), point...)
	}
	prefix, err := hex.DecodeString(derPrefix[key.Algorithm()])
	if err != nil {
		t.Fatal(err)
	}
	public := file(t, strings.TrimSpace(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: append(prefix, point...)}))))
	wrapped := append([]byte{0x58, byte(len(a.AuthData))}, a.AuthData...) // a CBOR byte string
	in := file(t, base64.StdEncoding.EncodeToString(r.ClientDataHash[:]), r.RPID, base64.StdEncoding.EncodeToString(wrapped), base64.StdEncoding.EncodeToString(a.Signature))
	run(t, "fido2-assert", "-V", "-p", "-v", "-i", in, public, strings.ToLower(key.Algorithm().String()))
}
