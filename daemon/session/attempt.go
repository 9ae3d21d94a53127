package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/policy"
	"github.com/factord/factord/daemon/store"
	"github.com/factord/factord/daemon/wire"
)

// attempt is one AUTH.
type attempt struct {
	*conn
	auth     wire.Auth
	caller   policy.Caller
	identity Identity // of the one who is challenged
	known    bool     // identity is a positive finding
	plan     policy.Plan
	place    Place // of the client's process, where it matters
	lost     error // why place is not known
	located  bool  // place was looked for
	source   string
	key      string // fingerprint of the first factor's key, "" if unknown
	begun    time.Time
	standing standing
	invite   factor.Secret // root's code, where one is needed to set up a factor
	doubt    string        // what the form of the last answer asks for, if it is wrong
	pending  *pending      // somebody outside is asked, and has not decided yet
	last     ruling        // what it comes to if no further answer is given
	counted  bool          // an answer was wrong since last was set
	proves   bool          // it serves to show a factor: that none is asked for does not do
	alone    bool          // nobody outside is asked
	paid     bool          // the quota has been taken for the next record
}

// Texts for people that more than one place says.
const (
	textDenied      = "access denied"
	textNoCode      = "no code was given"
	textTooMany     = "too many logins"
	adviceTooMany   = "wait a minute, then try again"
	textUnavailable = "the second factor can't be checked now: try again, or ask your administrator"
)

// login serves AUTH and says the verdict.
func (c *conn) login(rest string) {
	a := &attempt{conn: c, begun: time.Now()}
	c.setDeadline(c.AttemptTime)
	ctx, cancel := context.WithDeadlineCause(c.ctx, c.deadline, context.DeadlineExceeded)
	defer cancel()
	v := a.run(ctx, rest)
	// The verdict may come at the deadline; the client still has to hear it.
	c.net.SetWriteDeadline(time.Now().Add(settleTime))
	if v.Allow && v.Text != "" && a.auth.Conv != wire.ConvNone && !c.raced {
		c.info(v.Text)
	}
	status, final := v.Lines()
	c.lines.Put(status)
	c.lines.Put(final)
	if c.lines.Flush() != nil {
		c.over = true
	}
}

// info shows the person one line, together with whatever is sent next.
func (c *conn) info(text string) {
	const status = "S INFO "
	c.lines.Put(status, wire.FitText(wire.Printable(text), wire.MaxLine-len(status)))
}

// run takes the attempt through its steps; the first that rules, ends it.
func (a *attempt) run(ctx context.Context, rest string) (v wire.Verdict) {
	defer func() {
		if r := recover(); r != nil {
			a.over = true
			a.Log.Error("attempt panicked", "panic", fmt.Sprint(r), "user", a.name())
			v = wire.Verdict{Reason: wire.ReasonInternal}
		}
	}()
	if r := a.take(ctx, a.understand(rest), a.identify, a.askAuthInfo, a.match, a.enrolment); r != nil {
		return a.end(ctx, *r)
	}
	if a.remembered() {
		if v, known := a.recall(ctx); known {
			return v
		}
	}
	if f, _, _ := a.starter(); f != nil {
		return a.start(f)
	}
	if v, waived := a.waived(ctx); waived {
		return v
	}
	if r := a.askable(ctx); r != nil {
		return a.end(ctx, *r)
	}
	if !a.auth.Conv.CanAsk() {
		return a.askNobody(ctx)
	}
	return a.ask(ctx)
}

// understand is the step that reads what the client says. What it needs is not kept
// on the stack of everybody who waits for a push.
func (a *attempt) understand(rest string) func(context.Context) *ruling {
	return func(context.Context) *ruling {
		auth, err := wire.ParseAuth(rest)
		if err != nil {
			a.over = true
			r := refusal(wire.ReasonProtocol, "AUTH: "+err.Error(), err.Error())
			return &r
		}
		a.auth = auth
		return nil
	}
}

// take goes through steps up to the first that rules.
func (a *attempt) take(ctx context.Context, steps ...func(context.Context) *ruling) *ruling {
	for _, step := range steps {
		if r := step(ctx); r != nil {
			return r
		}
	}
	return nil
}

// end makes the verdict of a step that ruled before any factor was asked.
func (a *attempt) end(ctx context.Context, r ruling) wire.Verdict {
	if r.basis == wire.BasisNone {
		return a.refuse(r)
	}
	return a.rule(ctx, r)
}

// name is the canonical name if there is one, else what was asked for.
func (a *attempt) name() string {
	if a.known {
		return a.identity.Name
	}
	return a.auth.User
}

// identify finds out who asks and for whom. Uid 0 may name any user; every
// other uid asks for itself.
func (a *attempt) identify(ctx context.Context) *ruling {
	if a.peer.UID == 0 {
		a.caller = policy.CallerRoot
		if a.auth.User == "" {
			return &ruling{reason: wire.ReasonProtocol, text: "AUTH: user is missing", log: "uid 0 named no user"}
		}
	} else { // what a user says of these is no evidence, and not to be recorded as such
		a.auth.First, a.auth.RHost, a.auth.RUser = false, "", ""
	}
	id, err := a.find(ctx, a.auth.User)
	switch {
	case errors.Is(err, ErrNoUser) && a.caller == policy.CallerRoot:
		return nil // asked like everybody, so that nothing is learnt
	case errors.Is(err, ErrNoUser), err == nil && a.caller == policy.CallerUser && id.UID != a.peer.UID:
		return &ruling{reason: wire.ReasonNotPermitted, text: "you can ask for yourself only", log: fmt.Sprintf("uid %d asked for %q", a.peer.UID, a.auth.User)}
	case err != nil:
		return &ruling{reason: wire.ReasonUnavailable, text: textUnavailable, log: fmt.Sprintf("looking up %q: %v", a.auth.User, err)}
	}
	a.identity, a.known = id, true
	return nil
}

// find looks a user up; the empty name is the peer.
func (c *conn) find(ctx context.Context, name string) (Identity, error) {
	if name == "" {
		return c.Users.ByUID(ctx, c.peer.UID, c.peer.UID)
	}
	if !policy.ValidUser(name) {
		return Identity{}, ErrNoUser
	}
	return c.Users.ByName(ctx, c.peer.UID, name)
}

// match finds the rule for the attempt.
func (a *attempt) match(ctx context.Context) *ruling {
	a.plan = a.Rules.Plan(a.request(ctx))
	if a.plan.Refuse == policy.RefuseUnavailable {
		return &ruling{reason: wire.ReasonUnavailable, text: textUnavailable, log: a.unknown()}
	}
	if a.plan.Refuse != policy.NotRefused && a.caller == policy.CallerUser {
		return &ruling{reason: wire.ReasonNoRule, text: "no rule serves this when a user's own program asks: ask your administrator", log: a.plan.NoRule(a.caller)}
	}
	if a.plan.Refuse != policy.NotRefused {
		return &ruling{reason: wire.ReasonNoRule, text: "no rule lets this login in: ask your administrator", log: a.plan.NoRule(a.caller)}
	}
	if a.plan.SubjectCaller {
		return a.challengeCaller(ctx)
	}
	a.source = a.sourceNow()
	if !a.known && a.plan.Mode != policy.Require {
		return &ruling{reason: wire.ReasonDenied, text: textDenied, log: "no such user"}
	}
	if a.plan.Mode == policy.Exempt {
		return &ruling{basis: wire.BasisExempt}
	}
	return nil
}

// unknown says which input the rules lacked, and why it is not known.
func (a *attempt) unknown() string {
	text := "unknown: " + a.plan.Missing
	if a.lost != nil {
		text += ": " + a.lost.Error()
	}
	return text
}

// challengeCaller makes PAM_RUSER the one who is asked (su, sudo with rootpw).
// Only root's word counts for who that is.
func (a *attempt) challengeCaller(ctx context.Context) *ruling {
	a.source = a.sourceNow()
	if a.caller != policy.CallerRoot || a.auth.RUser == "" {
		return &ruling{reason: wire.ReasonUnavailable, text: textUnavailable, log: "rule asks the caller, and ruser is unknown"}
	}
	id, err := a.find(ctx, a.auth.RUser)
	if err != nil {
		return &ruling{reason: wire.ReasonUnavailable, text: textUnavailable, log: fmt.Sprintf("looking up ruser %q: %v", a.auth.RUser, err)}
	}
	a.identity, a.known = id, true
	a.source = a.sourceNow()
	if a.plan.Mode == policy.Exempt {
		return &ruling{basis: wire.BasisExempt}
	}
	return nil
}

// enrolment reads what the user has, and rules if that decides.
func (a *attempt) enrolment(ctx context.Context) *ruling {
	if err := a.readStanding(ctx); errors.Is(err, errGone) {
		return &ruling{reason: wire.ReasonCancelled, log: "the client is gone", unasked: true, gone: true}
	} else if errors.Is(err, wire.ErrGrammar) {
		return &ruling{reason: wire.ReasonProtocol, log: "the client spoke out of turn", unasked: true}
	} else if err != nil {
		return &ruling{reason: wire.ReasonUnavailable, text: textUnavailable, log: "reading enrolment: " + err.Error()}
	}
	s := &a.standing
	switch {
	case s.foreign:
		return &ruling{reason: wire.ReasonNotPermitted, text: textDenied,
			log: fmt.Sprintf("uid is %d, enrolled as %d; if that is the same person: factorctl unlock %s", a.identity.UID, s.user.UID, a.name())}
	case s.renamed != "":
		return &ruling{reason: wire.ReasonNotPermitted, text: textDenied,
			log: fmt.Sprintf("uid %d is enrolled as %q; if the account was renamed, remove that one's factors and enrol anew", a.identity.UID, s.renamed)}
	case a.known && !s.enrolled && a.plan.Mode == policy.Enrolled && len(s.outages) > 0:
		return a.outage()
	case a.known && !s.enrolled && a.plan.Mode == policy.Enrolled:
		f, log, _ := a.starter()
		if f != nil {
			return nil
		}
		return &ruling{basis: wire.BasisNotEnrolled, log: log}
	}
	return nil
}

// askable rules if there is nobody or nothing to ask.
func (a *attempt) askable(context.Context) *ruling {
	s := &a.standing
	_, log, text := a.starter()
	switch {
	case text != "" && (text != textNoFactor || len(s.useless) == 0):
		return &ruling{reason: wire.ReasonNotEnrolled, text: text, log: "not enrolled, and not in this login: " + log}
	case len(s.offers) == 0 && len(s.outages) > 0:
		return a.outage()
	case !a.auth.Conv.CanAsk() && a.enterOffer() == nil && !(a.proven() && len(s.offers) == 0):
		why := s.why()
		r := &ruling{reason: wire.ReasonDenied, text: "this login can't ask for a code",
			log: joined("conv="+a.auth.Conv.String()+" can't ask, and no factor does without", why)}
		if why != "" && a.proven() {
			r.text = why
		}
		return r
	case !a.proven():
		return nil
	case len(s.offers) == 0 && len(s.useless) > 0:
		return s.refusal()
	case len(s.offers) == 0 && !s.enrolled:
		return &ruling{reason: wire.ReasonNotEnrolled, log: "not enrolled", text: textNoFactor}
	case len(s.offers) == 0:
		return &ruling{reason: wire.ReasonDenied, text: "none of your second factors can be used here: ask your administrator", log: "enrolled, but with nothing this rule takes"}
	}
	if d, reason := a.mustWait(); d > 0 && !s.unguessable() {
		return &ruling{reason: reason, text: a.waitText(d), log: "waits " + d.Round(time.Second).String()}
	}
	return nil
}

// mustWait returns how long the source has to wait at the moment.
func (a *attempt) mustWait() (d time.Duration, reason wire.Reason) {
	err := a.Store.Look(func(tx *store.Tx) error {
		var b budget
		_, err := tx.Budget(a.subject(), &b)
		d, reason = b.wait(a.source, a.Clock())
		return err
	})
	if err != nil {
		return lockTime, wire.ReasonUnavailable
	}
	return d, reason
}
