package session

// What an attempt rests on: the facts that the rules are told, and the factors.

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/policy"
	"github.com/factord/factord/daemon/store"
	"github.com/factord/factord/daemon/wire"
)

// request states the facts that the rules may need.
func (a *attempt) request(ctx context.Context) policy.Request {
	q := policy.Request{User: a.name(), Service: a.auth.Service, Caller: a.caller, Now: a.now()}
	if a.caller == policy.CallerRoot && a.auth.RHost != "" || a.Rules.PlaceNeeded(a.auth.Service, a.name(), a.caller) {
		a.locate(ctx)
	}
	q.Addr, q.AddrKnown = a.client()
	q.Local = a.place.Local
	if a.known {
		q.Groups = a.Users.Groups(ctx, a.peer.UID, a.identity, a.Rules.GroupsNeeded(q.Service, q.User, q.Caller))
	} else {
		q.Groups = nobodysGroups(a.Rules.GroupsNeeded(q.Service, q.User, q.Caller))
	}
	return q
}

// locate asks where the client's process is. Root's word counts for a client
// address, and then the session is at no seat of this machine; an empty one proves
// nothing.
func (a *attempt) locate(ctx context.Context) {
	switch {
	case a.located:
		return
	case a.caller == policy.CallerRoot && a.auth.RHost != "":
		a.place = Place{Local: policy.No}
	default:
		if a.place, a.lost = a.process.Place(ctx); a.lost != nil {
			a.place = Place{}
		}
	}
	a.located = true
	if a.caller == policy.CallerUser && a.place.Addr.IsValid() {
		a.auth.RHost = a.place.Addr.String() // for the record
	}
}

// client is the address of whom it is about, as far as it is evidence.
func (a *attempt) client() (addr netip.Addr, known bool) {
	if a.caller == policy.CallerRoot {
		return policy.ParseAddr(a.auth.RHost)
	}
	return a.place.Addr, a.place.AddrKnown
}

// now is the clock, but never before the highest time seen: a date that has
// passed stays passed.
func (c *conn) now() time.Time {
	now := c.Clock()
	if high := c.Store.Highest(); high.After(now) {
		return high
	}
	return now
}

func (a *attempt) sourceNow() string {
	return sourceOf(a.caller, a.auth.RHost, a.place.Local, a.name(), a.auth.RUser)
}

// proven reports whether texts may tell what the user has: a first factor was
// shown in this login, or the caller is the user.
func (a *attempt) proven() bool { return a.auth.First || a.caller == policy.CallerUser }

// subject is whose budget the attempt spends. Names that are no user's share a
// fixed number of budgets, so that guessing at names fills no disk and waits
// for them look like anybody's.
func (a *attempt) subject() string {
	if a.known {
		return a.identity.Name
	}
	return fmt.Sprintf("?%d", a.Store.Pseudonym(a.auth.User)%strangers)
}

// facts is what a factor is told of the attempt.
func (a *attempt) facts(name string) factor.Login {
	addr, _ := a.client()
	l := factor.Login{
		User: a.identity.Name, UID: a.identity.UID, Service: a.auth.Service, Client: addr, Command: a.auth.Command,
		Now: a.Clock(), Highest: a.Store.Highest(), Records: a.standing.records[name],
		Wanted: a.wanted(name), Discreet: a.discreet(), Proven: a.proven(), Origin: a.origin(),
		ServiceTold: a.caller == policy.CallerUser, Mute: a.auth.Conv == wire.ConvNone, Proves: a.proves,
		Lenient: a.plan.UnavailableAllow && !a.standing.enrolled,
		Local:   a.local(), Presence: a.plan.Presence, CanAsk: a.auth.Conv.CanAsk(),
		RecordsOf: lending(&a.Settings, name, func(other string) []factor.Record { return a.standing.records[other] }),
	}
	for _, o := range a.standing.offers {
		if o.factor.Name() == name {
			l.State = o.State
		}
	}
	return l
}

// note is what a factor has noted about the user. It serves to say beforehand what
// settling will find, so that one which can't be read is none here.
func (a *attempt) note(name string) (value []byte) {
	err := a.Store.Look(func(tx *store.Tx) (err error) {
		value, err = a.scope(tx, a.identity.Name, name).Note()
		return err
	})
	if err != nil {
		return nil
	}
	return value
}

// wanted reports whether a factor may have to be asked outside: who is enrolled
// elsewhere is enrolled, though the rule does not take that factor.
func (a *attempt) wanted(name string) bool {
	return slices.Contains(a.plan.Factors, name) || a.plan.Mode == policy.Enrolled || a.plan.Rule != nil && a.plan.Rule.EnrollLogin
}

// discreet reports whether the question must look, and come as soon, as it would
// for anybody. Where the rule needs to know first whether the user is enrolled, it
// can't.
func (a *attempt) discreet() bool {
	return !a.proven() && a.auth.Conv.CanAsk() && a.plan.Mode != policy.Enrolled && !a.plan.UnavailableAllow
}

// origin stands for the circumstances in which a proof is remembered, empty where
// it would not be.
func (a *attempt) origin() string {
	if !a.known || a.plan.Remember == 0 {
		return ""
	}
	c, missing := a.circumstances()
	if missing != "" {
		return ""
	}
	hash := c.hash()
	return hex.EncodeToString(hash[:])
}

// nobodysGroups is the membership of a user who does not exist.
func nobodysGroups(names []string) map[string]policy.Membership {
	groups := make(map[string]policy.Membership, len(names))
	for _, name := range names {
		groups[name] = policy.NotMember
	}
	return groups
}

// strangers is how many budgets there are for names that are no user's: so many
// that a name seldom finds its budget spent by another's guesses, which would
// tell it from a user's.
const strangers = 1 << 16
