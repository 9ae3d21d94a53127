package assertion_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor/fido2/assertion"
	"github.com/factord/factord/daemon/factordtest"
)

// fido2Assert lets libfido2's tool verify an assertion, with a touch.
func fido2Assert(t *testing.T, s signer, authData, hash, signature []byte) bool {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(s.Public())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	key, in := filepath.Join(dir, "key"), filepath.Join(dir, "in")
	wrapped := append([]byte{0x58, byte(len(authData))}, authData...) // a CBOR byte string
	var lines []string
	for _, b := range [][]byte{hash, nil, wrapped, signature} {
		lines = append(lines, base64.StdEncoding.EncodeToString(b))
	}
	lines[1] = rpID
	err1 := os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600)
	err2 := os.WriteFile(in, []byte(strings.Join(lines, "\n")+"\n"), 0o600)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, factordtest.NeedProgram(t, "fido2-assert"), "-V", "-p", "-i", in, key, strings.ToLower(s.public.Algorithm().String()))
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || !cmd.ProcessState.Exited() {
		t.Fatalf("%v: %s", err, out)
	}
	return err == nil
}

// Whatever libfido2 accepts is accepted here, and whatever it refuses is refused.
func TestVerdictsOfLibfido2(t *testing.T) {
	hash := bytes.Repeat([]byte{7}, 32)
	for _, s := range signers(t) {
		c := assertion.Credential{RPIDHash: sha256.Sum256([]byte(rpID)), Key: s.public}
		good := authData(rpID, 0x01, 5)
		signature := s.sign(t, slices.Concat(good, hash))
		noTouch, other := authData(rpID, 0x00, 5), authData("pam://other", 0x01, 5)
		for _, test := range []struct {
			name            string
			data, signature []byte
			want            bool
		}{
			{"good", good, signature, true},
			{"another counter", authData(rpID, 0x01, 6), signature, false},
			{"no touch", noTouch, s.sign(t, slices.Concat(noTouch, hash)), false},
			{"another relying party", other, s.sign(t, slices.Concat(other, hash)), false},
			{"another challenge", good, s.sign(t, slices.Concat(good, hash[:31], []byte{8})), false},
			{"cut signature", good, signature[:len(signature)-1], false},
			{"long signature", good, append(bytes.Clone(signature), 0), false},
		} {
			t.Run(fmt.Sprint(s.public.Algorithm(), " ", test.name), func(t *testing.T) {
				_, _, err := c.Check(test.data, hash, test.signature)
				theirs := fido2Assert(t, s, test.data, hash, test.signature)
				if (err == nil) != test.want || theirs != test.want {
					t.Errorf("here: %v; libfido2 accepts it: %v", err, theirs)
				}
			})
		}
	}
}
