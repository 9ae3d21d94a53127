package yubico

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/layout"
)

const (
	version = 1
	kind    = "yubico"
	// maxKeys bounds what is read at each login.
	maxKeys = 20
)

// key is one record: a YubiKey of a user.
type key struct {
	id       string
	Version  int       `json:"v"`
	Name     string    `json:"name"`
	Created  time.Time `json:"created"`
	Used     time.Time `json:"used,omitzero"`
	PublicID string    `json:"public-id"` // modhex
	// Local are the key's secrets; nil: a validation server has them.
	Local *local `json:"local,omitempty"`
	// Next is the lowest counter that can be accepted. It never goes down.
	Next counter `json:"next"`
	// Last is the SHA-256 of the OTP accepted last, where the server does not
	// tell its counter.
	Last []byte `json:"last,omitempty"`
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

// put keeps the key as it is now.
func (k *key) put(rs factor.Records) error {
	value, err := json.Marshal(k)
	if err != nil {
		return err
	}
	defer clear(value)
	return rs.Put(k.id, value)
}

func decode(r factor.Record) (*key, error) {
	k := &key{id: r.ID}
	err := r.Decode(k)
	if err == nil {
		err = k.check()
	}
	if err != nil {
		return nil, fmt.Errorf("reading key %q: %v", r.ID, err)
	}
	return k, nil
}

// check holds for every key that is kept.
func (k *key) check() error {
	switch {
	case k.Version != version:
		return fmt.Errorf("version %d is unknown", k.Version)
	case k.number() == 0:
		return errors.New("id is not of a YubiKey")
	case k.Next > newCounter(maxUse, 0xff)+1:
		return errors.New("counter out of range")
	case k.Local != nil && (len(k.Local.PrivateID) != privateIDSize || len(k.Local.AESKey) != aesKeySize):
		return errors.New("secrets have a wrong size")
	}
	if err := factor.CheckName(k.Name); err != nil {
		return err
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

// decodeAll reads all keys of a user, in the order of their numbers. One that
// can't be read is an error: whose OTP it is that is typed is not known then.
func decodeAll(list []factor.Record) ([]*key, error) {
	keys := make([]*key, 0, len(list))
	for i := range list {
		k, ok := list[i].Decoded.(*key)
		if !ok {
			var err error
			if k, err = decode(list[i]); err != nil {
				return nil, err
			}
			list[i].Decoded = k
		}
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b *key) int {
		return cmp.Or(cmp.Compare(a.number(), b.number()), cmp.Compare(a.id, b.id))
	})
	return keys, nil
}

func (k *key) number() uint64 { return factor.Number(k.id, kind) }

// typed returns an OTP as its key meant it, in two parts. Keys can be told to type a
// Tab before, between and after them.
func typed(answer []byte) (publicID, token []byte, ok bool) {
	otp, ok := layout.Modhex(bytes.TrimSpace(bytes.ReplaceAll(answer, []byte{'\t'}, nil)))
	if !ok {
		return nil, nil, false
	}
	return split(otp)
}

// detail is what may be shown of a key beside its name.
func (k *key) detail() map[string]string {
	d := map[string]string{"public-id": k.PublicID, "verified": "by server"}
	if k.Local != nil {
		d["verified"] = "here"
		if k.Local.Resync {
			d["resync"] = "needed after a restored backup"
		}
	}
	if k.Next > 0 {
		last := k.Next - 1
		d["usage"], d["session"] = strconv.Itoa(last.use()), strconv.Itoa(last.session())
	}
	return d
}
