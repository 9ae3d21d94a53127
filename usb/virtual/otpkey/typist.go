package otpkey

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"time"
)

// Typist makes what a touch types: Yubico, HOTP or Static. The application calls it
// under its lock.
type Typist interface {
	next() (id, code string)
}

// Yubico is a slot of Yubico OTP.
type Yubico struct {
	PublicID  string // modhex
	PrivateID [6]byte
	AESKey    [16]byte
	Use       uint16 // how often it has got power, and typed then

	powered time.Time
	stamp   uint32 // at that time: random in a key
	session uint8
	typed   bool // since it has power
}

func (y *Yubico) plug() {
	var b [4]byte
	rand.Read(b[:])
	y.powered, y.stamp, y.session, y.typed = time.Now(), binary.LittleEndian.Uint32(b[:]), 0, false
}

// maxUse is where the counter stays: it has 15 bits.
const maxUse = 0x7fff

// next counts: the use at the first OTP since the key has power, the session at each.
func (y *Yubico) next() (id, code string) {
	if !y.typed {
		y.typed, y.Use = true, min(y.Use+1, maxUse)
	} else {
		y.session++
	}
	const tick = time.Second / 8
	stamp := y.stamp + uint32(time.Since(y.powered)/tick)
	var plain [16]byte
	copy(plain[:], y.PrivateID[:])
	binary.LittleEndian.PutUint16(plain[6:], y.Use)
	binary.LittleEndian.PutUint16(plain[8:], uint16(stamp))
	plain[10], plain[11] = byte(stamp>>16), y.session
	rand.Read(plain[12:14])
	binary.LittleEndian.PutUint16(plain[14:], ^crc(plain[:14]))
	return y.PublicID, modhex(seal(y.AESKey, plain))
}

// modhex writes four bits as one of the letters that most keyboards have in one place.
func modhex(data []byte) string {
	const letters = "cbdefghijklnrtuv"
	text := make([]byte, 0, 2*len(data))
	for _, b := range data {
		text = append(text, letters[b>>4], letters[b&15])
	}
	return string(text)
}

// HOTP is a slot of OATH-HOTP (RFC 4226).
type HOTP struct {
	ID      string // typed in front; often empty
	Secret  []byte
	Counter uint64 // of the next code
	Digits  int    // 6 or 8
}

func (h *HOTP) next() (id, code string) {
	mac := hmac.New(sha1.New, h.Secret)
	mac.Write(binary.BigEndian.AppendUint64(nil, h.Counter))
	h.Counter++
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 15
	value := binary.BigEndian.Uint32(sum[at:]) & 0x7fffffff
	size := uint32(1)
	for range h.Digits {
		size *= 10
	}
	return h.ID, fmt.Sprintf("%0*d", h.Digits, value%size)
}

// Static is a slot with a fixed text.
type Static string

func (s Static) next() (id, code string) { return "", string(s) }
