package session

import (
	"crypto/ed25519"
	"encoding/base64"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

func FuzzAuthInfo(f *testing.F) {
	f.Add("publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ\n")
	f.Add("password\npublickey x y\n")
	f.Fuzz(func(t *testing.T, info string) {
		if got := keyFingerprint(info); got != "" && !strings.HasPrefix(got, "SHA256:") {
			t.Errorf("%q has the fingerprint %q", info, got)
		}
	})
}

func TestKeyFingerprint(t *testing.T) {
	public, private, _ := ed25519.GenerateKey(nil)
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert := &ssh.Certificate{Key: key, CertType: ssh.UserCert, ValidBefore: ssh.CertTimeInfinity}
	if err := cert.SignCert(zeros{}, signer); err != nil {
		t.Fatal(err)
	}
	line := func(k ssh.PublicKey) string {
		return "publickey " + k.Type() + " " + base64.StdEncoding.EncodeToString(k.Marshal()) + "\n"
	}
	want := ssh.FingerprintSHA256(key)
	for name, info := range map[string]string{"key": line(key), "after a password": "password\n" + line(key), "certificate": line(cert)} {
		if got := keyFingerprint(info); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	for _, info := range []string{"", "password\n", "publickey ssh-ed25519\n", "publickey ssh-ed25519 !!!\n", "publickey ssh-ed25519 AAAA\n"} {
		if got := keyFingerprint(info); got != "" {
			t.Errorf("%q has the fingerprint %q", info, got)
		}
	}
}

// zeros is a source of randomness that is none: the certificate's nonce does not matter.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
