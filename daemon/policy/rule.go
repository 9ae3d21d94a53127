package policy

import (
	"slices"
	"time"
)

// Rule is one [[rule]] of the configuration: criteria, which all have to match, and what is then demanded.
// A criterion that is an empty list matches everything, except Callers: a rule for no caller matches nobody.
type Rule struct {
	Name string // "#N", counted from 1, when it was given none
	Line int    // where its [[rule]] stands in the file

	Services []string
	Users    []string
	Groups   []string
	Networks []Network
	Callers  []Caller

	Factors          []string // permitted, in order of preference
	Mode             Mode
	Until            time.Time     // from then on Enrolled is Require; zero: never
	SubjectCaller    bool          // challenge who calls (PAM_RUSER), not whom they become
	Remember         time.Duration // zero: a proof holds for one login
	EnrollLogin      bool          // who has no factor may enrol while logging in
	EnrollUntil      time.Time     // end of EnrollLogin; zero: none
	UnavailableAllow bool          // a login goes on when its only factor can't be reached
	NoBypass         bool          // a bypass code from root is not accepted
	NoPresence       bool          // a device need not be touched
}

// Rules are looked at in order; the first that matches decides.
type Rules []Rule

// mode returns what r demands at now. A date can't be judged without a time: then it has passed.
func (r *Rule) mode(now time.Time) Mode {
	switch r.Mode {
	case Audit, Exempt:
		return r.Mode
	case Enrolled:
		if !passed(r.Until, now) {
			return Enrolled
		}
	}
	return Require
}

func passed(end, now time.Time) bool {
	return !end.IsZero() && (now.IsZero() || !now.Before(end))
}

// Covers reports whether r matches whatever later matches, so that later, standing below r, is never reached.
// Entries are compared one by one: two halves of a network are not seen to make the whole.
func (r *Rule) Covers(later *Rule) bool {
	return coversList(r.Services, later.Services, same) &&
		coversList(r.Users, later.Users, same) &&
		coversList(r.Groups, later.Groups, same) &&
		coversList(r.Networks, later.Networks, Network.covers) &&
		coversEach(r.Callers, later.Callers, same)
}

// Covering returns the rules that leave later, standing below them, nothing to match: one
// that covers it, or one for each of its services. It returns none if something is left.
func (rs Rules) Covering(later *Rule) (by []*Rule) {
	first := func(part *Rule) *Rule {
		for i := range rs {
			if rs[i].Covers(part) {
				return &rs[i]
			}
		}
		return nil
	}
	if r := first(later); r != nil {
		return []*Rule{r}
	}
	for _, service := range later.Services {
		part := *later
		part.Services = []string{service}
		switch r := first(&part); {
		case r == nil:
			return nil
		case !slices.Contains(by, r):
			by = append(by, r)
		}
	}
	return by
}

func same[T comparable](a, b T) bool { return a == b }

// coversList is for criteria that match everything when they are left out.
func coversList[T any](list, later []T, covers func(a, b T) bool) bool {
	if len(list) == 0 {
		return true
	}
	return len(later) > 0 && coversEach(list, later, covers)
}

func coversEach[T any](list, later []T, covers func(a, b T) bool) bool {
	for _, l := range later {
		if !slices.ContainsFunc(list, func(e T) bool { return covers(e, l) }) {
			return false
		}
	}
	return true
}
