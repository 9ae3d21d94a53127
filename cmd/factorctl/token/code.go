package token

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Clock is a TOTP token (RFC 6238): what a phone is to factord.
type Clock struct {
	secret []byte
	hash   func() hash.Hash
	digits int
	period int64 // seconds
}

// ParseClock reads an otpauth URI of a TOTP token.
func ParseClock(uri string) (*Clock, error) {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "otpauth" || u.Host != "totp" {
		return nil, errors.New("not an otpauth URI of a TOTP token") // its text has the secret
	}
	q := u.Query()
	c := &Clock{hash: sha1.New, digits: 6, period: 30}
	bare := base32.StdEncoding.WithPadding(base32.NoPadding)
	if c.secret, err = bare.DecodeString(strings.TrimRight(strings.ToUpper(q.Get("secret")), "=")); err != nil || len(c.secret) == 0 {
		return nil, errors.New("the otpauth URI has no base32 secret")
	}
	switch q.Get("algorithm") {
	case "", "SHA1":
	case "SHA256":
		c.hash = sha256.New
	case "SHA512":
		c.hash = sha512.New
	default:
		return nil, fmt.Errorf("unknown algorithm %q", q.Get("algorithm"))
	}
	if s := q.Get("digits"); s != "" {
		if c.digits, err = strconv.Atoi(s); err != nil || c.digits < 6 || c.digits > 8 {
			return nil, fmt.Errorf("digits are 6 to 8, not %q", s)
		}
	}
	if s := q.Get("period"); s != "" {
		if c.period, err = strconv.ParseInt(s, 10, 64); err != nil || c.period < 1 {
			return nil, fmt.Errorf("period is no number of seconds: %q", s)
		}
	}
	return c, nil
}

// Step is the number of the period that t is in.
func (c *Clock) Step(t time.Time) int64 { return t.Unix() / c.period }

// Code is the code of a step (RFC 4226, 5.3).
func (c *Clock) Code(step int64) string {
	mac := hmac.New(c.hash, c.secret)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(step)))
	sum := mac.Sum(nil)
	offset := sum[len(sum)-1] & 15
	n := binary.BigEndian.Uint32(sum[offset:]) & 0x7fffffff
	modulus := uint32(1)
	for range c.digits {
		modulus *= 10
	}
	return fmt.Sprintf("%0*d", c.digits, n%modulus)
}

// Find returns the step within skew of t that has this code.
func (c *Clock) Find(code string, t time.Time, skew int64) (step int64, found bool) {
	now := c.Step(t)
	for step := now - skew; step <= now+skew; step++ {
		if c.Code(step) == code {
			return step, true
		}
	}
	return 0, false
}

// Wrong returns a code that no step within skew of t has.
func (c *Clock) Wrong(t time.Time, skew int64) string {
	for n := 0; ; n++ {
		code := fmt.Sprintf("%0*d", c.digits, n)
		if _, found := c.Find(code, t, skew); !found {
			return code
		}
	}
}
