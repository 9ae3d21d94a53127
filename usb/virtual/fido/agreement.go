package fido

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"slices"
)

// secret is what host and key share (6.5.6 and 6.5.7).
type secret struct {
	protocol       uint
	macKey, aesKey []byte
}

// agree makes the secret out of the host's half.
func (s *pinSession) agree(protocol uint, cose map[int]any) (secret, error) {
	x, ok1 := cose[-2].([]byte)
	y, ok2 := cose[-3].([]byte)
	if !ok1 || !ok2 {
		return secret{}, statusMissingParameter
	}
	host, err := ecdh.P256().NewPublicKey(slices.Concat([]byte{4}, x, y))
	if err != nil {
		return secret{}, statusInvalidParameter
	}
	z, err := s.agreement.ECDH(host)
	if err != nil {
		return secret{}, statusInvalidParameter
	}
	if protocol == 1 {
		sum := sha256.Sum256(z)
		return secret{1, sum[:], sum[:]}, nil
	}
	derive := func(info string) []byte {
		key, err := hkdf.Key(sha256.New, z, make([]byte, 32), info, 32)
		if err != nil {
			panic(err) // 32 bytes are not too many
		}
		return key
	}
	return secret{protocol, derive("CTAP2 HMAC key"), derive("CTAP2 AES key")}, nil
}

func (s secret) authentic(message, mac []byte) bool {
	return authentic(s.protocol, s.macKey, message, mac)
}

func authentic(protocol uint, key, message, mac []byte) bool {
	h := hmac.New(sha256.New, key)
	h.Write(message)
	sum := h.Sum(nil)
	if protocol == 1 {
		sum = sum[:16]
	}
	return hmac.Equal(sum, mac)
}

func (s secret) cipher() cipher.Block {
	block, err := aes.NewCipher(s.aesKey)
	if err != nil {
		panic(err) // the key has 32 bytes
	}
	return block
}

func (s secret) open(sealed []byte) ([]byte, error) {
	iv := make([]byte, aes.BlockSize)
	if s.protocol == 2 {
		if len(sealed) < aes.BlockSize {
			return nil, statusInvalidParameter
		}
		iv, sealed = sealed[:aes.BlockSize], sealed[aes.BlockSize:]
	}
	if len(sealed) == 0 || len(sealed)%aes.BlockSize != 0 {
		return nil, statusInvalidParameter
	}
	plain := make([]byte, len(sealed))
	cipher.NewCBCDecrypter(s.cipher(), iv).CryptBlocks(plain, sealed)
	return plain, nil
}

func (s secret) seal(plain []byte) []byte {
	iv, out := make([]byte, aes.BlockSize), []byte(nil)
	if s.protocol == 2 {
		iv = random(aes.BlockSize)
		out = slices.Clone(iv)
	}
	sealed := make([]byte, len(plain))
	cipher.NewCBCEncrypter(s.cipher(), iv).CryptBlocks(sealed, plain)
	return append(out, sealed...)
}
