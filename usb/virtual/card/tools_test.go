package card_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/usb/virtual/card"
	"github.com/factord/factord/usb/virtual/reader"
)

// tool runs programs of others against one card.
type tool struct {
	t   *testing.T
	dir string
}

func newTool(t *testing.T) tool { return tool{t, t.TempDir()} }

// run runs a program and wants it to succeed, and to say every text.
func (x tool) run(argv []string, say ...string) string {
	x.t.Helper()
	out, err := x.command(argv)
	if err != nil {
		x.t.Fatalf("%q: %v\n%s", argv, err, out)
	}
	for _, text := range say {
		if !strings.Contains(out, text) {
			x.t.Errorf("%q does not say %q:\n%s", argv, text, out)
		}
	}
	return out
}

func (x tool) command(argv []string) (string, error) {
	cmd := exec.Command(factordtest.NeedProgram(x.t, argv[0]), argv[1:]...)
	cmd.Dir = x.dir
	cmd.Env = append(os.Environ(), "HOME="+x.dir) // OpenSC caches there
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// piv runs yubico-piv-tool.
func (x tool) piv(args string, say ...string) string {
	x.t.Helper()
	return x.run(append([]string{"yubico-piv-tool"}, strings.Fields(args)...), say...)
}

// certificate reads a PEM file.
func (x tool) certificate(name string) *x509.Certificate {
	x.t.Helper()
	text, err := os.ReadFile(filepath.Join(x.dir, name))
	must(x.t, err)
	block, _ := pem.Decode(text)
	if block == nil {
		x.t.Fatalf("no PEM in %q", text)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	must(x.t, err)
	return c
}

// write writes a PEM file.
func (x tool) write(name, kind string, der []byte) {
	x.t.Helper()
	must(x.t, os.WriteFile(filepath.Join(x.dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

func TestYubicoPIVTool(t *testing.T) {
	r := reader.New(t, reader.Config{})
	r.Insert(card.New(card.Config{Serial: 12345678}))
	x := newTool(t)
	x.piv("-a status", "5.4.3", "12345678", "PIN tries left:\t3")
	x.piv("-a verify-pin -P 123456", "Successfully verified PIN.")
	if out, err := x.command([]string{"yubico-piv-tool", "-a", "verify-pin", "-P", wrongPIN}); err == nil || !strings.Contains(out, "2 tries left") {
		t.Errorf("a wrong PIN: %v\n%s", err, out)
	}
	x.piv("-a generate -s 9a -A ECCP256 -o public.pem", "Successfully generated")
	x.piv("-a attest -s 9a -o attested.pem")
	x.piv("-a read-certificate -s f9 -o f9.pem")
	if err := x.certificate("attested.pem").CheckSignatureFrom(x.certificate("f9.pem")); err != nil {
		t.Error(err)
	}
	x.piv("-a import-certificate -s 9a -i attested.pem")
	x.piv("-a read-certificate -s 9a -o read.pem")
	if !x.certificate("read.pem").Equal(x.certificate("attested.pem")) {
		t.Error("another certificate came back")
	}
	x.piv("-a verify-pin -P 123456 -a test-signature -s 9a -i read.pem", "Successful ECDSA verification.")
	x.piv("-a set-chuid -a set-ccc")
	x.piv("-a status", "Slot 9a:", "ECCP256", "CN=YubiKey PIV Attestation 9a")
	x.piv("-a change-pin -P 123456 -N 998877")
	x.piv("-a verify-pin -P 998877", "Successfully verified PIN.")
}

// An imported RSA key signs and decrypts.
func TestYubicoPIVToolImport(t *testing.T) {
	r := reader.New(t, reader.Config{})
	r.Insert(card.New(card.Config{}))
	x := newTool(t)
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1)}, &x509.Certificate{}, &private.PublicKey, private)
	must(t, err)
	x.write("key.pem", "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(private))
	x.write("certificate.pem", "CERTIFICATE", der)
	x.piv("-a import-key -s 9d -i key.pem", "Successfully imported")
	x.piv("-a verify-pin -P 123456 -a test-signature -s 9d -i certificate.pem", "Successful RSA verification.")
	x.piv("-a verify-pin -P 123456 -a test-decipher -s 9d -i certificate.pem", "Successfully performed RSA decryption!")
	if out, err := x.command([]string{"yubico-piv-tool", "-a", "attest", "-s", "9d"}); err == nil {
		t.Errorf("an imported key is attested:\n%s", out)
	}
}

// module finds a PKCS #11 module.
func module(t *testing.T, name string) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/*/" + name)
	if len(found) == 0 {
		t.Fatalf("%s is missing\nhint: install what has it; \"make test\" does", name)
	}
	return found[0]
}

// Both PKCS #11 modules find their way, with all that they test themselves, and sign
// with the elliptic curve that they leave out there.
func TestPKCS11(t *testing.T) {
	r := reader.New(t, reader.Config{})
	r.Insert(card.New(card.Config{}))
	x := newTool(t)
	for slot, algorithm := range map[string]string{"9a": "RSA2048", "9c": "ECCP256"} {
		file := " -s " + slot + " -o " + slot + ".pem"
		x.piv("-a generate -A " + algorithm + file)
		x.piv("-a attest" + file)
		x.piv("-a import-certificate -s " + slot + " -i " + slot + ".pem")
	}
	x.piv("-a set-chuid -a set-ccc")
	for _, name := range []string{"opensc-pkcs11.so", "libykcs11.so"} {
		t.Run(name, func(t *testing.T) {
			x := tool{t, x.dir}
			pkcs11 := []string{"pkcs11-tool", "--module", module(t, name)}
			x.run(append(pkcs11, "--list-objects"), "RSA 2048 bits", "EC_POINT 256 bits", "CN=YubiKey PIV Attestation 9a")
			x.run(append(pkcs11, "--login", "--pin", "123456", "--test"), "No errors")
			must(t, os.WriteFile(filepath.Join(x.dir, "digest"), make([]byte, 32), 0o600))
			x.run(append(pkcs11, "--login", "--pin", "123456", "--sign", "--id", "02", "--mechanism", "ECDSA",
				"--signature-format", "openssl", "--input-file", "digest", "--output-file", "signature"))
			signature, err := os.ReadFile(filepath.Join(x.dir, "signature"))
			must(t, err)
			if !ecdsa.VerifyASN1(x.certificate("9c.pem").PublicKey.(*ecdsa.PublicKey), make([]byte, 32), signature) {
				t.Errorf("the signature %x is wrong", signature)
			}
		})
	}
}

// A management key that wants a touch is of no use without one.
func TestManagementKeyWantsTouch(t *testing.T) {
	finger := func(there bool) card.Touch { return func(context.Context, byte) bool { return there } }
	r := reader.New(t, reader.Config{})
	c := card.New(card.Config{Touch: finger(false)})
	r.Insert(c)
	x := newTool(t)
	key := strings.Repeat("08", 24)
	x.piv("-a set-mgm-key -n "+key+" --touch-policy=always", "Successfully set new management key.")
	generate := []string{"yubico-piv-tool", "-a", "generate", "-s", "9a", "-A", "ECCP256", "-k" + key}
	if out, err := x.command(generate); err == nil {
		t.Errorf("no touch was needed:\n%s", out)
	}
	c.SetTouch(finger(true))
	x.run(generate, "Successfully generated")
}
