package policy

import (
	"net/netip"
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
	q := Request{Service: service, User: user, Caller: c}
	var groups []string
	seen := make(map[string]bool)
	for i := range rs {
		r := &rs[i]
		if r.byName(&q).match != Yes {
			continue
		}
		for _, g := range r.Groups {
			if !seen[g] {
				seen[g] = true
				groups = append(groups, g)
			}
		}
		if len(r.Groups) == 0 && len(r.Networks) == 0 {
			break // matches for certain: no rule below it is looked at
		}
	}
	return groups
}
