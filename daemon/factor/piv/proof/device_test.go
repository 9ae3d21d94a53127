package proof

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// now is when the tests are.
var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// authority signs certificates, and has one.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// template is of a certificate that is good now.
func template(name string) *x509.Certificate {
	return &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0)}
}

func certifier(name string) *x509.Certificate {
	c := template(name)
	c.BasicConstraintsValid, c.IsCA, c.KeyUsage = true, true, x509.KeyUsageCertSign
	return c
}

// sign makes a certificate; without an issuer it signs itself.
func sign(t testing.TB, c *x509.Certificate, key *ecdsa.PrivateKey, by *authority) *authority {
	t.Helper()
	if by == nil {
		by = &authority{key: key, cert: c}
	}
	return &authority{key: key, cert: issue(t, c, key.Public(), by)}
}

func issue(t testing.TB, c *x509.Certificate, public crypto.PublicKey, by *authority) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, by.cert, public, by.key)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// extension is one of Yubico's.
func extension(number int, value ...byte) pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3, number}, Value: value}
}

// attested are the extensions of a good attestation: firmware 5.4.3, serial 1234567,
// PIN always, touch always, a USB-A keychain.
func attested() []pkix.Extension {
	return []pkix.Extension{extension(3, 5, 4, 3), extension(7, 2, 3, 0x12, 0xd6, 0x87),
		extension(8, 3, 2), extension(9, 1)}
}

// without leaves an extension out, and puts others in.
func without(number int, others ...pkix.Extension) []pkix.Extension {
	var all []pkix.Extension
	for _, e := range attested() {
		if e.Id[len(e.Id)-1] != number {
			all = append(all, e)
		}
	}
	return append(all, others...)
}

func slotTemplate() *x509.Certificate {
	c := template(prefix + "9a")
	c.ExtraExtensions = attested()
	return c
}

// maker is somebody who makes devices, and one of them.
type maker struct {
	trust        *Trust
	root, device *authority
}

func newMaker(t testing.TB) *maker {
	t.Helper()
	m := &maker{trust: &Trust{}}
	m.root = sign(t, certifier("Maker Root"), newKey(t), nil)
	m.device = sign(t, certifier("Yubico PIV Attestation"), newKey(t), m.root)
	if err := m.trust.Add(inPEM(m.root.cert)); err != nil {
		t.Fatal(err)
	}
	return m
}

func inPEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

func key(t testing.TB, public crypto.PublicKey) *Key {
	t.Helper()
	k, err := NewKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// stored returns a certificate of a real key.
func stored(t testing.TB, name string) *x509.Certificate {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".pem"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
