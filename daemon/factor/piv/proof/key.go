package proof

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
)

// Limits of keys.
const (
	maxKey   = 1 << 10 // bytes of SubjectPublicKeyInfo; RSA-4096 has 550
	exponent = 65537   // of every RSA key that a YubiKey makes or takes
)

// Key is a public key of a kind that factord takes: P-256, P-384, Ed25519, or RSA of
// 2048, 3072 or 4096 bits. The zero value verifies nothing.
type Key struct {
	public crypto.PublicKey
	spki   []byte
}

// NewKey takes a public key, if it is good enough.
func NewKey(public crypto.PublicKey) (*Key, error) {
	if err := fit(public); err != nil {
		return nil, err
	}
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("encoding the public key: %v", err)
	}
	return &Key{public: public, spki: spki}, nil
}

// ParseKey reads a key as SPKI returns it, and in no other spelling.
func ParseKey(spki []byte) (*Key, error) {
	if len(spki) > maxKey {
		return nil, fmt.Errorf("the public key has %d bytes, more than %d", len(spki), maxKey)
	}
	public, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, fmt.Errorf("parsing the public key: %v", err)
	}
	key, err := NewKey(public)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(key.spki, spki) {
		return nil, errors.New("the public key is not encoded as DER wants it")
	}
	return key, nil
}

// SPKI returns the key as it is kept: the DER of its SubjectPublicKeyInfo (RFC 5280,
// 4.1.2.7).
func (k *Key) SPKI() []byte { return bytes.Clone(k.spki) }

// Public returns the key as Go's packages know it.
func (k *Key) Public() crypto.PublicKey { return k.public }

// Equal reports whether both are the same key. No key equals the zero value.
func (k *Key) Equal(other *Key) bool {
	return k != nil && other != nil && len(k.spki) > 0 && bytes.Equal(k.spki, other.spki)
}

// String names the kind of the key: "P-256", "RSA-2048".
func (k *Key) String() string {
	switch public := k.public.(type) {
	case *ecdsa.PublicKey:
		return public.Curve.Params().Name
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA-%d", public.N.BitLen())
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return "no key"
}

// fit says why a key is not good enough, if so.
func fit(public crypto.PublicKey) error {
	switch public := public.(type) {
	case *ecdsa.PublicKey:
		if public.Curve == elliptic.P256() || public.Curve == elliptic.P384() {
			return nil
		}
		return errors.New("the key is on another curve than P-256 and P-384")
	case ed25519.PublicKey:
		if len(public) != ed25519.PublicKeySize {
			return errors.New("the Ed25519 key has the wrong length")
		}
		return nil
	case *rsa.PublicKey:
		return fitRSA(public)
	}
	return fmt.Errorf("no key that signs: %T", public)
}

func fitRSA(public *rsa.PublicKey) error {
	switch bits := public.N.BitLen(); bits {
	case 2048, 3072, 4096:
	default:
		return fmt.Errorf("the RSA key has %d bits, not 2048, 3072 or 4096", bits)
	}
	if public.E != exponent {
		return fmt.Errorf("the exponent of the RSA key is %d, not %d", public.E, exponent)
	}
	if weak(public.N) {
		return errors.New("the RSA key can be factored (CVE-2017-15361)\n" +
			"hint: firmware 4.2.6 to 4.3.4 makes such keys; make an elliptic one instead")
	}
	return nil
}
