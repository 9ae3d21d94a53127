package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/policy"
	"github.com/factord/factord/daemon/store"
	"github.com/factord/factord/daemon/wire"
)

// Setting up the first factor in the middle of a login. What vouches for the person
// then is the first factor alone, so it is for those only who have never had a
// second one: whoever takes one away must not find the door open. Others, and
// everybody after the rule's date, type the code of an invitation too.

// askDone follows the last texts: where text is seen with a question only, they
// would else never be seen.
const askDone = "Write these down; each works once. Press Enter when done: "

// What people are told.
const (
	textNoFactor  = "you have no second factor yet: ask your administrator for an invitation, then run: factorctl enroll totp"
	textSetUp     = "your second factor is set up: from now on its codes are asked for"
	textOvertaken = "your second factors were changed meanwhile, perhaps by another login of yours: log in again"
	textPerhaps   = "this login is refused, though your second factor may be set up: log in again; if a code is asked for, it is, and factorctl enroll backup makes backup codes"
)

// starter returns the factor that the user would set up in this login, or why
// there is none: for the log, and what the person is to do. All is empty where the
// rule has nothing of it, and where the user needs none.
func (a *attempt) starter() (s factor.Starter, log, text string) {
	switch {
	case !a.known || a.standing.enrolled || len(a.standing.offers) > 0 || len(a.standing.outages) > 0: // an outage may hide an enrolment
		return nil, "", ""
	case a.plan.Rule == nil || !a.plan.Rule.EnrollLogin || a.plan.Mode == policy.Exempt:
		return nil, "", ""
	case a.caller != policy.CallerRoot:
		return nil, "clients that are not root can't enrol", textNoFactor
	case !a.auth.First:
		return nil, "no first factor was proven", "" // who learns nothing of what there is
	case a.standing.buried && !a.invited():
		return nil, "has had a factor before", "you have had a second factor before, so setting one up needs an invitation: ask your administrator (factorctl invite " + a.name() + "), then log in again"
	case !a.plan.EnrollLogin && !a.invited():
		return nil, "enroll_until has passed", "the time to set up a second factor is over: ask your administrator for an invitation (factorctl invite " + a.name() + "), then log in again"
	case a.plan.SubjectCaller:
		return nil, "the first factor was that of whom they become", textNoFactor
	case a.auth.Phase != wire.PhaseAuth || !a.auth.Conv.CanAsk():
		return nil, "conv=" + a.auth.Conv.String() + " can't ask", "you have no second factor yet, and can't set one up here: log in once where you can be asked, as with ssh or on the console"
	}
	if s = permittedAs[factor.Starter](a); s == nil {
		return nil, "none of the rule's factors can be set up in a login", textNoFactor
	}
	return s, "", ""
}

// optional reports whether the rule lets in who sets up nothing.
func (a *attempt) optional() bool { return a.plan.Mode != policy.Require }

// start has the person set up a factor, and rules.
func (a *attempt) start(f factor.Starter) wire.Verdict {
	a.setDeadline(a.LoginEnrolTime - time.Since(a.begun))
	ctx, cancel := context.WithDeadlineCause(a.ctx, a.deadline, context.DeadlineExceeded)
	defer cancel()
	a.lines.Put(wire.StatusEnrolling)
	if a.needsInvitation() {
		v, ok := a.askInvitation(ctx)
		defer a.invite.Wipe()
		if !ok {
			return v
		}
	}
	s, err := outside(a, ctx, f, func(ctx context.Context) (factor.Start, error) { return f.Start(ctx, a.facts(f.Name())) })
	if err != nil {
		return a.notBegun(f, "beginning an enrolment", err)
	}
	ask := s.Ask + ": "
	if a.optional() {
		ask = s.Ask + ", or " + skipHint(s) + ": "
	}
	if !a.needsInvitation() { // else the question for it has said so
		a.info(a.whyStart())
	}
	for _, line := range s.Show {
		a.info(line)
	}
	for left := maxAnswers - 1; ; left-- {
		answer, err := a.inquire(wire.Prompt, ask, wire.MaxAnswer)
		if err != nil {
			return a.notStarted(ctx, err)
		}
		v, more := a.confirm(ctx, f, s, answer, left)
		answer.Wipe()
		if !more {
			return v
		}
		a.info(v.Text)
	}
}

// notBegun rules where the factor can't be set up: what a server's outage is, the
// person is told, since they have shown a first factor.
func (a *attempt) notBegun(f factor.Factor, doing string, err error) wire.Verdict {
	r := refusal(reasonOf(err), textUnavailable, f.Name()+": "+doing+": "+err.Error())
	var o *factor.Outage
	if errors.As(err, &o) {
		r.text = o.Text + ": nothing was set up; " + cmp.Or(o.Advice, "log in again to begin anew")
	}
	r.gone = r.reason == wire.ReasonCancelled
	return a.refuse(r)
}

// skipWord is what to type where Enter is an answer.
const skipWord = "skip"

func skipHint(s factor.Start) string {
	if s.Enter {
		return skipWord
	}
	return "Enter to skip"
}

func skips(s factor.Start, typed factor.Secret) bool {
	if s.Enter {
		return string(typed) == skipWord
	}
	return len(typed) == 0
}

// notStarted rules when no answer came.
func (a *attempt) notStarted(ctx context.Context, err error) wire.Verdict {
	if errors.Is(err, wire.ErrCancelled) {
		return a.putOff(ctx)
	}
	return a.unanswered(ctx, err, ruling{unasked: true})
}

// putOff rules for somebody who would rather not. To be let in for having no factor,
// they must have none yet.
func (a *attempt) putOff(ctx context.Context) wire.Verdict {
	if a.plan.Mode != policy.Enrolled {
		return a.refuse(refusal(wire.ReasonNotEnrolled, "nothing was set up: log in again to set up your second factor", "set up no factor"))
	}
	v, _ := a.decide(ctx, func(tx *store.Tx) (ruling, error) {
		if same, err := a.unchanged(tx); err != nil || !same {
			return overtaken(), err
		}
		return ruling{basis: wire.BasisNotEnrolled, log: "put off setting up a factor"}, nil
	})
	return v
}

// unchanged reports whether the user's factors are as they were when the attempt
// began. Another login of theirs may have been quicker, or root.
func (a *attempt) unchanged(tx *store.Tx) (bool, error) {
	user, _, err := tx.User(a.identity.Name)
	return user.Revision == a.standing.user.Revision, err
}

func overtaken() ruling {
	return ruling{reason: wire.ReasonDenied, text: textOvertaken, log: "the user's factors were changed meanwhile", unasked: true}
}

// confirm takes the answer that shows that the factor works. Wrong ones are no
// guesses, since nothing is kept yet that could be guessed: no budget counts them.
func (a *attempt) confirm(ctx context.Context, f factor.Starter, s factor.Start, answer factor.Secret, left int) (v wire.Verdict, more bool) {
	typed := trim(answer)
	if a.optional() && skips(s, typed) {
		return a.putOff(ctx), false
	}
	if len(typed) == 0 && !s.Enter {
		r := a.unconfirmed(textNoCode, "", left)
		if r.more {
			return a.verdict(r), true
		}
		return a.refuse(r), false
	}
	claim, err := outside(a, ctx, f, func(ctx context.Context) (factor.Claim, error) { return s.Confirm(ctx, a.facts(f.Name()), typed) })
	if err == nil && claim.Settle == nil {
		err = errors.New("nothing to settle")
	}
	if err != nil {
		return a.notBegun(f, "confirming an enrolment", err), false
	}
	return a.settleStart(ctx, f, claim, left)
}

// unconfirmed is an answer that did not do: nothing of it is kept.
func (a *attempt) unconfirmed(text, log string, left int) ruling {
	if left > 0 {
		return ruling{reason: wire.ReasonDenied, text: text, unasked: true, more: true}
	}
	return ruling{reason: wire.ReasonAttempts, unasked: true, log: joined("no factor was set up", log),
		text: "too many wrong answers: nothing was set up; log in again to begin anew"}
}

// settleStart keeps the factor, what is in reserve, the user's entry and the
// records of it all in the transaction that lets the user in.
func (a *attempt) settleStart(ctx context.Context, f factor.Starter, claim factor.Claim, left int) (wire.Verdict, bool) {
	reserve := a.reserve()
	var spare factor.Spare
	if reserve != nil {
		var err error
		if spare, err = reserve.Reserve(a.facts(reserve.Name())); err != nil {
			return a.refuse(refusal(reasonOf(err), textUnavailable, reserve.Name()+": "+err.Error())), false
		}
	}
	var finding factor.Finding
	v, more := a.decide(ctx, func(tx *store.Tx) (ruling, error) {
		if err := ctx.Err(); err != nil {
			return ruling{}, context.Cause(ctx)
		}
		if r, err := a.firstFactor(tx); r.unasked || err != nil {
			return r, err
		}
		var err error
		if finding, err = claim.Settle(tx.Scope(a.identity.Name, f.Name())); err != nil {
			return ruling{}, fmt.Errorf("%s: %w", f.Name(), err)
		}
		switch finding.Outcome {
		case factor.Proven:
		case factor.Refused:
			return ruling{reason: wire.ReasonDenied, text: finding.Note, log: finding.Log, factor: f.Name(), unasked: true}, nil
		default:
			return a.unconfirmed(finding.Note, finding.Log, left), nil
		}
		return a.keepStart(tx, f, finding, reserve, spare)
	})
	switch {
	case v.Allow && v.Basis == wire.BasisFactor && reserve != nil:
		a.handOut(spare)
		v.Text = "" // said there
	case !v.Allow && finding.Outcome == factor.Proven: // what could not be recorded may have been kept
		v.Text = textPerhaps
	}
	return v, more
}

// firstFactor makes the entry of a user who still has no factor.
func (a *attempt) firstFactor(tx *store.Tx) (ruling, error) {
	if same, err := a.unchanged(tx); err != nil || !same {
		return overtaken(), err
	}
	if buried, err := tx.Tombstone(a.identity.UID); err != nil || buried != a.standing.buried {
		return overtaken(), err
	}
	if a.needsInvitation() {
		outcome, err := a.Invite.Redeem(tx.Scope(a.identity.Name, inviteScope), a.invite, a.Clock(), tx.Highest())
		if err != nil || outcome != factor.Proven {
			return overtaken(), err
		}
	}
	var p *problem
	if err := a.admit(tx, a.identity, true); errors.As(err, &p) {
		return ruling{reason: p.reason, text: textDenied, log: p.text, unasked: true}, nil
	} else if err != nil {
		return ruling{}, err
	}
	return ruling{}, nil
}

// keepStart keeps what is in reserve, and leaves a record of each thing that the
// user has now beside the verdict's own.
func (a *attempt) keepStart(tx *store.Tx, f factor.Starter, finding factor.Finding, reserve factor.Reserve, spare factor.Spare) (ruling, error) {
	tx.Audit(a.enrolled(f.Name(), finding.ID))
	if reserve != nil {
		if err := spare.Commit(tx.Scope(a.identity.Name, reserve.Name())); err != nil {
			return ruling{}, fmt.Errorf("%s: %w", reserve.Name(), err)
		}
		tx.Audit(a.enrolled(reserve.Name(), spare.ID))
	}
	if _, err := tx.Forget(a.identity.Name); err != nil {
		return ruling{}, err
	}
	var b budget
	if _, err := tx.Budget(a.subject(), &b); err != nil {
		return ruling{}, err
	}
	finding.Note, finding.Log = textSetUp, a.logStarted()
	return a.prove(tx, &b, f.Name(), finding)
}

// logStarted marks the records of a factor that was set up in a login.
func (a *attempt) logStarted() string {
	if a.needsInvitation() {
		return "enrolled in this login, with an invitation"
	}
	return "enrolled in this login"
}

func (a *attempt) enrolled(factor, id string) store.Event {
	e := a.event(ruling{factor: factor, id: id, log: a.logStarted()})
	e.Kind, e.Verdict, e.Reason, e.Micros = lower[wire.VerbEnroll], "", "", 0
	return e
}

// reserve is the first factor of the rule's list that can be set up beside
// another, nil if there is none.
func (a *attempt) reserve() factor.Reserve {
	return permittedAs[factor.Reserve](a)
}

// permittedAs is the first factor that the rule takes and that is a T.
func permittedAs[T any](a *attempt) (first T) {
	for _, name := range a.plan.Factors {
		for _, f := range a.Factors {
			if t, ok := f.(T); ok && f.Name() == name {
				return t
			}
		}
	}
	return first
}

// handOut shows what is in reserve, with a question, so that it is seen. The
// verdict is made, and stays whatever comes of this.
func (a *attempt) handOut(spare factor.Spare) {
	a.info(textSetUp)
	for _, line := range spare.Show {
		a.info(line)
	}
	done, err := a.inquire(wire.Prompt, askDone, wire.MaxAnswer)
	if err != nil {
		a.Log.Info("backup codes were perhaps not seen", "user", a.name(), "why", reasonOf(err))
	}
	done.Wipe()
}
