package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/store"
	"github.com/factord/factord/daemon/wire"
)

// standing is what a user has, as read when the attempt began.
type standing struct {
	user     store.User
	foreign  bool   // the account's uid is not the enrolled one
	renamed  string // another name under which the uid is enrolled
	buried   bool   // the account has had a factor, under whatever name
	clean    bool   // no failure has been counted
	enrolled bool   // has any factor, usable here or not
	asked    bool   // so that who is not enrolled has none: all that keep something were asked
	records  map[string][]factor.Record
	offers   []offer   // usable in this attempt, in the rule's order
	outages  []outage  // of factors that could not be asked what they offer
	useless  []useless // factors that are of no use in this attempt
}

// useless is a factor that is of no use, and why, for the person.
type useless struct {
	factor string
	why    string
	quiet  bool // said only where nothing else is left
	log    string
}

// why says why nothing can be used.
func (s *standing) why() string {
	var all []string
	for _, u := range s.useless {
		if !slices.Contains(all, u.why) {
			all = append(all, u.why)
		}
	}
	return strings.Join(all, "; ")
}

type offer struct {
	factor.Offer
	factor factor.Factor
}

type outage struct {
	factor string
	err    error
}

// unguessable reports whether there is a factor that needs no waiting.
func (s *standing) unguessable() bool {
	return slices.ContainsFunc(s.offers, func(o offer) bool { return !o.Guessable })
}

// readStanding reads the user's records and asks each factor what it offers.
func (a *attempt) readStanding(ctx context.Context) error {
	a.seat(ctx) // also of nobody's name, which takes as long
	if !a.known {
		return nil
	}
	s := &a.standing
	err := a.load()
	if err == nil && s.renamed != "" {
		err = a.resolveAlias(ctx)
	}
	if err == nil {
		err = a.weigh(ctx)
	}
	if err != nil && reasonOf(err) == wire.ReasonInternal && s.onlyBypass(ctx, a) {
		a.Log.Error("a record can't be read, and only a bypass code is taken", "user", a.identity.Name, "error", err)
		return nil
	}
	return err
}

// load reads the entry and the records under the user's name, and, if there are
// none, under which other name the uid has some.
func (a *attempt) load() error {
	s := &a.standing
	return a.Store.Look(func(tx *store.Tx) error {
		user, found, records, err := tx.Load(a.identity.Name)
		s.user, s.records, s.foreign = user, records, found && user.UID != a.identity.UID
		if err == nil && user.Records == 0 {
			s.renamed, err = tx.NameOf(a.identity.UID)
		}
		if err == nil && user.Records == len(records[inviteScope]) {
			s.buried, err = tx.Tombstone(a.identity.UID)
		}
		s.clean = !tx.HasBudget(a.subject())
		return err
	})
}

// resolveAlias takes an account that is enrolled under another of its names for
// that one: two names of a uid are one account. If the other name is not the
// uid's any more, the account was renamed, which is root's to judge.
func (a *attempt) resolveAlias(ctx context.Context) error {
	id, err := a.Users.ByName(ctx, a.peer.UID, a.standing.renamed)
	if errors.Is(err, ErrNoUser) || err == nil && id.UID != a.identity.UID {
		return nil
	}
	if err != nil {
		return err
	}
	a.standing = standing{}
	a.identity = id
	return a.load()
}

// onlyBypass leaves what is for people whose records are damaged: a code that
// root has just made for them.
func (s *standing) onlyBypass(ctx context.Context, a *attempt) bool {
	s.enrolled, s.offers = true, nil
	for _, f := range a.Factors {
		if f.Name() != bypassName || !a.plan.Bypass {
			continue
		}
		o, err := f.Offer(ctx, a.facts(bypassName))
		if err == nil && o.Usable {
			s.offers = []offer{{Offer: o, factor: f}}
		}
	}
	return len(s.offers) > 0
}

// weigh sorts what the factors offer. Records of a factor that is not built in
// are a positive finding all the same. Of a factor that can't be asked it is not
// known whether the user has it, which the others need not mind.
func (a *attempt) weigh(ctx context.Context) error {
	s := &a.standing
	offers, asked := map[string]offer{}, true
	for name := range s.records {
		if name != inviteScope && !slices.ContainsFunc(a.Factors, func(f factor.Factor) bool { return f.Name() == name }) {
			s.enrolled = true
		}
	}
	for _, f := range a.Factors {
		o, err := a.offerOf(ctx, f)
		if errors.Is(err, factor.ErrUnavailable) && ctx.Err() == nil {
			s.outages, asked = append(s.outages, outage{f.Name(), err}), asked && isLocal(f)
			s.enrolled = s.enrolled || isLocal(f) && len(s.records[f.Name()]) > 0 // which is no question for a key
			if !a.alone && !errors.Is(err, errQuota) {
				a.Log.Warn("a factor can't be asked", "factor", f.Name(), "user", a.name(), "error", err)
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name(), err)
		}
		s.enrolled = s.enrolled || o.Enrolled
		asked = asked && (!keptElsewhere(f) || a.wanted(f.Name()))
		if o.Usable && !(a.proves && o.Waived != "") {
			offers[f.Name()] = offer{Offer: o, factor: f}
		} else if o.Refused != "" {
			u := useless{factor: f.Name(), why: o.Refused, quiet: isLocal(f)}
			if u.quiet && !a.local() {
				u.log = a.whyNotLocal()
				u.why = cmp.Or(a.place.instead(a.identity.UID), u.why)
			}
			s.useless = append(s.useless, u)
		}
	}
	s.asked = asked
	permitted := a.plan.Factors
	if a.plan.Bypass {
		permitted = append(slices.Clone(permitted), bypassName)
	}
	for _, name := range permitted {
		if o, ok := offers[name]; ok {
			s.offers = append(s.offers, o)
		}
	}
	return nil
}

// errAlone stands for what somebody outside would have said.
var errAlone = fmt.Errorf("%w: not asked", factor.ErrUnavailable)

// offerOf asks a factor what it offers. One that asks somebody outside for that
// stops when the client goes away.
func (a *attempt) offerOf(ctx context.Context, f factor.Factor) (factor.Offer, error) {
	l := a.facts(f.Name())
	if !keptElsewhere(f) || !l.Wanted {
		return f.Offer(ctx, l)
	}
	if a.alone {
		return factor.Offer{}, errAlone
	}
	if !a.asks.take(a.peer.UID, a.Clock()) { // or everybody would hear of too many requests
		return factor.Offer{}, &factor.Outage{Text: textTooMany, Advice: adviceTooMany, Err: errQuota}
	}
	l.Trust, l.Note = a.trust(f.Name()), a.note(f.Name())
	return outside(a, ctx, f, func(ctx context.Context) (factor.Offer, error) { return f.Offer(ctx, l) })
}
