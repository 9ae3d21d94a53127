package assertion

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
)

// Algorithm is a number of COSE's registry.
type Algorithm int

// The algorithms.
const (
	ES256 Algorithm = -7
	EdDSA Algorithm = -8
	RS256 Algorithm = -257
)

// String is the algorithm's name in WebAuthn.
func (a Algorithm) String() string {
	switch a {
	case ES256:
		return "ES256"
	case EdDSA:
		return "EdDSA"
	case RS256:
		return "RS256"
	}
	return fmt.Sprintf("COSE algorithm %d", int(a))
}

// Sizes of RSA keys, in bits.
const (
	minRSA = 2048
	maxRSA = 4096
)

// PublicKey is a credential's. The zero value verifies nothing.
type PublicKey struct {
	key crypto.PublicKey // *ecdsa.PublicKey on P-256, ed25519.PublicKey or *rsa.PublicKey
}

// NewES256 takes a point on P-256: 0x04, X and Y, 65 bytes.
func NewES256(point []byte) (PublicKey, error) {
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return PublicKey{}, errors.New("the public key is no point on P-256")
	}
	return PublicKey{key}, nil
}

// NewEdDSA takes an Ed25519 key of 32 bytes.
func NewEdDSA(key []byte) (PublicKey, error) {
	if len(key) != ed25519.PublicKeySize {
		return PublicKey{}, fmt.Errorf("the Ed25519 key has %d bytes, not %d", len(key), ed25519.PublicKeySize)
	}
	return PublicKey{ed25519.PublicKey(bytes.Clone(key))}, nil
}

// NewRS256 takes modulus and exponent, big-endian.
func NewRS256(n, e []byte) (PublicKey, error) {
	modulus := new(big.Int).SetBytes(n)
	if bits := modulus.BitLen(); bits < minRSA || bits > maxRSA {
		return PublicKey{}, fmt.Errorf("the RSA key has %d bits, not %d to %d", bits, minRSA, maxRSA)
	}
	exponent := 0
	if len(e) > 4 {
		return PublicKey{}, errors.New("the RSA key's exponent is too long")
	}
	for _, b := range e {
		exponent = exponent<<8 | int(b)
	}
	if modulus.Bit(0) == 0 || exponent < 3 || exponent&1 == 0 || exponent > 1<<31-1 {
		return PublicKey{}, errors.New("the RSA key's numbers are impossible")
	}
	return PublicKey{&rsa.PublicKey{N: modulus, E: exponent}}, nil
}

// Algorithm is the one that the key is for; 0 of the zero value.
func (k PublicKey) Algorithm() Algorithm {
	switch k.key.(type) {
	case *ecdsa.PublicKey:
		return ES256
	case ed25519.PublicKey:
		return EdDSA
	case *rsa.PublicKey:
		return RS256
	}
	return 0
}

// Equal says whether both are the same key. The zero value is no key.
func (k PublicKey) Equal(other PublicKey) bool {
	one, ok := k.key.(interface{ Equal(crypto.PublicKey) bool })
	return ok && one.Equal(other.key)
}

var errSignature = errors.New("the signature is not the enrolled key's")

// verify checks a signature: ASN.1 of ES256, 64 bytes of EdDSA, PKCS #1 v1.5 of RS256.
func (k PublicKey) verify(message, signature []byte) error {
	if len(signature) > MaxSignature {
		return errSignature
	}
	sum := sha256.Sum256(message)
	ok := false
	switch key := k.key.(type) {
	case *ecdsa.PublicKey:
		ok = ecdsa.VerifyASN1(key, sum[:], signature)
	case ed25519.PublicKey:
		ok = ed25519.Verify(key, message, signature)
	case *rsa.PublicKey:
		ok = rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) == nil
	}
	if !ok {
		return errSignature
	}
	return nil
}

// point is 0x04, X and Y of ES256, or the 32 bytes of EdDSA.
func (k PublicKey) point() []byte {
	switch key := k.key.(type) {
	case *ecdsa.PublicKey:
		if b, err := key.Bytes(); err == nil {
			return b
		}
	case ed25519.PublicKey:
		return key
	}
	return nil
}

func (k PublicKey) rsa() (n []byte, e int) {
	if key, ok := k.key.(*rsa.PublicKey); ok {
		return key.N.Bytes(), key.E
	}
	return nil, 0
}
