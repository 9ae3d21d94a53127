package totp

import (
	"slices"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/record"
)

var _ factor.Restorer = (*Factor)(nil)

// Restored implements factor.Restorer.
func (f *Factor) Restored(rs factor.Records, present []factor.Record, now time.Time) error {
	return record.Change(rs, func(t *token) bool {
		raised := t.HOTP != nil && t.raise(present)
		return t.restored(now, f.window) || raised
	})
}

// raise moves a counter to where the replaced database has it, which is never
// down. A resync looks from there on: were that the backup's place, two spent codes
// in a row would make the third good again. The seed alone says that it is the same
// token; it may have been removed and enrolled anew under another id.
func (t *token) raise(present []factor.Record) (changed bool) {
	for _, p := range record.Readable[token](present) {
		if p.HOTP != nil && factor.Secret(p.Secret).Equal(t.Secret) && p.HOTP.Next > t.HOTP.Next {
			t.HOTP.Next, changed = p.HOTP.Next, true
		}
	}
	return changed
}

// restored takes from a token what may have been spent since the backup, and
// reports whether that changed it. Of a counter nothing is known then but that it
// is not lower, neither than here nor than in the replaced database.
func (t *token) restored(now time.Time, window int64) (changed bool) {
	if t.TOTP != nil {
		return t.TOTP.restored(now, window)
	}
	changed = !t.HOTP.Resync
	t.HOTP.Resync = true
	return changed
}

// restored spends every step whose code could have been accepted until now. That
// is not the current one alone: the phone's clock may have been ahead by the most
// that is learnt as drift, and the window (as it is configured now) lies around
// that. So with a window of 1 no code counts for a minute and a half.
func (s *steps) restored(now time.Time, window int64) (changed bool) {
	floor := min(s.at(now)+maxDrift+window, maxStep)
	if floor <= s.Floor {
		return false
	}
	s.Floor, s.Restored = floor, floor
	s.Spent = slices.DeleteFunc(s.Spent, func(step int64) bool { return step <= floor })
	return true
}
