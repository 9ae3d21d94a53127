// Package yksim is a YubiKey in software and a validation server for tests: HTTP,
// validation protocol 2.0, written apart from what it tests. Nothing of it is for a
// machine that anybody logs in to.
package yksim

import (
	"crypto/aes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"sync"
)

// Key is a YubiKey.
type Key struct {
	PublicID  string // modhex
	PrivateID [6]byte
	AESKey    [16]byte

	mu      sync.Mutex
	use     uint16
	session uint8
}

// NewKey makes a key that has just got power for the first time.
func NewKey(publicID string) *Key {
	k := &Key{PublicID: publicID, use: 1}
	rand.Read(k.PrivateID[:])
	rand.Read(k.AESKey[:])
	return k
}

// Secrets are the two secrets in hexadecimal.
func (k *Key) Secrets() (privateID, aesKey string) {
	return hex.EncodeToString(k.PrivateID[:]), hex.EncodeToString(k.AESKey[:])
}

// Plug gives the key power anew.
func (k *Key) Plug() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.use, k.session = k.use+1, 0
}

// Touch types the next OTP.
func (k *Key) Touch() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	otp := k.OTP(k.use, k.session)
	k.session++
	return otp
}

// OTP is the one of these counters; its time stamp and random number differ from
// time to time.
func (k *Key) OTP(use uint16, session uint8) string {
	var plain [16]byte
	copy(plain[:], k.PrivateID[:])
	binary.LittleEndian.PutUint16(plain[6:], use)
	rand.Read(plain[8:11])
	plain[11] = session
	rand.Read(plain[12:14])
	binary.LittleEndian.PutUint16(plain[14:], ^crc(plain[:14]))
	c, err := aes.NewCipher(k.AESKey[:])
	if err != nil {
		panic(err) // the key has the right size
	}
	c.Encrypt(plain[:], plain[:])
	return k.PublicID + toModhex.Replace(hex.EncodeToString(plain[:]))
}

// read returns the fields of a token that this key has made.
func (k *Key) read(token string) (use uint16, session uint8, stamp uint32, ok bool) {
	b, err := hex.DecodeString(fromModhex.Replace(token))
	c, err2 := aes.NewCipher(k.AESKey[:])
	if err != nil || err2 != nil || len(b) != 16 {
		return 0, 0, 0, false
	}
	c.Decrypt(b, b)
	ok = [6]byte(b) == k.PrivateID && binary.LittleEndian.Uint16(b[14:]) == ^crc(b[:14])
	stamp = uint32(b[10])<<16 | uint32(binary.LittleEndian.Uint16(b[8:]))
	return binary.LittleEndian.Uint16(b[6:]), b[11], stamp, ok
}

// crc is bitwise, as the key's documentation has it.
func crc(b []byte) uint16 {
	r := uint16(0xffff)
	for _, c := range b {
		r ^= uint16(c)
		for range 8 {
			if r&1 == 1 {
				r = r>>1 ^ 0x8408
			} else {
				r >>= 1
			}
		}
	}
	return r
}

const modhex = "cbdefghijklnrtuv"

var toModhex, fromModhex = replacers()

func replacers() (to, from *strings.Replacer) {
	var there, back []string
	for i, c := range "0123456789abcdef" {
		there = append(there, string(c), modhex[i:i+1])
		back = append(back, modhex[i:i+1], string(c))
	}
	return strings.NewReplacer(there...), strings.NewReplacer(back...)
}
