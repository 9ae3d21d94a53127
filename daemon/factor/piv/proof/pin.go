package proof

import (
	"bytes"
	"errors"
)

// A PIN's length in bytes (SP 800-73-4 part 2, 2.4.3).
const (
	minPIN = 6
	maxPIN = 8
)

// ErrPIN: a card would spend a try on it, in vain.
var ErrPIN = errors.New("a PIN has 6 to 8 characters")

// FitPIN returns ErrPIN for what can't be the PIN of a card.
func FitPIN(pin []byte) error {
	const padding = 0xff // what a short PIN is filled up with
	if len(pin) < minPIN || len(pin) > maxPIN || bytes.IndexByte(pin, padding) >= 0 {
		return ErrPIN
	}
	return nil
}
