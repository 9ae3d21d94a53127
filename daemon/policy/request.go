package policy

import (
	"iter"
	"net/netip"
	"slices"
	"time"
)

// Request is one login, as far as rules may look at it.
type Request struct {
	User      string                // the canonical name, as NSS returned it
	Service   string                // the PAM service, or what a non-root caller says it is
	Caller    Caller                // from the socket's peer credentials
	Addr      netip.Addr            // of the client; invalid while AddrKnown: there is none
	AddrKnown bool                  // false: Addr says nothing
	Local     Known                 // the session sits at this machine's own seat
	Groups    map[string]Membership // of User; a group that is not in it is unknown
	Now       time.Time             // the store's time, which never goes back
}

// GroupsNeeded returns the groups that Plan may ask about for such a login, each once: a lookup may be slow and one that
// fails refuses the login, so no group of another service's rules is to be looked up.
func (rs Rules) GroupsNeeded(service, user string, c Caller) []string {
	var groups []string
	seen := make(map[string]bool)
	for r := range rs.candidates(service, user, c) {
		for _, g := range r.Groups {
			if !seen[g] {
				seen[g] = true
				groups = append(groups, g)
			}
		}
	}
	return groups
}

// PlaceNeeded reports whether it matters for such a login which session it comes from: to root's, for the machine's own
// seat and for what is remembered; to a user's own, for everything.
func (rs Rules) PlaceNeeded(service, user string, c Caller) bool {
	for r := range rs.candidates(service, user, c) {
		if c != CallerRoot || r.Remember > 0 || slices.ContainsFunc(r.Networks, func(n Network) bool { return n.Local }) {
			return true
		}
	}
	return false
}

// candidates are the rules that may match such a login, whatever else is known of it.
func (rs Rules) candidates(service, user string, c Caller) iter.Seq[*Rule] {
	q := Request{Service: service, User: user, Caller: c}
	return func(yield func(*Rule) bool) {
		for i := range rs {
			r := &rs[i]
			if r.byName(&q).match != Yes {
				continue
			}
			certain := len(r.Groups) == 0 && len(r.Networks) == 0 // no rule below it is looked at
			if !yield(r) || certain {
				return
			}
		}
	}
}
