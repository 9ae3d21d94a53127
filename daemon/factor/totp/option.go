package totp

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pquerna/otp"
)

// setAll sets what an otpauth URI and the options beside it say.
func (t *token) setAll(uri, options map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(uri)) {
		if err := t.set(key, uri[key]); err != nil {
			return fmt.Errorf("reading the otpauth URI: %v", err)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(options)) {
		if said, ok := uri[key]; ok && said != options[key] {
			return fmt.Errorf("option %q: the otpauth URI says %q", key, said)
		}
		if err := t.set(key, options[key]); err != nil {
			return fmt.Errorf("option %v", err)
		}
	}
	return nil
}

// set sets one property of a new token. Errors begin with its name.
func (t *token) set(key, value string) error {
	var n uint64
	var alg otp.Algorithm
	var err error
	switch {
	case key == "algorithm":
		alg, err = algorithm(value)
		t.Algorithm = alg.String()
	case key == "digits":
		n, err = number(value, minDigits, maxDigits)
		t.Digits = int(n)
	case key == "period" && t.TOTP != nil:
		n, err = number(value, minPeriod, maxPeriod)
		t.TOTP.Period = int(n)
	case key == "look-ahead" && t.HOTP != nil:
		t.HOTP.LookAhead, err = number(value, 0, maxLookAhead)
	case key == "counter" && t.HOTP != nil:
		t.HOTP.Next, err = number(value, 0, maxCounter)
	case key == "prefix" && t.HOTP != nil:
		t.HOTP.Prefix = strings.ToLower(value)
		err = checkPrefix(t.HOTP.Prefix)
	case slices.Contains([]string{"period", "look-ahead", "counter", "prefix"}, key):
		return fmt.Errorf("%q: a %s token has none", key, t.Kind())
	default:
		return fmt.Errorf("%q: unknown", key)
	}
	if err != nil {
		return fmt.Errorf("%q: %v", key, err)
	}
	return nil
}

// number reads a decimal number in a range.
func number(text string, low, high uint64) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n < low || n > high {
		return 0, fmt.Errorf("%q is not a number from %d to %d", text, low, high)
	}
	return n, nil
}
