package yubico

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/layout"
	"github.com/factord/factord/daemon/factor/record"
)

const (
	version = 1
	kind    = "yubico"
	// maxKeys bounds what is read at each login.
	maxKeys = 20
)

// key is one record: a YubiKey of a user.
type key struct {
	record.Head
	PublicID string `json:"public-id"` // modhex
	// Local are the key's secrets; nil: a validation server has them.
	Local *local `json:"local,omitempty"`
	// Next is the lowest counter that can be accepted. It never goes down.
	Next counter `json:"next"`
	// Last are the OTPs accepted last by servers, which may not tell the counter.
	Last spent `json:"last,omitempty"`
	// Sent are those last sent to servers that decided nothing: whoever took a
	// server's place has seen them. They are apart from Last, since while servers
	// are out of order anything that looks like an OTP comes here.
	Sent spent `json:"sent,omitempty"`
}

// local is what is needed to verify a key here.
type local struct {
	PrivateID hexSecret `json:"private-id"`
	AESKey    hexSecret `json:"aes-key"`
	// Resync: a backup was restored, so the OTPs from Next on may have been
	// spent. None is accepted before two in a row have shown where the key is.
	Resync bool `json:"resync,omitempty"`
}

// hexSecret prints as "[secret]"; only MarshalText, for the record, writes it out.
type hexSecret []byte

// Format implements fmt.Formatter for every verb.
func (s hexSecret) Format(f fmt.State, verb rune) { factor.Secret(s).Format(f, verb) }

// MarshalText writes hexadecimal digits.
func (s hexSecret) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, s), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *hexSecret) UnmarshalText(text []byte) (err error) {
	if *s, err = hex.AppendDecode(nil, text); err != nil {
		return errors.New("not hexadecimal") // what it quotes would be secret
	}
	return nil
}

func (l *local) secrets() *secrets {
	return &secrets{privateID: [privateIDSize]byte(l.PrivateID), aesKey: [aesKeySize]byte(l.AESKey)}
}

// equal reports whether OTPs of one are OTPs of the other: the public id in front
// of a token is not protected by anything.
func (l *local) equal(other *local) bool {
	return l != nil && other != nil &&
		factor.Secret(l.PrivateID).Equal(other.PrivateID) && factor.Secret(l.AESKey).Equal(other.AESKey)
}

// accepts reports whether a counter is above all that were spent.
func (k *key) accepts(c counter) bool { return c >= k.Next }

// spend moves the key past a counter.
func (k *key) spend(c counter) { k.Next = c + 1 }

// Kind implements record.Entry.
func (k *key) Kind() string { return kind }

// Check implements record.Entry.
func (k *key) Check() error {
	switch {
	case k.Version != version:
		return fmt.Errorf("version %d is unknown", k.Version)
	case k.Next > newCounter(maxUse, 0xff)+1:
		return errors.New("counter out of range")
	case !k.Last.whole() || !k.Sent.whole():
		return errors.New("sums of OTPs have a wrong size")
	case k.Local != nil && (len(k.Local.PrivateID) != privateIDSize || len(k.Local.AESKey) != aesKeySize):
		return errors.New("secrets have a wrong size")
	}
	return checkPublicID(k.PublicID)
}

// checkPublicID holds for what a key types in front of its token. One that types
// nothing there could not be told from others.
func checkPublicID(s string) error {
	if b, ok := decodeModhex([]byte(s)); !ok || len(b) == 0 || len(s) > maxPublicID {
		return fmt.Errorf("%q is not a public id: 2 to %d characters of %q, an even number", s, maxPublicID, modhex)
	}
	return nil
}

// typed returns an OTP as its key meant it, in two parts, if that is clear.
func typed(answer []byte) (publicID, token []byte, ok bool) {
	otp, ok := layout.Modhex(untabbed(answer))
	if !ok {
		return nil, nil, false
	}
	return split(otp)
}

// untabbed takes away the Tabs that keys can be told to type before, between and after
// the two parts.
func untabbed(answer []byte) []byte {
	return bytes.TrimSpace(bytes.ReplaceAll(answer, []byte{'\t'}, nil))
}

// typedBy is typed for an OTP that may be of one of these keys: their public ids tell
// which keyboard it was, where its letters alone do not. One that can be two keys' is
// the one's as it stands.
func typedBy(keys []*key, answer []byte) (publicID, token []byte, ok bool) {
	for _, otp := range layout.Readings(untabbed(answer)) {
		id, rest, fits := split(otp)
		if fits && slices.ContainsFunc(keys, func(k *key) bool { return k.PublicID == string(id) }) {
			return id, rest, true
		}
	}
	return typed(answer)
}

// detail is what may be shown of a key beside its name.
func (k *key) detail() map[string]string {
	d := map[string]string{"public-id": k.PublicID, "verified": "by server"}
	if k.Local != nil {
		d["verified"] = "here"
		if k.Local.Resync {
			d["resync"] = "needed after a restored backup"
		}
		if k.Next == 0 { // what it typed before it was enrolled is good until then
			d["first-otp"] = "not seen yet"
		}
	}
	if k.Next > 0 {
		last := k.Next - 1
		d["usage"], d["session"] = strconv.Itoa(last.use()), strconv.Itoa(last.session())
	}
	return d
}
