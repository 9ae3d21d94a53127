package card

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"time"
)

// Authority signs certificates: a root, one in between, or the attestation key of a
// card.
type Authority struct {
	Certificate *x509.Certificate
	Key         crypto.Signer
}

// Attestation is what the attestation of a key says of it ("PIV attestation" of Yubico's
// documentation).
type Attestation struct {
	Slot                   byte
	Version                Version
	Serial                 uint32
	PINPolicy, TouchPolicy byte
	FormFactor             byte
	Key                    crypto.PublicKey
}

// FormFactorKeychainA is a YubiKey 5A, as every card here says it is.
const FormFactorKeychainA = 0x01

// NewAuthority makes a root.
func NewAuthority(name string) *Authority {
	return (&Authority{}).Intermediate(name)
}

// Intermediate makes an authority below this one.
func (a *Authority) Intermediate(name string) *Authority {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	template := &x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	below := &Authority{Key: private}
	if a.Key == nil {
		a = &Authority{Certificate: template, Key: private}
	}
	der, err := a.sign(template, private.Public())
	if err == nil {
		below.Certificate, err = x509.ParseCertificate(der)
	}
	if err != nil {
		panic(fmt.Sprintf("making authority %q: %v", name, err))
	}
	return below
}

// sign issues a certificate that is valid as long as those of a real key are.
func (a *Authority) sign(template *x509.Certificate, public crypto.PublicKey) ([]byte, error) {
	template.SerialNumber = new(big.Int).SetBytes(append([]byte{1}, randomBytes(15)...))
	template.NotBefore = time.Date(2016, 3, 14, 0, 0, 0, 0, time.UTC)
	template.NotAfter = time.Date(2052, 4, 17, 0, 0, 0, 0, time.UTC)
	return x509.CreateCertificate(rand.Reader, template, a.Certificate, public, a.Key)
}

// Attest issues an attestation. It may say what is not so.
func (a *Authority) Attest(what Attestation) ([]byte, error) {
	serial, _ := asn1.Marshal(int64(what.Serial))
	extension := func(number int, value []byte) pkix.Extension {
		return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3, number}, Value: value}
	}
	return a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: fmt.Sprintf("YubiKey PIV Attestation %02x", what.Slot)},
		ExtraExtensions: []pkix.Extension{
			extension(3, what.Version[:]),
			extension(7, serial),
			extension(8, []byte{what.PINPolicy, what.TouchPolicy}),
			extension(9, []byte{what.FormFactor}),
		},
	}, what.Key)
}

// attest is Yubico's ATTEST of the key in slot P1. Only a key that was generated on the
// card has one. The issuer is whatever slot F9 holds now.
func (c *Card) attest(cmd command) ([]byte, status) {
	k, there := c.memory.keys[cmd.p1]
	device := Authority{Key: c.memory.keys[slotAttestation].private}
	device.Certificate = attestationCertificate(c.memory.objects[objectAttestation])
	switch {
	case cmd.p2 != 0:
		return nil, wrongParameters
	case !there || k.origin != originGenerated || device.Certificate == nil:
		return nil, wrongData
	}
	what := Attestation{Slot: cmd.p1, Version: c.config.Version, Serial: c.config.Serial,
		PINPolicy: k.pin, TouchPolicy: k.touch, FormFactor: FormFactorKeychainA, Key: k.private.Public()}
	forge := c.config.Forge
	if forge == nil {
		forge = (*Authority).Attest
	}
	der, err := forge(&device, what)
	if err != nil {
		return nil, conditions
	}
	return der, success
}

// attestationCertificate reads what the object of slot F9 holds; nil if that is none.
func attestationCertificate(object []byte) *x509.Certificate {
	const tagCertificate = 0x70
	in, _ := fields(object)
	certificate, err := x509.ParseCertificate(in[tagCertificate])
	if err != nil {
		return nil
	}
	return certificate
}
