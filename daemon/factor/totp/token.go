package totp

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/factord/factord/daemon/factor"
)

const (
	version = 1

	kindTOTP = "totp"
	kindHOTP = "hotp"

	minDigits, maxDigits = 6, 8
	minSecret, maxSecret = 16, 128 // bytes
)

// token is one record: what all tokens have, and the state of exactly one of
// the two kinds.
type token struct {
	id        string
	Version   int       `json:"v"`
	Name      string    `json:"name"`
	Created   time.Time `json:"created"`
	Used      time.Time `json:"used,omitzero"`
	Secret    seed      `json:"secret"`
	Algorithm string    `json:"algorithm"`
	Digits    int       `json:"digits"`
	TOTP      *steps    `json:"totp,omitempty"`
	HOTP      *counter  `json:"hotp,omitempty"`
}

// newToken has the defaults of the kind, and no secret.
func newToken(kind string) (*token, error) {
	t := &token{Version: version, Algorithm: "SHA1", Digits: 6}
	switch kind {
	case kindTOTP:
		t.TOTP = &steps{Period: 30, Floor: noStep}
	case kindHOTP:
		t.HOTP = &counter{LookAhead: 10}
	default:
		return nil, fmt.Errorf("unknown kind of code token: %q", kind)
	}
	return t, nil
}

func (t *token) kind() string {
	if t.HOTP != nil {
		return kindHOTP
	}
	return kindTOTP
}

// worn says that the token has no further code.
func (t *token) worn() bool { return t.HOTP != nil && t.HOTP.worn() }

func (t *token) encode() ([]byte, error) { return json.Marshal(t) }

// put keeps the token as it is now.
func (t *token) put(rs factor.Records) error {
	value, err := t.encode()
	if err != nil {
		return err
	}
	defer clear(value)
	return rs.Put(t.id, value)
}

func decode(r factor.Record) (*token, error) {
	t := &token{id: r.ID}
	err := r.Decode(t)
	if err == nil {
		err = t.check()
	}
	if err != nil {
		return nil, fmt.Errorf("reading token %q: %v", r.ID, err)
	}
	return t, nil
}

// check holds for every token that is kept.
func (t *token) check() error {
	if t.Version != version {
		return fmt.Errorf("version %d is unknown", t.Version)
	}
	if (t.TOTP == nil) == (t.HOTP == nil) {
		return errors.New("not of exactly one kind")
	}
	if t.number() == 0 {
		return errors.New("id and kind differ")
	}
	if err := factor.CheckName(t.Name); err != nil {
		return err
	}
	if n := len(t.Secret); n < minSecret || n > maxSecret {
		return errSecretSize
	}
	if _, err := algorithm(t.Algorithm); err != nil {
		return err
	}
	if t.Digits < minDigits || t.Digits > maxDigits {
		return errors.New("digits out of range")
	}
	if t.HOTP != nil {
		return t.HOTP.check()
	}
	return t.TOTP.check()
}

// decodeAll reads all tokens of a user, in the order of their numbers. One that
// can't be read is an error: what it would have said is not known.
func decodeAll(list []factor.Record) ([]*token, error) {
	tokens := make([]*token, 0, len(list))
	for i := range list {
		t, ok := list[i].Decoded.(*token)
		if !ok {
			var err error
			if t, err = decode(list[i]); err != nil {
				return nil, err
			}
			list[i].Decoded = t
		}
		tokens = append(tokens, t)
	}
	slices.SortFunc(tokens, func(a, b *token) int {
		return cmp.Or(cmp.Compare(a.number(), b.number()), cmp.Compare(a.id, b.id))
	})
	return tokens, nil
}

// recall spares decoding those of list again that have not changed since before
// was decoded: that is a tenth of a login's work.
func recall(list, before []factor.Record) {
	for i := range list {
		for _, b := range before {
			if t, ok := b.Decoded.(*token); ok && b.ID == list[i].ID && bytes.Equal(b.Value, list[i].Value) {
				list[i].Decoded = t.clone()
			}
		}
	}
}

func (t *token) number() uint64 { return factor.Number(t.id, t.kind()) }

// detail is what may be shown of a token beside its name.
func (t *token) detail() map[string]string {
	d := map[string]string{"algorithm": t.Algorithm, "digits": strconv.Itoa(t.Digits)}
	if t.HOTP != nil {
		t.HOTP.detail(d)
	} else {
		t.TOTP.detail(d)
	}
	return d
}
