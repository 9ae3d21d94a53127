package totp

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/record"
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
	record.Head
	Secret    seed     `json:"secret"`
	Algorithm string   `json:"algorithm"`
	Digits    int      `json:"digits"`
	TOTP      *steps   `json:"totp,omitempty"`
	HOTP      *counter `json:"hotp,omitempty"`
}

// newToken has the defaults of the kind, and no secret.
func newToken(kind string) (*token, error) {
	t := &token{Head: record.Head{Version: version}, Algorithm: "SHA1", Digits: 6}
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

// Kind implements record.Entry.
func (t *token) Kind() string {
	if t.HOTP != nil {
		return kindHOTP
	}
	return kindTOTP
}

// worn says that the token has no further code.
func (t *token) worn() bool { return t.HOTP != nil && t.HOTP.worn() }

// Check implements record.Entry.
func (t *token) Check() error {
	if t.Version != version {
		return fmt.Errorf("version %d is unknown", t.Version)
	}
	if (t.TOTP == nil) == (t.HOTP == nil) {
		return errors.New("not of exactly one kind")
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
