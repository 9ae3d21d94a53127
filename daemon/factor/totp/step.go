package totp

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/record"
)

const (
	minPeriod, maxPeriod = 15, 120 // seconds

	noStep   = -1               // below the first step
	maxStep  = 1 << 40          // at 15 s a step, half a million years
	maxSpent = 64               // spent steps above the floor
	reach    = 10 * time.Minute // how far outside the window a code is recognised

	maxDrift   = 2  // steps
	driftUnits = 16 // to a step
	driftPace  = 4  // a login moves the drift by a quarter of what it saw
)

// steps is the state of a TOTP token. A step is the T of RFC 6238: seconds since
// 1970 divided by the period.
type steps struct {
	Period int `json:"period"` // seconds
	// Floor is the highest step accepted: it and what is below are spent.
	Floor int64 `json:"floor"`
	// Spent are steps above the floor that must not be accepted, ascending.
	Spent []int64 `json:"spent,omitempty"`
	// Drift is how far the phone's clock is ahead, in sixteenths of a step.
	Drift int64 `json:"drift,omitempty"`
	// Restored is the floor that a restored backup has set, 0 for none.
	Restored int64 `json:"restored,omitempty"`
}

func (s *steps) check() error {
	if s.Period < minPeriod || s.Period > maxPeriod {
		return errors.New("period out of range")
	}
	if s.Drift < -maxDrift*driftUnits || s.Drift > maxDrift*driftUnits {
		return errors.New("drift out of range")
	}
	if s.Restored < 0 || s.Restored > max(s.Floor, 0) {
		return errors.New("restored floor out of range")
	}
	if s.Floor < noStep || s.Floor > maxStep || len(s.Spent) > maxSpent {
		return errors.New("steps out of range")
	}
	last := s.Floor
	for _, step := range s.Spent {
		if step <= last || step > maxStep {
			return errors.New("steps out of order")
		}
		last = step
	}
	return nil
}

// at is the step of a time; before 1970 it is the first one.
func (s *steps) at(now time.Time) int64 {
	return min(max(now.Unix(), 0)/int64(s.Period), maxStep)
}

// drift is the learnt drift in whole steps, from -2 to 2.
func (s *steps) drift() int64 { return (s.Drift + driftUnits/2) >> 4 }

// settleStep decides about a TOTP code.
//
// A code can stand at two steps by chance. So that it works once and no more,
// every step in reach that has the code is spent with it, and a code that stands
// at a spent step is refused even where it also stands at a fresh one.
func (t *token) settleStep(code factor.Secret, try attempt) (ruling, error) {
	s, at := t.TOTP, t.TOTP.at(try.now)
	first, last := at+s.drift()-try.window, at+s.drift()+try.window
	around := (int64(reach/time.Second) + int64(s.Period) - 1) / int64(s.Period)
	found, err := t.stepHits(code, min(first, at-around), max(last, at+around))
	if err != nil {
		return ruling{}, err
	}
	fresh := slices.DeleteFunc(slices.Clone(found), s.isSpent)
	inside := slices.IndexFunc(fresh, func(step int64) bool { return first <= step && step <= last })
	r := ruling{changed: len(fresh) > 0, note: s.waits(last), log: s.behind(t.ID, last)}
	switch {
	case len(found) == 0:
		return r, nil
	case len(fresh) < len(found):
		r.outcome = factor.Replayed
		r.log = join(fmt.Sprintf("code of %q was spent before", t.ID), r.log)
	case inside < 0:
		r.log = join(s.offset(t.ID, fresh[0]-at), r.log)
	case !try.won:
		r.outcome = factor.Proven
		s.accept(fresh[inside], at)
		t.Used = record.Stamp(try.now)
	}
	return r, s.spend(fresh, at-maxDrift-try.window)
}

// stepHits is hits for steps, the lower of which can be below the first.
func (t *token) stepHits(code factor.Secret, first, last int64) ([]int64, error) {
	found, err := t.hits(code, uint64(max(first, 0)), uint64(max(last, 0)))
	steps := make([]int64, len(found))
	for i, m := range found {
		steps[i] = int64(m)
	}
	return steps, err
}

func (s *steps) isSpent(step int64) bool {
	_, in := slices.BinarySearch(s.Spent, step)
	return in || step <= s.Floor
}

// accept raises the floor to a step inside the window, and learns the drift.
func (s *steps) accept(step, at int64) {
	s.Floor = step
	s.Drift += ((step-at)*driftUnits - s.Drift) / driftPace
	s.Drift = min(max(s.Drift, -maxDrift*driftUnits), maxDrift*driftUnits)
}

// spend adds steps to the spent ones. The set is bounded; what it loses then are
// steps below oldest, which no window reaches again. If there are none such, the
// answer is refused with an error rather than a spent step forgotten.
func (s *steps) spend(fresh []int64, oldest int64) error {
	spent := slices.Concat(s.Spent, fresh)
	slices.Sort(spent)
	spent = slices.DeleteFunc(slices.Compact(spent), func(step int64) bool { return step <= s.Floor })
	for len(spent) > maxSpent && spent[0] < oldest {
		spent = spent[1:]
	}
	if len(spent) > maxSpent {
		return errors.New("too many codes were spent ahead of time")
	}
	s.Spent = spent
	return nil
}

// waits says to the person that no code counts yet after a restored backup.
func (s *steps) waits(last int64) string {
	if last >= s.Floor || s.Floor != s.Restored {
		return ""
	}
	return fmt.Sprintf("codes count again in %s: factord was restored from a backup", s.span(s.Floor-last))
}

// behind says for the log that all of the window is below what was accepted
// before, which only a restored backup or a clock set back explains.
func (s *steps) behind(id string, last int64) string {
	switch {
	case last >= s.Floor:
		return ""
	case s.Floor == s.Restored:
		return fmt.Sprintf("codes of %q count again in %s, after a restored backup", id, s.span(s.Floor-last))
	}
	return fmt.Sprintf("this clock is at least %s behind the last use of %q: it was set back", s.span(s.Floor-last), id)
}

// offset says for the log that a code is right for another time.
func (s *steps) offset(id string, ahead int64) string {
	when := "was valid " + s.span(-ahead) + " ago"
	if ahead > 0 {
		when = "is valid in " + s.span(ahead)
	}
	return fmt.Sprintf("code of %q %s: this clock or the phone's is off", id, when)
}

// span is so many steps in the unit that a person would use.
func (s *steps) span(n int64) string {
	d := time.Duration(n*int64(s.Period)) * time.Second
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", d.Round(time.Minute)/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d.Round(time.Hour)/time.Hour)
	}
	return fmt.Sprintf("%d days", d.Round(24*time.Hour)/(24*time.Hour))
}

func (s *steps) detail(d map[string]string) {
	d["period"] = strconv.Itoa(s.Period)
	if seconds := s.Drift * int64(s.Period) / driftUnits; seconds != 0 {
		d["drift"] = fmt.Sprintf("%+d s", seconds) // plus: the phone is ahead
	}
}
