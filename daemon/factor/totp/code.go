package totp

import (
	"bytes"
	"encoding/base32"
	"fmt"
	"strings"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/layout"
)

// algorithm returns the hash of that name. pquerna/otp also knows MD5, and takes
// a name that it doesn't know for SHA-1.
func algorithm(name string) (otp.Algorithm, error) {
	for _, a := range []otp.Algorithm{otp.AlgorithmSHA1, otp.AlgorithmSHA256, otp.AlgorithmSHA512} {
		if strings.ReplaceAll(strings.ToUpper(name), "-", "") == a.String() {
			return a, nil
		}
	}
	return 0, fmt.Errorf("%q is not SHA1, SHA256 or SHA512", name)
}

// hits returns the moving factors (RFC 4226: the counter, RFC 6238: the step)
// from first to last that have this code. All are computed and compared in
// constant time, so that how long it takes says nothing about which one matched.
func (t *token) hits(code factor.Secret, first, last uint64) ([]uint64, error) {
	alg, err := algorithm(t.Algorithm)
	if err != nil {
		return nil, err
	}
	opts := hotp.ValidateOpts{Digits: otp.Digits(t.Digits), Algorithm: alg}
	secret := base32.StdEncoding.EncodeToString(t.Secret)
	var found []uint64
	for m := first; m <= last; m++ {
		want, err := hotp.GenerateCodeCustom(secret, m, opts)
		if err != nil {
			return nil, fmt.Errorf("computing a code of %q: %v", t.ID, err)
		}
		if code.Equal([]byte(want)) {
			found = append(found, m)
		}
		if m == last { // which can be the highest number there is
			break
		}
	}
	return found, nil
}

// codeIn returns the code in an answer that has the form of this token's: its
// digits, with single spaces between them ("123 456", as apps show them), or
// its prefix and then its digits. The prefix of a key that types its code ends
// in digits, so the code is counted from the end.
func (t *token) codeIn(answer factor.Secret) (factor.Secret, bool) {
	if code := unspaced(answer); code.Digits(t.Digits, t.Digits) {
		return code, true
	}
	if t.HOTP == nil {
		return nil, false
	}
	// A key that types its code does so without Shift, which some keyboards need.
	if code, ok := layout.Digits(answer); ok && len(code) == t.Digits {
		return code, true
	}
	if t.HOTP.Prefix == "" {
		return nil, false
	}
	if n := len(t.HOTP.Prefix); len(answer) == n+t.Digits && bytes.EqualFold(answer[:n], []byte(t.HOTP.Prefix)) {
		return answer[n:], answer[n:].Digits(t.Digits, t.Digits)
	}
	code, ok := layout.After(answer, t.HOTP.Prefix)
	return code, ok && len(code) == t.Digits
}

// unspaced takes single spaces out from between digits, and no others.
func unspaced(answer factor.Secret) factor.Secret {
	if len(answer) > 2*maxDigits || bytes.IndexByte(answer, ' ') < 0 {
		return answer
	}
	out := make(factor.Secret, 0, len(answer))
	for i, c := range answer {
		if c != ' ' {
			out = append(out, c)
		} else if i == 0 || i == len(answer)-1 || answer[i-1] == ' ' {
			return answer
		}
	}
	return out
}
