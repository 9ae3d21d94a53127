package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/store"
	"github.com/factord/factord/daemon/wire"
)

// Claims that somebody outside decides: a server, a phone, a key. That takes time
// and can fail in the middle, so it is done between two transactions. The first
// books what asking costs, as if the answer were wrong; the second, which is the
// gate's, settles what came of it. Whatever happens between them, even to factord
// itself, nothing was asked for free.

// pending is such a claim.
type pending struct {
	name   string
	claim  factor.Claim
	guess  bool
	chosen bool    // and not typed
	auto   bool    // and begun with the question
	before *budget // as it was before the guess was booked; nil if none was
	after  budget

	ctx context.Context // from asking until nobody waits for the decision any more
	end context.CancelFunc

	// While a person is waited for:
	cue     string
	says    chan string   // how things stand
	ready   chan struct{} // closed when err is set
	done    chan struct{} // closed when nobody waits any more
	awaited atomic.Bool   // by somebody who reads from the client meanwhile
	err     error
}

// decided reports whether the decision is there.
func (p *pending) decided() bool {
	select {
	case <-p.done:
		return p.err == nil
	default:
		return false
	}
}

// consult puts a claim to whoever decides it. more says that there is no verdict
// yet: what to do next, if anything, is in the text. Where somebody has to decide
// first, a.pending is who; they are waited for by the callers, since of thousands
// of people who look at their phones all that lies below here would cost memory.
func (a *attempt) consult(ctx context.Context, p *pending, left int) (v wire.Verdict, more bool) {
	if p.chosen {
		a.abandon() // a call instead of the push, say
	}
	if !a.quota.take(a.peer.UID, a.Clock()) {
		return a.refuse(overQuota()), false
	}
	if v, over := a.hearEarlier(ctx, p); over {
		return v, false
	}
	if r := a.book(ctx, p); r != nil {
		if r.more = r.more && left > 0 && a.auth.Conv.CanAsk(); r.more {
			return a.verdict(*r), true
		}
		return a.refuse(*r), false
	}
	wait, err := a.askOutside(ctx, p)
	var no *noReply
	if errors.As(err, &no) {
		a.drop(p)
		return a.unanswered(ctx, no.err, a.last), false
	}
	if err != nil || wait == nil {
		return a.conclude(ctx, p, err, left)
	}
	a.begin(p, wait)
	a.pending = p
	return wire.Verdict{}, true
}

// waitsAlone reports whether somebody is waited for with no question beside it.
func (a *attempt) waitsAlone() bool {
	beside := a.auth.Conv.CanAsk() && (a.auth.Race || a.auth.Conv == wire.ConvFlush)
	return a.pending != nil && !beside
}

// decision waits for a.pending, and concludes.
func (a *attempt) decision(ctx context.Context, left int) (v wire.Verdict, more bool) {
	p := a.pending
	return a.conclude(ctx, p, a.await(ctx, p), left)
}

// book puts on disk what asking takes: a place in the factor's own limits, and,
// if the answer is a guess, a failure. A ruling says why nobody is asked.
func (a *attempt) book(ctx context.Context, p *pending) *ruling {
	admit := p.claim.Outside.Admit
	if admit == nil && !p.guess {
		return nil
	}
	var r *ruling
	err := a.Store.Update(ctx, func(tx *store.Tx) error {
		var b budget
		if _, err := tx.Budget(a.subject(), &b); err != nil {
			return err
		}
		// A long code is no guess, but whoever has shown nothing at all could have a
		// server lock the person out with them.
		if d, reason := b.wait(a.source, a.Clock()); d > 0 && (p.guess || !p.chosen && !a.proven()) {
			w := a.waiting(d, reason)
			r = &w
			return errUnasked
		}
		var held *factor.Held
		switch err := a.admitOutside(tx, p); {
		case errors.As(err, &held):
			r = &ruling{reason: wire.ReasonRateLimited, factor: p.name, text: held.Text, log: held.Log, unasked: true, more: true}
			if held.Denied {
				r.reason = wire.ReasonPushDenied
			}
			a.discreetly(r)
			return errUnasked
		case err != nil:
			return err
		}
		if !p.guess {
			return nil
		}
		p.before = b.clone()
		b.fail(a.source, a.Clock())
		p.after = *b.clone()
		a.standing.clean = false
		return tx.PutBudget(a.subject(), &b)
	})
	if r == nil && err != nil {
		f := failure(err)
		f.factor = p.name
		r = &f
	}
	return r
}

func (a *attempt) admitOutside(tx *store.Tx, p *pending) error {
	if p.claim.Outside.Admit == nil {
		return nil
	}
	return p.claim.Outside.Admit(a.scope(tx, a.identity.Name, p.name))
}

// conclude settles what came of asking: err, or a decision. A decision for a
// client that is gone lets nobody in.
func (a *attempt) conclude(ctx context.Context, p *pending, err error, left int) (v wire.Verdict, more bool) {
	if a.pending == p { // and not what this one was typed beside
		a.pending = nil
	}
	p.end()
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	a.paid = true   // by book
	if err != nil { // what was booked is settled though the attempt is over
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), settleTime)
		defer cancel()
	}
	return a.decide(ctx, func(tx *store.Tx) (ruling, error) { return a.settleOutside(tx, p, err, left) })
}

// settleOutside is settle for a claim that was decided outside.
func (a *attempt) settleOutside(tx *store.Tx, p *pending, failed error, left int) (ruling, error) {
	var b budget
	if _, err := tx.Budget(a.subject(), &b); err != nil {
		return ruling{}, err
	}
	guess := p.guess || failed == nil && p.claim.Outside.Guessed != nil && p.claim.Outside.Guessed()
	if guess && p.before == nil { // it is known only now to be one
		if d, reason := b.wait(a.source, a.Clock()); d > 0 {
			return a.waiting(d, reason), nil
		}
	}
	finding, err := p.claim.Settle(a.scope(tx, a.identity.Name, p.name))
	if err != nil {
		return ruling{}, fmt.Errorf("%s: %w", p.name, err)
	}
	if a.raced { // nothing can be asked after a question that factord has ended
		left = 0
	}
	again := left > 0 && a.auth.Conv.CanAsk()
	switch {
	case failed == nil && finding.Outcome == factor.Proven:
		return a.prove(tx, &b, p.name, finding)
	case failed == nil && (finding.Outcome == factor.Wrong || finding.Outcome == factor.Replayed):
		if d, reason := b.wait(a.source, a.Clock()); p.before == nil && d > 0 {
			return a.waiting(d, reason), nil // as in settle: it would only lock others out
		}
		if p.before == nil {
			b.fail(a.source, a.Clock())
		}
		return a.miss(tx, &b, p.name, finding, guess, left)
	}
	if errors.Is(failed, factor.ErrUnavailable) || finding.Outcome == factor.Waived { // nobody has looked at it
		if err := a.giveBack(tx, &b, p); err != nil {
			return ruling{}, err
		}
	}
	r := ruling{factor: p.name, id: finding.ID, log: finding.Log}
	switch {
	case failed == nil && finding.Outcome == factor.Waived && !a.proves:
		r.basis, r.text = wire.BasisFactor, finding.Note
	case finding.Outcome == factor.Denied: // also if nobody waited for it any more
		r.reason, r.text = wire.ReasonPushDenied, finding.Note
		_, err := tx.Forget(a.identity.Name) // somebody else was at their login
		return r, err
	case failed == nil && finding.Outcome == factor.Refused:
		r.reason, r.text = wire.ReasonDenied, finding.Note
	case failed != nil:
		a.failed(&r, failed, again)
	case finding.Outcome == factor.Unasked:
		r.reason, r.text, r.more = wire.ReasonDenied, finding.Note, again
	default:
		r.reason, r.text, r.more = wire.ReasonTimeout, finding.Note, again
		r.sent = finding.Outcome == factor.Sent && again
	}
	if r.basis == wire.BasisNone {
		a.discreetly(&r)
	}
	return r, nil
}

// failed says what an error of asking means for the attempt.
func (a *attempt) failed(r *ruling, err error, again bool) {
	r.reason, r.log = reasonOf(err), joined(r.log, err.Error())
	var lapse *factor.Lapse
	if errors.As(err, &lapse) {
		r.text, r.more, r.reason = lapse.Text, again, wire.ReasonDenied
		if lapse.Late {
			r.reason = wire.ReasonTimeout
		}
		return
	}
	switch r.reason {
	case wire.ReasonCancelled:
		r.gone = true
	case wire.ReasonTimeout:
		r.text = "no answer in time"
	case wire.ReasonUnavailable:
		r.text, r.more = outageText(err), again
		if !again {
			r.text += ": " + outageAdvice(err)
		}
	}
}

// discreetly takes out of a refusal what would tell what the user has: it reads like
// that of an answer which no factor takes.
func (a *attempt) discreetly(r *ruling) {
	switch {
	case a.proven() || r.text == "":
	case r.more:
		r.text = textNoCode
	default:
		r.text = textDenied
	}
}

// giveBack undoes the booking of a guess that was never looked at, unless other
// answers were counted meanwhile: then only the failure itself goes.
func (a *attempt) giveBack(tx *store.Tx, b *budget, p *pending) error {
	if p.before == nil {
		return nil
	}
	b.giveBack(a.source, p.before, &p.after)
	if b.empty() {
		return tx.ClearBudget(a.subject())
	}
	return tx.PutBudget(a.subject(), b)
}

// waived lets in whom somebody outside vouches for without asking anything. It is
// no proof: nothing is remembered of it, and no failure forgiven.
func (a *attempt) waived(ctx context.Context) (v wire.Verdict, waived bool) {
	for _, o := range a.standing.offers {
		if o.Waived != "" {
			v, _ = a.decide(ctx, func(*store.Tx) (ruling, error) {
				return ruling{basis: wire.BasisFactor, factor: o.factor.Name(), text: o.Waived, log: "no proof was asked for: " + o.Waived}, nil
			})
			return v, true
		}
	}
	return v, false
}

// askNobody is ask where nobody can type: the preferred of the factors that need
// no code decides.
func (a *attempt) askNobody(ctx context.Context) wire.Verdict {
	v, more := a.judge(ctx, nil, 0)
	if more && a.waitsAlone() {
		v, _ = a.decision(ctx, 0)
	}
	return v
}

// outage rules where no factor is left that could be asked.
func (a *attempt) outage() *ruling {
	unreachable, log := a.plan.UnavailableAllow && !a.standing.enrolled, ""
	for _, o := range a.standing.outages {
		var why *factor.Outage
		unreachable = unreachable && errors.As(o.err, &why) && why.Unreachable
		log = joined(log, o.factor+": "+strings.TrimPrefix(o.err.Error(), o.factor+": "))
	}
	if unreachable {
		return &ruling{basis: wire.BasisUnavailable, log: log}
	}
	text := outageText(a.standing.outages[0].err) + ": " + outageAdvice(a.standing.outages[0].err)
	if !a.proven() {
		text = textUnavailable
	}
	return &ruling{reason: wire.ReasonUnavailable, text: text, log: log}
}

// refusal rules where all that the user has is of no use.
func (s *standing) refusal() *ruling {
	text := s.why()
	r := &ruling{reason: wire.ReasonNotEnrolled, text: text, log: "of no use here: " + text}
	if i := slices.IndexFunc(s.useless, func(u useless) bool { return u.log != "" }); i >= 0 {
		r.log += " (" + s.useless[i].log + ")"
	}
	if s.enrolled {
		r.reason = wire.ReasonDenied
	}
	return r
}

// outageText says to a person what can't be asked.
func outageText(err error) string {
	var o *factor.Outage
	if errors.As(err, &o) {
		return o.Text
	}
	return "one of your second factors can't be asked now"
}
