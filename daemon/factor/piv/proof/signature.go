package proof

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
)

const (
	maxSignature = 512     // bytes: RSA-4096
	maxMessage   = 1 << 10 // bytes; what a card signs with Ed25519 goes to it as it is
)

// ErrSignature: the signature is not by this key, or not of this message.
var ErrSignature = errors.New("the signature is wrong")

var errNoKey = errors.New("no key to sign with")

// Digest returns what a card is given to sign, and how: SHA-256 for P-256 and for RSA
// (PKCS #1 v1.5), SHA-384 for P-384, and the message itself for Ed25519.
func (k *Key) Digest(message []byte) ([]byte, crypto.SignerOpts, error) {
	if k == nil {
		return nil, nil, errNoKey
	}
	if len(message) == 0 || len(message) > maxMessage {
		return nil, nil, errors.New("no message, or too long a one, to sign")
	}
	switch public := k.public.(type) {
	case ed25519.PublicKey:
		return message, crypto.Hash(0), nil
	case *ecdsa.PublicKey:
		if public.Curve == elliptic.P384() {
			sum := sha512.Sum384(message)
			return sum[:], crypto.SHA384, nil
		}
		sum := sha256.Sum256(message)
		return sum[:], crypto.SHA256, nil
	case *rsa.PublicKey:
		sum := sha256.Sum256(message)
		return sum[:], crypto.SHA256, nil
	}
	return nil, nil, errNoKey
}

// Verify returns nil if the signature is by this key and of this message.
func (k *Key) Verify(message, signature []byte) error {
	digest, how, err := k.Digest(message)
	if err != nil {
		return err
	}
	if len(signature) == 0 || len(signature) > maxSignature {
		return ErrSignature
	}
	good := false
	switch public := k.public.(type) {
	case ed25519.PublicKey:
		good = ed25519.Verify(public, digest, signature)
	case *ecdsa.PublicKey:
		good = ecdsa.VerifyASN1(public, digest, signature)
	case *rsa.PublicKey:
		good = rsa.VerifyPKCS1v15(public, how.HashFunc(), digest, signature) == nil
	}
	if !good {
		return ErrSignature
	}
	return nil
}
