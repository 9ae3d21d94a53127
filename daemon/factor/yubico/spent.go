package yubico

import (
	"bytes"
	"crypto/sha256"
	"slices"
)

// maxSpent is how many OTPs of a key are remembered one by one.
const maxSpent = 32

// spent are the SHA-256 sums of OTPs, one behind the other, the latest at the end. Of
// an OTP itself nothing is kept, so nobody spends one that they have not got.
type spent []byte

// sums are the OTPs one by one.
func (s spent) sums() [][]byte { return slices.Collect(slices.Chunk([]byte(s), sha256.Size)) }

func (s spent) has(sum []byte) bool {
	return slices.ContainsFunc(s.sums(), func(other []byte) bool { return bytes.Equal(sum, other) })
}

// add takes in the sum of an OTP, in place of the oldest if there are many, and
// reports whether it is new.
func (s *spent) add(sum []byte) bool {
	if s.has(sum) {
		return false
	}
	all := slices.Concat(*s, sum)
	*s = all[max(0, len(all)-maxSpent*sha256.Size):]
	return true
}

// addAll takes in what another key has spent.
func (s *spent) addAll(other spent) (changed bool) {
	for _, sum := range other.sums() {
		changed = s.add(sum) || changed
	}
	return changed
}

// whole holds for what add has made.
func (s spent) whole() bool { return len(s)%sha256.Size == 0 && len(s) <= maxSpent*sha256.Size }
