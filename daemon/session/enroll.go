package session

import (
	"cmp"
	"context"
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/policy"
	"github.com/factord/factord/daemon/store"
	"github.com/factord/factord/daemon/wire"
)

// maxSeed is the longest seed text: an otpauth URI with a long label.
const maxSeed = 2048

// keeper returns the factor that keeps records of kind.
func (s *Settings) keeper(kind string) (factor.Keeper, []string) {
	var kinds []string
	for _, f := range s.Factors {
		k, ok := f.(factor.Keeper)
		if !ok {
			continue
		}
		if slices.Contains(k.Kinds(), kind) {
			return k, nil
		}
		kinds = append(kinds, k.Kinds()...)
	}
	return nil, kinds
}

// enroll makes a new record: proof of who asks, the draft, a first code, and
// then all of it in one transaction.
func (r *request) enroll() (any, error) {
	kind := r.args.Take("factor")
	keeper, kinds := r.keeper(kind)
	if keeper == nil {
		if kind == "duo" {
			return nil, problemf(wire.ReasonProtocol, "Duo is not set up here\nhint: [duo] in /etc/factord/factord.toml")
		}
		hint := ""
		if kind == "u2f" && slices.Contains(kinds, "fido2") {
			hint = "\nhint: a security key of U2F is a fido2"
		}
		return nil, problemf(wire.ReasonProtocol, "can't enroll %q: it is one of %s%s", kind, strings.Join(kinds, ", "), hint)
	}
	unconfirmed, err := r.args.TakeFlag("no-confirm")
	if err != nil {
		return nil, err
	}
	if unconfirmed && !r.trusted() {
		return nil, problemf(wire.ReasonNotPermitted, "only root may enroll without a first code")
	}
	hasSeed, err := r.args.TakeFlag("seed")
	if err != nil {
		return nil, err
	}
	if k, ok := keeper.(factor.SeedKeeper); ok && hasSeed && !r.trusted() {
		return nil, problemf(wire.ReasonNotPermitted, "%s", k.NotYourSeed())
	}
	e := factor.Enrolment{Kind: kind, Name: r.args.Take("name")}
	if e.NoPresence, err = r.noPresence(keeper); err != nil {
		return nil, err
	}
	id, err := r.subject()
	if err == nil {
		err = r.here(keeper)
	}
	if err != nil {
		return nil, err
	}
	e.User, e.Options, e.Now = id.Name, r.args, r.Clock()
	l, err := r.authorise(id)
	if err != nil {
		return nil, err
	}
	defer l.invite.Wipe()
	if hasSeed {
		if e.Seed, err = r.inquire(wire.Seed, "Seed: ", maxSeed); err != nil {
			return nil, err
		}
		defer e.Seed.Wipe()
	}
	return r.keep(id, keeper, e, l, unconfirmed)
}

// keep drafts the record, shows it, asks for its first code and commits it.
func (r *request) keep(id Identity, keeper factor.Keeper, e factor.Enrolment, l leave, unconfirmed bool) (any, error) {
	records, err := r.records(id.Name, keeper)
	if err != nil {
		return nil, err
	}
	e.Existing = records[keeper.Name()]
	e.RecordsOf = func(other string) []factor.Record { return records[other] }
	draft, err := keeper.Enroll(e)
	if err != nil {
		return nil, problemf(wire.ReasonDenied, "%s", err)
	}
	if draft.Begin != nil {
		if draft.Show, err = r.begin(id, keeper, draft); err != nil {
			return nil, err
		}
	}
	if unconfirmed || draft.Ask == "" {
		if err := r.commit(id, keeper, draft, l, nil); err != nil {
			return nil, err
		}
		return draft.Show, nil
	}
	r.data(draft.Show)
	for tries := maxAnswers; ; tries-- {
		first, err := r.inquire(wire.Prompt, draft.Ask, wire.MaxAnswer)
		if err != nil {
			return nil, err
		}
		if err = nil; draft.Check != nil {
			_, err = r.outside(func(ctx context.Context) (any, error) { return nil, draft.Check(ctx, r.say, first) })
		}
		if err == nil {
			err = r.commit(id, keeper, draft, l, first)
		}
		first.Wipe()
		if !errors.Is(err, factor.ErrFirstCode) {
			return nil, err
		}
		text, hint, _ := strings.Cut(err.Error(), "\nhint: ")
		switch {
		case tries == 1 && draft.Begun != nil: // what it has made at a server is there
			return nil, problemf(wire.ReasonDenied, "%s: this is not finished\nhint: factorctl enroll %s again goes on with it", text, e.Kind)
		case tries == 1:
			return nil, problemf(wire.ReasonDenied, "%s: nothing was enrolled\nhint: %s", text, cmp.Or(hint, "check the clocks of this machine and of the phone"))
		case hint != "":
			r.info(text + ": " + hint) // an info is one line
		default:
			r.info(text + ", try the one shown now")
		}
	}
}

// begin has a server prepare a draft, and records what that has changed there.
func (r *request) begin(id Identity, keeper factor.Keeper, draft factor.Draft) (show any, err error) {
	begin := func(ctx context.Context) (any, error) { return draft.Begin(ctx, r.say) }
	if show, err = r.outside(begin); err != nil || draft.Begun == nil {
		return show, err
	}
	if log := draft.Begun(); log != "" {
		err = r.update(id.Name, store.Event{Factor: keeper.Name(), Log: log}, func(*store.Tx) error { return nil })
	}
	return show, err
}

// outside asks somebody outside, until the client hangs up, and puts to the person what
// has to be answered before. Its errors are for the person.
func (r *request) outside(do func(context.Context) (any, error)) (any, error) {
	for asked := 0; ; asked++ {
		done, err := r.outsideOnce(do)
		var q *factor.Question
		switch {
		case !errors.As(err, &q):
			return done, err
		case asked == maxQuestions:
			return nil, problemf(wire.ReasonDenied, "too many wrong answers: begin again")
		}
		if err := r.put(q); err != nil {
			return nil, err
		}
	}
}

func (r *request) outsideOnce(do func(context.Context) (any, error)) (any, error) {
	ctx, stop := r.watch(r.ctx)
	done, err := do(ctx)
	if gone := stop(); gone != nil {
		return nil, gone
	}
	var q *factor.Question
	if errors.As(err, &q) {
		return nil, q
	}
	var no factor.Refusal
	var lapse *factor.Lapse
	var o *factor.Outage
	switch {
	case errors.As(err, &no):
		return nil, problemf(wire.ReasonDenied, "%s", no)
	case errors.As(err, &lapse):
		return nil, problemf(wire.ReasonDenied, "%s", lapse.Text)
	case errors.As(err, &o):
		r.Log.Error("command failed", "verb", r.verb, "error", o.Err)
		if why := o.Err.Error(); r.trusted() && strings.Contains(why, "\nhint: ") {
			return nil, problemf(wire.ReasonUnavailable, "%s: %s", o.Text, why)
		}
		if r.trusted() {
			return nil, problemf(wire.ReasonUnavailable, "%s\nhint: the log and factorctl status say why", o.Text)
		}
		return nil, problemf(wire.ReasonUnavailable, "%s: %s", o.Text, outageAdvice(err))
	}
	return done, err
}

// commit keeps a draft together with the user's entry and the audit record.
func (r *request) commit(id Identity, keeper factor.Keeper, draft factor.Draft, l leave, first factor.Secret) error {
	event := store.Event{Factor: keeper.Name(), ID: draft.ID}
	err := r.updateSaying(id.Name, event, func(tx *store.Tx) (log string, err error) {
		now := r.Clock()
		if err := r.use(tx, id, l); err != nil {
			return "", err
		}
		if err := r.admit(tx, id, true); err != nil {
			return "", err
		}
		if _, err := tx.Forget(id.Name); err != nil {
			return "", err
		}
		err = draft.Commit(r.scope(tx, id.Name, keeper.Name()), first, now)
		return r.called(tx, id.Name, keeper.Name(), draft.ID), err
	})
	var no factor.Refusal
	if errors.Is(err, factor.ErrFull) || errors.As(err, &no) {
		return problemf(wire.ReasonDenied, "%s", err)
	}
	return err
}

// admit makes the user's entry, or checks that it is still the same account.
// tombstone notes that the user has had a factor.
func (c *conn) admit(tx *store.Tx, id Identity, tombstone bool) error {
	if err := c.sameAccount(tx, id); err != nil {
		return err
	}
	if other, err := tx.NameOf(id.UID); err != nil {
		return err
	} else if other != "" && other != id.Name {
		return problemf(wire.ReasonDenied, "uid %d is enrolled as %q\nhint: name that one; if the account was renamed, remove its factors first", id.UID, other)
	}
	user, found, err := tx.User(id.Name)
	if err != nil || found && (user.Tombstone || !tombstone) {
		return err
	}
	if !found {
		user = store.User{UID: id.UID, Created: c.Clock().UTC()}
	}
	user.Tombstone = tombstone
	return tx.PutUser(id.Name, user)
}

// trusted reports whether the caller needs no proof: root, or the user whom
// factord runs as, for themself, who has the database and its key anyhow.
func (r *request) trusted() bool {
	return r.peer.UID == 0 || r.peer.UID == uint32(os.Geteuid())
}

// leave is on what ground the caller may change a user's factors.
type leave struct {
	granted  bool          // needs nothing more: root, or the owner of the state
	invite   factor.Secret // to be spent with the change
	revision uint64        // of the user's factors, when they were looked at
}

// use holds, in the transaction that changes the factors, what authorise found
// before it: somebody may have taken a factor away meanwhile, and with it the
// ground for the change.
func (r *request) use(tx *store.Tx, id Identity, l leave) error {
	user, _, err := tx.User(id.Name)
	switch {
	case err != nil || l.granted:
		return err
	case user.Revision != l.revision:
		return problemf(wire.ReasonDenied, "your factors were changed meanwhile: begin again")
	case l.invite != nil:
		outcome, err := r.Invite.Redeem(tx.Scope(id.Name, inviteScope), l.invite, r.Clock(), tx.Highest())
		if err != nil {
			return err
		}
		if outcome != factor.Proven {
			return problemf(wire.ReasonDenied, "the invitation is not valid any more")
		}
	}
	return nil
}

// authorise decides whether the caller may change id's factors: root may, the
// user after a fresh proof of a factor, and one who has none with an
// invitation.
func (r *request) authorise(id Identity) (leave, error) {
	if r.trusted() {
		return leave{granted: true}, nil
	}
	a, err := r.proof(id)
	switch {
	case err != nil:
		return leave{}, err
	case !a.standing.enrolled:
		for _, o := range a.standing.outages { // what they have there would do as well
			r.info(outageText(o.err) + ", so a factor that you may have there can't be proven now")
		}
		invite, err := r.invitation(id)
		return leave{invite: invite, revision: a.standing.user.Revision}, err
	case len(a.standing.offers) == 0 && len(a.standing.outages) > 0:
		return leave{}, a.standing.outages[0].problem()
	case len(a.standing.offers) == 0:
		return leave{}, problemf(wire.ReasonDenied, "none of your factors can be used now: ask your administrator")
	}
	return a.demand(r.ctx, "Prove one of the factors you have first.")
}

// problem tells a user that what they have there can't be proven now.
func (o outage) problem() error {
	return problemf(wire.ReasonUnavailable, "%s: %s", outageText(o.err), outageAdvice(o.err))
}

// demand has the user show a factor.
func (a *attempt) demand(ctx context.Context, why string) (leave, error) {
	a.info(why)
	v := a.ask(ctx)
	if !v.Allow || v.Basis != wire.BasisFactor {
		return leave{}, problemf(v.Reason, "%s", v.Text)
	}
	return leave{revision: a.standing.user.Revision}, nil
}

// proof is an attempt in which the user shows any factor of their own, as far as
// their standing.
func (r *request) proof(id Identity) (*attempt, error) {
	a := &attempt{conn: r.conn, caller: policy.CallerUser, identity: id, known: true, source: selfSource, begun: r.Clock(), proves: true}
	a.auth = wire.Auth{User: id.Name, Service: "factorctl", Command: lower[r.verb], Conv: wire.ConvPrompt}
	a.plan = policy.Plan{Refuse: policy.NotRefused, Presence: true}
	for _, f := range r.Factors {
		if f.Name() != bypassName {
			a.plan.Factors = append(a.plan.Factors, f.Name())
		}
	}
	if err := a.readStanding(r.ctx); err != nil {
		r.Log.Error("reading enrolment", "user", id.Name, "error", err)
		return nil, problemf(wire.ReasonUnavailable, "your enrolment can't be read: ask your administrator")
	}
	if a.standing.foreign {
		return nil, problemf(wire.ReasonNotPermitted, "your account has changed: ask your administrator")
	}
	return a, nil
}

// invitation asks for root's code and checks it without spending it.
func (r *request) invitation(id Identity) (factor.Secret, error) {
	answer, err := r.inquire(wire.Secret, "Invitation code: ", wire.MaxAnswer)
	if err != nil {
		return nil, err
	}
	holds, err := r.invites(r.ctx, id, answer)
	if holds {
		return answer, nil
	}
	answer.Wipe()
	if err != nil {
		return nil, err
	}
	r.refused(store.Event{Kind: lower[r.verb], User: id.Name, PeerUID: r.peer.UID, PeerPID: r.peer.PID, Reason: wire.ReasonDenied.String(), Log: "wrong invitation"})
	return nil, problemf(wire.ReasonDenied, "this is no valid invitation\nhint: ask root for one: factorctl invite %s", id.Name)
}

// invites reports whether an answer is root's code for a user, without spending it.
func (c *conn) invites(ctx context.Context, id Identity, answer factor.Secret) (bool, error) {
	outcome := factor.Wrong
	errKeep := errors.New("not spent yet")
	err := c.Store.Update(ctx, func(tx *store.Tx) (err error) {
		outcome, err = c.Invite.Redeem(tx.Scope(id.Name, inviteScope), answer, c.Clock(), tx.Highest())
		return errors.Join(err, errKeep)
	})
	if outcome == factor.Proven || errors.Is(err, errKeep) {
		err = nil
	}
	return outcome == factor.Proven, err
}
