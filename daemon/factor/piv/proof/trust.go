package proof

import (
	"bytes"
	"crypto/x509"
	_ "embed"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

//go:embed yubico/roots.pem
var yubicoRoots []byte

//go:embed yubico/intermediates.pem
var yubicoIntermediates []byte

// Trust is whom to believe about where keys are made. The zero value believes nobody.
type Trust struct {
	roots, intermediates *x509.CertPool
}

// maxBundle is of a file of certificates.
const maxBundle = 1 << 20

// Yubico returns the trust in Yubico's own certificates.
func Yubico() (*Trust, error) {
	t := &Trust{}
	if err := t.Add(yubicoRoots); err != nil {
		return nil, err
	}
	if err := t.Add(yubicoIntermediates); err != nil {
		return nil, err
	}
	return t, nil
}

// Add adds certificates in PEM. Those that have signed themselves are roots.
func (t *Trust) Add(bundle []byte) error {
	if len(bundle) > maxBundle {
		return fmt.Errorf("the certificates have more than %d bytes", maxBundle)
	}
	if t.roots == nil {
		t.roots, t.intermediates = x509.NewCertPool(), x509.NewCertPool()
	}
	for n := 1; ; n++ {
		block, rest := pem.Decode(bundle)
		if block == nil && n == 1 {
			return errors.New("there is no certificate in PEM")
		}
		if block == nil {
			return nil
		}
		if err := t.add(block); err != nil {
			return fmt.Errorf("certificate %d: %v", n, err)
		}
		bundle = rest
	}
}

func (t *Trust) add(block *pem.Block) error {
	if block.Type != "CERTIFICATE" {
		return fmt.Errorf("it is %q, and no certificate", block.Type)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return err
	}
	if !c.IsCA {
		return errors.New("it is of nobody who may certify")
	}
	if !bytes.Equal(c.RawIssuer, c.RawSubject) {
		t.intermediates.AddCert(c)
		return nil
	}
	if c.Subject.CommonName == u2fRoot {
		c.MaxPathLen = 1
	}
	t.roots.AddCert(c)
	return nil
}

// u2fRoot has signed the certificates of keys made until 2018, although it says that
// it signs for nobody who certifies (path length 0).
const u2fRoot = "Yubico U2F Root CA Serial 457200631"

// chain returns nil if the device's certificate is below a root, and the slot's is
// signed by the device's and nobody else. An unset time is no time: x509 would take
// the clock's. Without roots of ours it would take the system's.
func (t *Trust) chain(slot, device *x509.Certificate, now time.Time) error {
	if t == nil || t.roots == nil {
		return errors.New("nobody is trusted to attest")
	}
	if now.IsZero() {
		return errors.New("the time is not known")
	}
	intermediates := t.intermediates.Clone()
	intermediates.AddCert(device)
	chains, err := slot.Verify(x509.VerifyOptions{Roots: t.roots, Intermediates: intermediates,
		CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err != nil {
		return err
	}
	for _, c := range chains {
		if len(c) > 2 && c[1].Equal(device) {
			return nil
		}
	}
	return errors.New("the slot's certificate is not signed by the device's")
}
