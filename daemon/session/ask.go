package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/store"
	"github.com/factord/factord/daemon/wire"
)

// ask puts the question until an answer decides or the answers are used up. While
// somebody outside is asked, an answer may be typed all the same.
func (a *attempt) ask(ctx context.Context) wire.Verdict {
	defer a.abandon()
	a.announce()
	a.last = ruling{reason: wire.ReasonCancelled, text: "cancelled", unasked: true}
	v, more := a.beginAuto(ctx)
	if more && a.waitsAlone() {
		v, more = a.decision(ctx, maxAnswers)
	}
	a.takeDown(v)
	for left := maxAnswers - 1; more; left-- {
		if v.Text != "" {
			a.info(v.Text)
		}
		if v, more = a.concludeLapsed(ctx, left); !more {
			break
		}
		if v.Text != "" {
			a.info(v.Text)
		}
		answer, err := a.question(ctx)
		if err != nil {
			return a.left(ctx, err, a.last)
		}
		typed := trim(answer)
		if a.pending != nil && (len(typed) == 0 || left < 0 || a.pending.decided()) {
			left++ // what is waited for has had its answer
			v, more = a.decision(ctx, left)
		} else if v, more = a.judge(ctx, typed, left); more && a.waitsAlone() {
			v, more = a.decision(ctx, left)
		}
		answer.Wipe()
		if a.counted = a.counted || len(typed) > 0; more {
			a.takeDown(v)
		}
	}
	return v
}

// takeDown keeps what a client hears that gives up now: what its last answer came to, if
// that was wrong.
func (a *attempt) takeDown(v wire.Verdict) {
	if a.counted && v.Text != "" {
		a.last = ruling{reason: v.Reason, text: v.Text, log: "given up after a wrong answer"}
	}
	a.counted = false
}

// left rules when no answer came, after what was waited for beside the question.
func (a *attempt) left(ctx context.Context, err error, last ruling) wire.Verdict {
	if a.pending != nil {
		last.unasked = last.unasked && a.pending.auto // somebody was asked, and the records say so
		if a.abandon() {
			return a.verdict(ruling{reason: wire.ReasonPushDenied, text: textDenied})
		}
	}
	return a.unanswered(ctx, err, last)
}

// trim takes white space from around an answer: it comes with pasting, and with
// keys that type one character too many.
func trim(answer factor.Secret) factor.Secret { return bytes.TrimSpace(answer) }

// unanswered rules when no answer came. After a counted answer, a client that
// gives up gets that answer's reason.
func (a *attempt) unanswered(ctx context.Context, err error, last ruling) wire.Verdict {
	if ctx.Err() != nil && context.Cause(a.ctx) == ErrStopping {
		err = ErrStopping
	}
	switch r := reasonOf(err); r {
	case wire.ReasonCancelled:
		if errors.Is(err, wire.ErrCancelled) {
			return a.rule(ctx, last)
		}
		return a.rule(ctx, ruling{reason: r, log: "the client is gone", unasked: last.unasked, gone: true})
	case wire.ReasonTimeout:
		return a.rule(ctx, ruling{reason: r, text: "no answer in time", log: "no answer in time", unasked: last.unasked})
	default:
		return a.rule(ctx, ruling{reason: r, text: textUnavailable, log: err.Error(), unasked: last.unasked})
	}
}

// judge takes one answer to its factor and settles it at the gate, together
// with the budget. more says that the answer was wrong and another may follow.
func (a *attempt) judge(ctx context.Context, answer factor.Secret, left int) (v wire.Verdict, more bool) {
	a.doubt = a.doubts(answer)
	name, claim, err := a.claim(ctx, answer)
	if len(answer) == 0 && claim.Settle == nil && err == nil {
		return a.noAnswer(ctx, left)
	}
	if err != nil {
		return a.rule(ctx, ruling{reason: reasonOf(err), text: textUnavailable, factor: name, log: err.Error()}), false
	}
	if claim.Settle == nil && a.chooses(answer) {
		return a.noChoice(ctx, left)
	}
	if claim.Outside != nil {
		return a.consult(ctx, &pending{name: name, claim: claim, guess: claim.Guessable, chosen: claim.Chosen || len(answer) < 2}, left)
	}
	guess := claim.Guessable || claim.Settle == nil || guessable(answer)
	if guess && !a.standing.clean { // settle looks again; this spares it a transaction
		if d, reason := a.mustWait(); d > 0 {
			return a.refuse(a.waiting(d, reason)), false
		}
	}
	return a.decide(ctx, func(tx *store.Tx) (ruling, error) {
		if err := ctx.Err(); err != nil {
			return ruling{}, context.Cause(ctx)
		}
		return a.settle(tx, name, claim, guess, left)
	})
}

// noAnswer rules for a bare Enter where no factor takes one: it is nobody's guess,
// so it costs an answer of the attempt and nothing else.
func (a *attempt) noAnswer(ctx context.Context, left int) (wire.Verdict, bool) {
	r := ruling{reason: wire.ReasonDenied, text: textNoCode, log: textNoCode, unasked: true}
	if left == 0 {
		a.discreetly(&r)
		return a.rule(ctx, r), false
	}
	return a.verdict(r), true
}

// guessable reports whether an answer has the form of a short code, as it is
// typed or as apps show it, whether or not the user has such a factor.
func guessable(answer factor.Secret) bool {
	digits := factor.Secret(bytes.ReplaceAll(answer, []byte{' '}, nil))
	defer digits.Wipe()
	return digits.Digits(6, 8)
}

// claim finds the factor whose answer this is. No factor's is a wrong answer.
func (a *attempt) claim(ctx context.Context, answer factor.Secret) (name string, claim factor.Claim, err error) {
	if o, n := a.choice(answer); o != nil {
		claim, err := o.factor.(factor.Asker).Choose(ctx, a.facts(o.factor.Name()), n)
		if !errors.Is(err, factor.ErrNotMine) {
			return o.factor.Name(), claim, err
		}
	}
	if len(answer) == 0 {
		return "", factor.Claim{}, nil
	}
	for _, f := range a.Factors {
		if !a.looksAt(f) {
			continue
		}
		claim, err := f.Verify(ctx, a.facts(f.Name()), answer)
		if errors.Is(err, factor.ErrNotMine) {
			continue
		}
		return f.Name(), claim, err
	}
	return "", factor.Claim{}, nil
}

// looksAt reports whether answers are shown to a factor: what the user can use, and
// root's codes after their use, which tells them from wrong ones as the user's own
// are told. Who has not proven a first factor does not learn that there was one.
func (a *attempt) looksAt(f factor.Factor) bool {
	if f.Name() == bypassName && a.plan.Bypass && a.proven() && len(a.standing.records[bypassName]) > 0 {
		return true
	}
	return slices.ContainsFunc(a.standing.offers, func(o offer) bool { return o.factor == f })
}

func (a *attempt) waiting(d time.Duration, reason wire.Reason) ruling {
	return ruling{reason: reason, text: a.waitText(d), log: "not checked: waits " + d.Round(time.Second).String(), unasked: true}
}

// settle checks the budget, settles the claim, and takes what it costs. While the
// source has to wait, a guess is not looked at, and what is no guess (a backup
// code) is looked at but costs nothing if it is wrong: it would only serve to
// drive up the user's failures over all sources.
func (a *attempt) settle(tx *store.Tx, name string, claim factor.Claim, guess bool, left int) (ruling, error) {
	var b budget
	if _, err := tx.Budget(a.subject(), &b); err != nil {
		return ruling{}, err
	}
	now := a.Clock()
	d, reason := b.wait(a.source, now)
	if guess && d > 0 {
		return a.waiting(d, reason), nil
	}
	finding := factor.Finding{Log: "no factor of this user takes such an answer"}
	if claim.Settle != nil {
		var err error
		if finding, err = claim.Settle(a.scope(tx, a.identity.Name, name)); err != nil {
			return ruling{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	if finding.Outcome == factor.Proven {
		return a.prove(tx, &b, name, finding)
	}
	if d > 0 {
		return a.waiting(d, reason), nil
	}
	b.fail(a.source, now)
	return a.miss(tx, &b, name, finding, guess, left)
}

// miss keeps what a wrong answer has cost, and rules.
func (a *attempt) miss(tx *store.Tx, b *budget, name string, finding factor.Finding, guess bool, left int) (ruling, error) {
	a.standing.clean, a.counted = false, true
	if b.locked(a.source) && a.known {
		if _, err := tx.Forget(a.identity.Name); err != nil {
			return ruling{}, err
		}
	}
	if err := tx.PutBudget(a.subject(), b); err != nil {
		return ruling{}, err
	}
	return a.wrong(b, name, finding, guess, left), nil
}

// prove rules for an answer that was right.
func (a *attempt) prove(tx *store.Tx, b *budget, name string, finding factor.Finding) (ruling, error) {
	if !b.empty() {
		b.succeed(a.source)
		keep := tx.PutBudget
		if b.empty() {
			keep = func(subject string, _ any) error { return tx.ClearBudget(subject) }
		}
		if err := keep(a.subject(), b); err != nil {
			return ruling{}, err
		}
	}
	if err := a.mark(tx); err != nil {
		return ruling{}, err
	}
	r := ruling{basis: wire.BasisFactor, factor: name, id: finding.ID, text: finding.Note, log: a.besides(finding.Log)}
	missing, err := a.remember(tx, name, finding.ID, finding.Trust)
	if missing != "" {
		r.log = strings.TrimPrefix(r.log+"; not remembered, unknown: "+missing, "; ")
	}
	return r, err
}

// besides says in the record of a login which of the rule's factors could not be asked,
// so that this one had to do.
func (a *attempt) besides(log string) string {
	for _, o := range a.standing.outages {
		if slices.Contains(a.plan.Factors, o.factor) {
			log = strings.TrimPrefix(log+"; "+o.String(), "; ")
		}
	}
	return log
}

// String is the outage for the log.
func (o outage) String() string {
	return o.factor + " unavailable: " + strings.TrimPrefix(o.err.Error(), o.factor+": ")
}

// mark notes that the user has a factor, of which there may be no record here: who
// proves one that somebody outside keeps has no entry yet.
func (a *attempt) mark(tx *store.Tx) error {
	if a.standing.user.Tombstone {
		return nil
	}
	user, _, err := tx.User(a.identity.Name)
	if err != nil || user.Tombstone {
		return err
	}
	return a.admit(tx, a.identity, true)
}

// wrong rules for an answer that was not.
func (a *attempt) wrong(b *budget, name string, finding factor.Finding, guess bool, left int) ruling {
	r := ruling{reason: wire.ReasonDenied, factor: name, id: finding.ID, log: finding.Log, text: "wrong code"}
	if finding.Outcome == factor.Replayed {
		r.reason, r.text = wire.ReasonReplayed, "this code was used already: use another one"
		if guess {
			r.text = "this code was used already: wait for the next one"
		}
	}
	if finding.Note != "" && a.proven() {
		r.text = finding.Note
	}
	d, _ := b.wait(a.source, a.Clock())
	nothingElse := a.proven() && !a.standing.unguessable()
	advice := a.advice(b, name)
	switch {
	case left == 0 && r.reason == wire.ReasonReplayed:
		r.reason, r.text = wire.ReasonAttempts, "too many wrong answers; "+r.text
	case left == 0:
		r.reason, r.text = wire.ReasonAttempts, "too many wrong answers"+advice
	case d > 0 && nothingElse:
		r.text += "; " + a.waitText(d)
	default:
		r.more = true
		if r.reason == wire.ReasonDenied {
			r.text += advice
		}
	}
	return r
}
