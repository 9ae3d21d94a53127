package duosim

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"time"
)

// authority signs the simulator's certificates, and nothing else knows it.
type authority struct {
	cert  *x509.Certificate
	key   *ecdsa.PrivateKey
	count int64
}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "duosim " + random(8)},
		NotBefore: now.Add(-48 * time.Hour), NotAfter: now.Add(365 * 24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &authority{cert: cert, key: key, count: 1}, err
}

func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// issue makes a server certificate. Clients of Duo look at DNS names only.
func (a *authority) issue(name string, until time.Time, selfSigned bool) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	a.count++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(a.count), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: until.Add(-30 * 24 * time.Hour), NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	parent, signer := a.cert, a.key
	if selfSigned {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// greet chooses the certificate of one handshake.
func (s *Server) greet(*tls.ClientHelloInfo) (*tls.Config, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log.handshakes++
	if f := s.takeOne("", Fault.isCertificate); f != nil {
		return s.handshake(f.name)
	}
	return s.handshake("")
}

// handshake is the TLS configuration for a fault of certificates, or for none.
func (s *Server) handshake(bad Fault) (*tls.Config, error) {
	if c := s.configs[bad]; c != nil {
		return c, nil
	}
	name, until, selfSigned := "localhost", time.Now().Add(29*24*time.Hour), false
	switch bad {
	case ExpiredCert:
		until = time.Now().Add(-time.Hour)
	case WrongNameCert:
		name = "elsewhere.example"
	case SelfSigned:
		selfSigned = true
	}
	cert, err := s.ca.issue(name, until, selfSigned)
	if err != nil {
		return nil, err
	}
	protocols := []string{"http/1.1"}
	if s.c.HTTP2 {
		protocols = []string{"h2", "http/1.1"}
	}
	c := &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}, NextProtos: protocols,
		// A resumed session would not look at the bad certificate.
		SessionTicketsDisabled: bad != "",
	}
	s.configs[bad] = c
	return c, nil
}
