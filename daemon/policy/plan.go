package policy

import (
	"fmt"
	"slices"
	"time"
)

// Plan is what a login must show. The zero value refuses.
type Plan struct {
	Rule    *Rule   // that matched, or that ended the search for want of Missing; nil: none
	Refuse  Refusal // anything but NotRefused: no factor is asked
	Mode    Mode    // as it is now: Enrolled whose date has passed is Require
	Factors []string

	Bypass           bool // a bypass code from root is accepted
	Remember         time.Duration
	EnrollLogin      bool
	UnavailableAllow bool
	Presence         bool
	SubjectCaller    bool

	Trace   []Step // one for each rule that was looked at
	Missing string // the unknown input that ended the search
	Foreign *Rule  // the first rule that is for other callers only, where no rule matches
}

// Plan finds the first rule that matches q.
//
// A rule that would match if an unknown input turned out so is treated as the stricter answer would have it: when its
// mode is Require, or the input is a group, the search ends with RefuseUnavailable; in a laxer mode the rule does not
// match. A client can arrange for its address or seat to be unknown (a process outside of any session), so an Enrolled
// rule that was left out for that reason never gives way to an Audit or Exempt one below it: that is RefuseUnavailable.
func (rs Rules) Plan(q Request) Plan {
	var p Plan
	var skipped *finding // of the first Enrolled rule that did not match for want of an input
	for i := range rs {
		r := &rs[i]
		mode, f := r.mode(q.Now), r.criteria(&q)
		switch {
		case f.match == No:
			p.step(r, false, f.why)
		case f.match == Unknown && (f.group || mode == Require):
			p.step(r, false, whyUnknown(f, mode))
			return p.unavailable(r, f.missing)
		case f.match == Unknown:
			p.step(r, false, whyUnknown(f, mode))
			if mode == Enrolled && skipped == nil {
				skipped = &f
			}
		case skipped != nil && mode != Require && mode != Enrolled:
			p.step(r, false, fmt.Sprintf("%s unknown: refused, since an enrolled rule above may be the one that matches", skipped.missing))
			return p.unavailable(r, skipped.missing)
		default:
			p.step(r, true, r.whyMatched(&q))
			return p.matched(r, mode, &q)
		}
	}
	p.Foreign = rs.foreign(q)
	return p
}

// foreign returns the first rule that would match, were it for the caller of q.
func (rs Rules) foreign(q Request) *Rule {
	for i := range rs {
		r := rs[i]
		r.Callers = []Caller{q.Caller}
		if r.criteria(&q).match == Yes {
			return &rs[i]
		}
	}
	return nil
}

func (p *Plan) step(r *Rule, matched bool, why string) {
	p.Trace = append(p.Trace, Step{Rule: r.Name, Line: r.Line, Matched: matched, Why: why})
}

func (p *Plan) unavailable(r *Rule, missing string) Plan {
	return Plan{Rule: r, Refuse: RefuseUnavailable, Missing: missing, Trace: p.Trace}
}

func (p *Plan) matched(r *Rule, mode Mode, q *Request) Plan {
	plan := Plan{Rule: r, Refuse: NotRefused, Mode: mode, Presence: !r.NoPresence, Trace: p.Trace}
	if mode == Exempt {
		return plan
	}
	plan.Factors = slices.Clone(r.Factors)
	plan.Bypass = !r.NoBypass
	plan.EnrollLogin = r.EnrollLogin && !passed(r.EnrollUntil, q.Now)
	if q.Caller == CallerRoot {
		plan.Remember = r.Remember
		plan.UnavailableAllow = r.UnavailableAllow
		plan.SubjectCaller = r.SubjectCaller
	}
	return plan
}
