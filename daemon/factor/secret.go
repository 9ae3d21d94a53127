package factor

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// Secret is text that must not be seen: an answer, a seed. However it is
// printed, logged or encoded, it reads "[secret]".
type Secret []byte

const hidden = "[secret]"

// String implements fmt.Stringer.
func (s Secret) String() string { return hidden }

// Format implements fmt.Formatter for every verb, %x and %#v included.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, hidden) }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText keeps secrets out of JSON and TOML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// Equal compares in constant time for equal lengths.
func (s Secret) Equal(t []byte) bool { return subtle.ConstantTimeCompare(s, t) == 1 }

// Wipe overwrites the secret.
func (s Secret) Wipe() { clear(s) }

// Digits reports whether s is of n ASCII digits, lo <= n <= hi.
func (s Secret) Digits(lo, hi int) bool {
	if len(s) < lo || len(s) > hi {
		return false
	}
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
