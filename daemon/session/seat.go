package session

import (
	"context"
	"fmt"
	"slices"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/policy"
)

// Keys that are plugged in here are for who sits here: a login from elsewhere must not
// make one blink, or its owner would touch it for somebody else.
//
// Who sits here is who has logged in at this machine's own seat, and is logged in nowhere
// else: what they have started here, such as tmux, they can use from there. It is nobody
// who has come by su: whether bob stands behind alice while she becomes bob, nobody knows,
// and bob may sit at another seat, with his key before him. Under subject = "caller" it is
// alice who is asked.

// isLocal reports whether a factor asks keys that are plugged in here.
func isLocal(f factor.Factor) bool {
	_, here := f.(factor.Local)
	return here
}

// seats reports whether the user with this uid sits there.
func (p Place) seats(uid uint32) bool {
	return p.Local == policy.Yes && p.Alone && p.Owner == uid
}

// doubt says why the user does not sit there, though the place is local or might be; empty
// where nothing is known to say.
func (p Place) doubt(uid uint32, name string) string {
	switch {
	case p.Elsewhere != "" && p.Owner == uid:
		return fmt.Sprintf("%s is also logged in from elsewhere (session %s)", name, p.Elsewhere)
	case p.Local != policy.Yes:
		return ""
	case p.Owner != uid:
		return fmt.Sprintf("the session at the seat is that of uid %d, and not of %s", p.Owner, name)
	case !p.Alone:
		return fmt.Sprintf("%s has too many sessions to know where they are", name)
	}
	return ""
}

// instead is what the user can do about it; empty where they can't.
func (p Place) instead(uid uint32) string {
	switch {
	case p.Elsewhere != "" && p.Owner == uid:
		return fmt.Sprintf("your key works only while you are logged in nowhere else: end session %s (loginctl terminate-session %[1]s), and try again", p.Elsewhere)
	case p.Local == policy.Yes && p.Owner != uid:
		return "your key works only in a session in which you have logged in yourself, at this machine"
	}
	return ""
}

// seat finds out where the login comes from, if the plan takes a factor that has to know.
func (a *attempt) seat(ctx context.Context) {
	takes := func(f factor.Factor) bool { return isLocal(f) && slices.Contains(a.plan.Factors, f.Name()) }
	if slices.ContainsFunc(a.Factors, takes) {
		a.locate(ctx)
	}
}

// local reports whether who is challenged sits here, as far as is known.
func (a *attempt) local() bool {
	return a.known && a.lost == nil && a.place.seats(a.identity.UID)
}

// whyNotLocal says for root and explain why they do not; empty: they do.
func (a *attempt) whyNotLocal() string {
	if a.local() {
		return ""
	}
	if a.lost != nil {
		return "where the session is, is unknown: " + a.lost.Error()
	}
	if why := a.place.doubt(a.identity.UID, a.name()); why != "" {
		return why
	}
	if a.place.Local == policy.No {
		return "not at this machine's own seat"
	}
	return "where the session is, is unknown"
}
