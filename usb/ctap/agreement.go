package ctap

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/fxamacker/cbor/v2"
)

// coseKey is the key's half of the agreement: a point on P-256 (6.5.6).
type coseKey struct {
	Kty int    `cbor:"1,keyasint"`
	Alg int    `cbor:"3,keyasint"`
	Crv int    `cbor:"-1,keyasint"`
	X   []byte `cbor:"-2,keyasint"`
	Y   []byte `cbor:"-3,keyasint"`
}

const (
	coseEC2   = 2
	coseP256  = 1
	coseECDH  = -25 // which is not what it is (6.5.6)
	pointSize = 32
)

// secret is what the two share, for one PIN.
type secret struct {
	protocol       uint
	macKey, aesKey []byte
}

// agree makes a secret with the key's half, and returns our own half.
func agree(protocol uint, theirs coseKey) (secret, cbor.RawMessage, error) {
	if theirs.Kty != coseEC2 || theirs.Crv != coseP256 || len(theirs.X) != pointSize || len(theirs.Y) != pointSize {
		return secret{}, nil, fmt.Errorf("%w: no key to agree with", ErrMalformed)
	}
	public, err := ecdh.P256().NewPublicKey(slices.Concat([]byte{4}, theirs.X, theirs.Y))
	if err != nil {
		return secret{}, nil, fmt.Errorf("%w: no point on P-256", ErrMalformed)
	}
	own, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return secret{}, nil, err
	}
	s, err := derive(protocol, own, public)
	if err != nil {
		return secret{}, nil, err
	}
	point := own.PublicKey().Bytes()
	mode, err := cbor.CTAP2EncOptions().EncMode()
	if err != nil {
		return secret{}, nil, err
	}
	half, err := mode.Marshal(coseKey{Kty: coseEC2, Alg: coseECDH, Crv: coseP256, X: point[1 : 1+pointSize], Y: point[1+pointSize:]})
	return s, half, err
}

// derive is 6.5.6.1 for protocol 1, and 6.5.7 for protocol 2.
func derive(protocol uint, own *ecdh.PrivateKey, theirs *ecdh.PublicKey) (secret, error) {
	z, err := own.ECDH(theirs)
	if err != nil {
		return secret{}, err
	}
	defer clear(z)
	if protocol == 1 {
		sum := sha256.Sum256(z)
		return secret{1, slices.Clone(sum[:]), slices.Clone(sum[:])}, nil
	}
	salt := make([]byte, sha256.Size)
	macKey, err := hkdf.Key(sha256.New, z, salt, "CTAP2 HMAC key", sha256.Size)
	if err != nil {
		return secret{}, err
	}
	aesKey, err := hkdf.Key(sha256.New, z, salt, "CTAP2 AES key", sha256.Size)
	return secret{2, macKey, aesKey}, err
}

func (s secret) wipe() {
	clear(s.macKey)
	clear(s.aesKey)
}

func (s secret) block() cipher.Block {
	b, err := aes.NewCipher(s.aesKey)
	if err != nil {
		panic(err) // the key always has 32 bytes
	}
	return b
}

// seal encrypts whole blocks.
func (s secret) seal(plain []byte) []byte {
	sealed := make([]byte, aes.BlockSize+len(plain))
	iv := sealed[:aes.BlockSize]
	if s.protocol == 2 {
		rand.Read(iv)
	}
	cipher.NewCBCEncrypter(s.block(), iv).CryptBlocks(sealed[aes.BlockSize:], plain)
	if s.protocol == 1 { // whose IV is always zero
		return sealed[aes.BlockSize:]
	}
	return sealed
}

// openToken decrypts a token, which has 16 or 32 bytes with protocol 1, 32 with 2.
func (s secret) openToken(sealed []byte) ([]byte, error) {
	iv := make([]byte, aes.BlockSize)
	if s.protocol == 2 && len(sealed) > aes.BlockSize {
		iv, sealed = sealed[:aes.BlockSize], sealed[aes.BlockSize:]
	}
	if len(sealed) != 32 && (len(sealed) != 16 || s.protocol == 2) {
		return nil, fmt.Errorf("%w: a token of %d bytes", ErrMalformed, len(sealed))
	}
	token := make([]byte, len(sealed))
	cipher.NewCBCDecrypter(s.block(), iv).CryptBlocks(token, sealed)
	return token, nil
}

// authenticate shows that we have a token.
func authenticate(protocol uint, token, message []byte) []byte {
	h := hmac.New(sha256.New, token)
	h.Write(message)
	sum := h.Sum(nil)
	if protocol == 1 {
		return sum[:16]
	}
	return sum
}
