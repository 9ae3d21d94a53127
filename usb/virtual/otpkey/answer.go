package otpkey

import (
	"crypto/aes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/binary"
)

// Responder answers a challenge: HMAC or Challenge.
type Responder interface {
	takes(command byte) bool
	respond(payload []byte) []byte
}

// HMAC is HMAC-SHA1 with a secret of 20 bytes.
type HMAC struct {
	Secret [20]byte
	// LT64: the challenge has fewer than 64 bytes, and the key drops from its end the
	// bytes that are the same as the last one. Without it, all 64 count.
	LT64 bool
}

func (h HMAC) takes(command byte) bool { return command == cmdHMAC1 || command == cmdHMAC2 }

func (h HMAC) respond(payload []byte) []byte {
	if h.LT64 {
		last := payload[len(payload)-1]
		for len(payload) > 0 && payload[len(payload)-1] == last {
			payload = payload[:len(payload)-1]
		}
	}
	mac := hmac.New(sha1.New, h.Secret[:])
	mac.Write(payload)
	return mac.Sum(nil)
}

// Challenge is Yubico OTP as an answer: six bytes of challenge stand in the token where
// the private id is exclusive-ored with them.
type Challenge struct {
	PrivateID [6]byte
	AESKey    [16]byte
}

func (c Challenge) takes(command byte) bool { return command == cmdOTP1 || command == cmdOTP2 }

// respond encrypts a token that has no counters.
func (c Challenge) respond(payload []byte) []byte {
	var plain [aes.BlockSize]byte
	for i := range c.PrivateID {
		plain[i] = payload[i] ^ c.PrivateID[i]
	}
	binary.LittleEndian.PutUint16(plain[14:], ^crc(plain[:14]))
	return seal(c.AESKey, plain)
}

// seal encrypts one block. The key's size is right.
func seal(key [16]byte, plain [aes.BlockSize]byte) []byte {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err)
	}
	block.Encrypt(plain[:], plain[:])
	return plain[:]
}
