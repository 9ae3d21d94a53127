// Package proof checks what a PIV card shows: signatures, and attestations, which say
// where a key was made and what it asks before it signs. It is pure, so that factord
// checks all of it without the C library that talks to cards: what comes from the
// device process is evidence, and nothing more.
package proof

import (
	"fmt"
	"strconv"
)

// Slot is a place for a key on a card: its key reference (NIST SP 800-73-4 part 1,
// table 4b). The zero value is no slot.
type Slot byte

// Slots that can hold a key to log in with.
const (
	Authentication     Slot = 0x9a
	Signature          Slot = 0x9c
	KeyManagement      Slot = 0x9d
	CardAuthentication Slot = 0x9e
)

// Slots returns them in order.
func Slots() []Slot {
	return []Slot{Authentication, Signature, KeyManagement, CardAuthentication}
}

// ParseSlot reads a slot as people write it: "9a".
func ParseSlot(text string) (Slot, error) {
	for _, s := range Slots() {
		if text == s.String() {
			return s, nil
		}
	}
	return 0, fmt.Errorf("%q is no slot for logging in\nhint: slots are 9a, 9c, 9d and 9e", text)
}

func (s Slot) String() string { return strconv.FormatUint(uint64(s), 16) }

// PINPolicy is when a card wants the PIN before it signs. The zero value is unknown.
type PINPolicy uint8

// PIN policies, as cards and attestations number them. Those of a YubiKey Bio (4 and
// 5), which want a finger, are not among them.
const (
	PINNever PINPolicy = iota + 1
	// PINOnce: it is verified once, and then holds for every program on the machine
	// until the card loses power or another applet is selected.
	PINOnce
	PINAlways
)

func (p PINPolicy) String() string {
	return word(uint8(p), "never", "once", "always")
}

// TouchPolicy is when a card wants to be touched before it signs. The zero value is
// unknown.
type TouchPolicy uint8

// Touch policies, as cards and attestations number them.
const (
	TouchNever TouchPolicy = iota + 1
	TouchAlways
	TouchCached // a touch holds for 15 s
)

func (p TouchPolicy) String() string {
	return word(uint8(p), "never", "always", "cached")
}

func word(n uint8, words ...string) string {
	if n == 0 || int(n) > len(words) {
		return "unknown"
	}
	return words[n-1]
}
