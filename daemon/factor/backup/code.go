package backup

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"io"

	"github.com/factord/factord/daemon/factor"
)

// All codes of this package have one form: twelve characters of Crockford's
// base32, 60 bits, in three groups: 7k2m-x9qa-04vd. With 60 bits they can't be
// guessed, so they stay usable when guessable answers have to wait.
const (
	alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
	group    = 4
	groups   = 3
	keySize  = 32 // bytes of the HMAC key
)

// newCode makes a code in its plain form, without dashes.
func newCode(random io.Reader) (factor.Secret, error) {
	code := make(factor.Secret, group*groups)
	if _, err := io.ReadFull(random, code); err != nil {
		return nil, fmt.Errorf("making a code: %v", err)
	}
	for i, c := range code {
		code[i] = alphabet[c%32] // 32 divides 256: all are equally likely
	}
	return code, nil
}

// spell writes a code as a person reads it.
func spell(code factor.Secret) string {
	return string(code[:group]) + "-" + string(code[group:2*group]) + "-" + string(code[2*group:])
}

// parse reads an answer of the form of a code into its plain form. Between
// groups it takes a dash, one space, or nowhere anything; in them either case, and i and l for 1
// and o for 0, as Crockford has it. Whether there is such a code is not said.
func parse(answer factor.Secret) (factor.Secret, bool) {
	apart := len(answer) == group*groups+groups-1
	if !apart && len(answer) != group*groups {
		return nil, false
	}
	code := make(factor.Secret, 0, group*groups)
	for i, c := range answer {
		if apart && i%(group+1) == group {
			if c != '-' && c != ' ' {
				return nil, false
			}
			continue
		}
		c = plain(c)
		if c == 0 {
			return nil, false
		}
		code = append(code, c)
	}
	return code, true
}

// plain is the character of the alphabet that is meant, or 0.
func plain(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	switch {
	case c == 'i' || c == 'l':
		return '1'
	case c == 'o':
		return '0'
	case c == 'u' || !('0' <= c && c <= '9' || 'a' <= c && c <= 'z'):
		return 0
	}
	return c
}

// mac is how a code is kept: under a key of its own set, and bound to what it is
// for, so that a code for one purpose is none for another.
func mac(key []byte, purpose string, code factor.Secret) []byte {
	h := hmac.New(sha256.New, key)
	io.WriteString(h, purpose)
	h.Write([]byte{0})
	h.Write(code)
	return h.Sum(nil)
}

func newKey(random io.Reader) ([]byte, error) {
	key := make([]byte, keySize)
	if _, err := io.ReadFull(random, key); err != nil {
		return nil, fmt.Errorf("making a key: %v", err)
	}
	return key, nil
}
