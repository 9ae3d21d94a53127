package yubico

import (
	"crypto/aes"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
)

// Sizes of an OTP, in characters of modhex: the public id, which can be empty,
// and the token, which is one AES block.
const (
	tokenSize     = 2 * aes.BlockSize
	maxPublicID   = 32
	usualPublicID = 12
	maxOTP        = maxPublicID + tokenSize
)

// Sizes of a key's secrets, in bytes.
const (
	privateIDSize = 6
	aesKeySize    = 16
)

// split takes the public id, of any length, from in front of the token. It only
// looks at how long otp is.
func split(otp []byte) (publicID, token []byte, ok bool) {
	if len(otp) < tokenSize || len(otp) > maxOTP {
		return nil, nil, false
	}
	at := len(otp) - tokenSize
	return otp[:at], otp[at:], true
}

// counter is what makes an OTP one of a kind: how often the key has got power
// (15 bits), and below that, in the low byte, how many OTPs it has made since.
// The OTP that was made later has the greater counter.
type counter uint32

const (
	maxUse = 0x7fff
	// useBits of the use field count. The bit above them says only that a lock
	// key of the keyboard asked for the OTP, not the key's own button.
	useBits = maxUse
)

func (c counter) use() int     { return int(c >> 8) }
func (c counter) session() int { return int(c & 0xff) }

// worn: the key has counted as far as it can, and from now on stays there.
func (c counter) worn() bool { return c.use() >= maxUse }

func (c counter) String() string { return fmt.Sprintf("%d/%d", c.use(), c.session()) }

// newCounter makes one of the two fields of a token.
func newCounter(use uint16, session uint8) counter {
	return counter(use&useBits)<<8 | counter(session)
}

// secrets are what a key has in common with whoever verifies it.
type secrets struct {
	privateID [privateIDSize]byte
	aesKey    [aesKeySize]byte
}

// open decrypts a token of 32 characters. ok is one decision on everything that
// can be wrong, so that nobody learns from its time or its text which part was: a
// checksum alone, which one wrong token in 65536 has right, proves nothing.
//
// The plaintext, as the key's firmware writes it: private id 6 bytes, use counter
// 2, time stamp 3, session counter 1, random 2, checksum 2; little endian.
func (s *secrets) open(token []byte) (c counter, ok bool) {
	encrypted, isModhex := decodeModhex(token)
	if !isModhex || len(encrypted) != aes.BlockSize {
		return 0, false
	}
	block, err := aes.NewCipher(s.aesKey[:])
	if err != nil {
		return 0, false
	}
	var plain [aes.BlockSize]byte
	defer clear(plain[:])
	block.Decrypt(plain[:], encrypted)
	sound := subtle.ConstantTimeEq(int32(checksum(plain[:])), residue)
	own := subtle.ConstantTimeCompare(plain[:privateIDSize], s.privateID[:])
	if sound&own != 1 {
		return 0, false
	}
	return newCounter(binary.LittleEndian.Uint16(plain[6:]), plain[11]), true
}

// residue is the checksum over data that ends with its own.
const residue = 0xf0b8

// checksum is the CRC-16 of ISO/IEC 13239 (HDLC) without its last complement,
// computed without a branch on data.
func checksum(data []byte) uint16 {
	crc := uint16(0xffff)
	for _, b := range data {
		crc ^= uint16(b)
		for range 8 {
			crc = crc>>1 ^ 0x8408&-(crc&1)
		}
	}
	return crc
}
