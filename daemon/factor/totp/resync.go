package totp

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/record"
)

// resyncWindow is how many counters a resync looks at. A token is ahead of us by
// the codes that were made and never sent, which is seldom more than some
// hundreds.
//
// Two codes in a row make so wide a search safe (RFC 4226, 7.4 and E.3): a guess
// at both, of six digits each, is right for one of a thousand counters with
// 1000/10^12, while a guess at a login with the usual look-ahead of 10 is right
// with 11/10^6. And it gains nothing but a counter that is off.
const resyncWindow = 1000

var _ factor.Resyncer = (*Factor)(nil)

// Resync implements factor.Resyncer for HOTP tokens. The counter never moves
// back: what is below it may have been spent, and a code is spent for good. Like
// a first code, the two are not counted as a use.
func (f *Factor) Resync(rs factor.Records, id string, first, second factor.Secret, _ time.Time) (log string, err error) {
	t, err := record.Find[token](rs, id)
	if err != nil {
		return "", err
	}
	if err := t.resyncable(); err != nil {
		return "", err
	}
	at, err := t.pair(first, second)
	if err != nil {
		return "", err
	}
	log = fmt.Sprintf("counter of %q moved from %d to %d", t.ID, t.HOTP.Next, at+2)
	t.HOTP.Next, t.HOTP.Resync = at+2, false
	return log, record.Put(rs, t)
}

// resyncable says whether there is a counter that a resync could find.
func (t *token) resyncable() error {
	if t.HOTP == nil {
		return fmt.Errorf("%q is time-based: it learns its drift by itself\nhint: if its codes are refused, check that the clocks of the phone and of this machine are set automatically", t.ID)
	}
	if t.HOTP.Next >= maxCounter { // one code more, at most
		return fmt.Errorf("%q has come to the end of its counter\nhint: remove it and enrol a new one", t.ID)
	}
	return nil
}

// pair returns the counter of the first of two codes in a row. Should they stand
// at two places by chance, the next two codes will tell.
func (t *token) pair(first, second factor.Secret) (uint64, error) {
	one, isCode := t.codeIn(first)
	two, isToo := t.codeIn(second)
	if !isCode || !isToo || one.Equal(two) { // the same code typed twice
		return 0, factor.ErrResync
	}
	from, to := t.HOTP.Next, t.HOTP.Next+min(resyncWindow-1, maxCounter-1-t.HOTP.Next)
	firsts, err1 := t.hits(one, from, to)
	seconds, err2 := t.hits(two, from+1, to+1)
	if err := errors.Join(err1, err2); err != nil {
		return 0, err
	}
	firsts = slices.DeleteFunc(firsts, func(at uint64) bool { return !slices.Contains(seconds, at+1) })
	if len(firsts) != 1 {
		return 0, factor.ErrResync
	}
	return firsts[0], nil
}
