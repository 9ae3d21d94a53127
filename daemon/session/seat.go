package session

import (
	"context"
	"slices"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/policy"
)

// Keys that are plugged in here are for who sits here: a login from elsewhere must not
// make one blink, or its owner would touch it for somebody else.

// isLocal reports whether a factor asks keys that are plugged in here.
func isLocal(f factor.Factor) bool {
	_, here := f.(factor.Local)
	return here
}

// seat finds out where the login comes from, if the plan takes a factor that has to know.
func (a *attempt) seat(ctx context.Context) {
	takes := func(f factor.Factor) bool { return isLocal(f) && slices.Contains(a.plan.Factors, f.Name()) }
	if slices.ContainsFunc(a.Factors, takes) {
		a.locate(ctx)
	}
}

// local reports whether it comes from this machine's own seat, as far as is known.
func (a *attempt) local() bool { return a.lost == nil && a.place.Local == policy.Yes }

// whyNotLocal says for root and explain why it does not; empty: it does.
func (a *attempt) whyNotLocal() string {
	switch {
	case a.local():
		return ""
	case a.lost != nil:
		return "where the session is, is unknown: " + a.lost.Error()
	case a.place.Local == policy.No:
		return "not at this machine's own seat"
	}
	return "where the session is, is unknown"
}
