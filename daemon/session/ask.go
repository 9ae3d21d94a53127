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
	"github.com/factord/factord/daemon/policy"
	"github.com/factord/factord/daemon/store"
	"github.com/factord/factord/daemon/wire"
)

// standing is what a user has, as read when the attempt began.
type standing struct {
	user     store.User
	foreign  bool   // the account's uid is not the enrolled one
	renamed  string // another name under which the uid is enrolled
	clean    bool   // no failure has been counted
	enrolled bool   // has any factor, usable here or not
	records  map[string][]factor.Record
	offers   []offer // usable in this attempt, in the rule's order
}

type offer struct {
	factor.Offer
	factor factor.Factor
}

// unguessable reports whether there is a factor that needs no waiting.
func (s *standing) unguessable() bool {
	return slices.ContainsFunc(s.offers, func(o offer) bool { return !o.Guessable })
}

// readStanding reads the user's records and asks each factor what it offers.
func (a *attempt) readStanding(ctx context.Context) error {
	if !a.known {
		return nil
	}
	s := &a.standing
	err := a.load()
	if err == nil && s.renamed != "" {
		err = a.resolveAlias(ctx)
	}
	if err == nil {
		err = s.weigh(ctx, a.Factors, a.plan, a.facts)
	}
	if err != nil && s.onlyBypass(ctx, a) {
		a.Log.Error("a record can't be read, and only a bypass code is taken", "user", a.identity.Name, "error", err)
		return nil
	}
	return err
}

// load reads the entry and the records under the user's name, and, if there are
// none, under which other name the uid has some.
func (a *attempt) load() error {
	s := &a.standing
	return a.Store.View(func(tx *store.Tx) error {
		user, found, records, err := tx.Load(a.identity.Name)
		s.user, s.records, s.foreign = user, records, found && user.UID != a.identity.UID
		if err == nil && user.Records == 0 {
			s.renamed, err = tx.NameOf(a.identity.UID)
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
		o, err := f.Offer(ctx, a.facts(s.records[bypassName]))
		if err == nil && o.Usable {
			s.offers = []offer{{Offer: o, factor: f}}
		}
	}
	return len(s.offers) > 0
}

// weigh sorts what the factors offer. Records of a factor that is not built in
// are a positive finding all the same.
func (s *standing) weigh(ctx context.Context, factors []factor.Factor, plan policy.Plan, facts func([]factor.Record) factor.Login) error {
	offers := map[string]offer{}
	for name := range s.records {
		if name != inviteScope && !slices.ContainsFunc(factors, func(f factor.Factor) bool { return f.Name() == name }) {
			s.enrolled = true
		}
	}
	for _, f := range factors {
		o, err := f.Offer(ctx, facts(s.records[f.Name()]))
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name(), err)
		}
		s.enrolled = s.enrolled || o.Enrolled
		if o.Usable {
			offers[f.Name()] = offer{Offer: o, factor: f}
		}
	}
	permitted := plan.Factors
	if plan.Bypass {
		permitted = append(slices.Clone(permitted), bypassName)
	}
	for _, name := range permitted {
		if o, ok := offers[name]; ok {
			s.offers = append(s.offers, o)
		}
	}
	return nil
}

// prompt is the one question that takes any factor.
func (a *attempt) prompt() string {
	if !a.proven() {
		return "Passcode: "
	}
	var hints []string
	for _, o := range a.standing.offers {
		if o.Hint != "" && !slices.Contains(hints, o.Hint) {
			hints = append(hints, o.Hint)
		}
	}
	text := strings.Join(hints, " or ")
	if text == "" {
		return "Passcode: "
	}
	return strings.ToUpper(text[:1]) + text[1:] + ": "
}

// ask puts the question until an answer decides or the answers are used up.
func (a *attempt) ask(ctx context.Context) wire.Verdict {
	last := ruling{reason: wire.ReasonCancelled, text: "cancelled", unasked: true}
	for left := maxAnswers - 1; ; left-- {
		answer, err := a.inquire(wire.Secret, a.prompt(), wire.MaxAnswer)
		if err != nil {
			return a.unanswered(ctx, err, last)
		}
		typed := trim(answer)
		v, more := a.judge(ctx, typed, left)
		answer.Wipe()
		if !more {
			return v
		}
		if len(typed) > 0 {
			last = ruling{reason: v.Reason, text: v.Text, log: "given up after a wrong answer"}
		}
		a.info(v.Text)
	}
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
	if len(answer) == 0 {
		return a.noAnswer(ctx, left)
	}
	name, claim, err := a.claim(ctx, answer)
	if err != nil {
		return a.rule(ctx, ruling{reason: reasonOf(err), text: textUnavailable, factor: name, log: err.Error()}), false
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

// noAnswer rules for a bare Enter, which no factor takes: it is nobody's guess,
// so it costs an answer of the attempt and nothing else.
func (a *attempt) noAnswer(ctx context.Context, left int) (wire.Verdict, bool) {
	r := ruling{reason: wire.ReasonDenied, text: "no code was given", log: "no code was given", unasked: true}
	if left == 0 {
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
	for _, f := range a.Factors {
		if !slices.ContainsFunc(a.standing.offers, func(o offer) bool { return o.factor == f }) {
			continue
		}
		claim, err := f.Verify(ctx, a.facts(a.standing.records[f.Name()]), answer)
		if errors.Is(err, factor.ErrNotMine) {
			continue
		}
		return f.Name(), claim, err
	}
	return "", factor.Claim{}, nil
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
		if finding, err = claim.Settle(tx.Scope(a.identity.Name, name)); err != nil {
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
	a.standing.clean = false
	if b.locked(a.source) && a.known {
		if _, err := tx.Forget(a.identity.Name); err != nil {
			return ruling{}, err
		}
	}
	if err := tx.PutBudget(a.subject(), &b); err != nil {
		return ruling{}, err
	}
	return a.wrong(&b, name, finding, guess, left), nil
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
	r := ruling{basis: wire.BasisFactor, factor: name, id: finding.ID, text: finding.Note, log: finding.Log}
	missing, err := a.remember(tx, name, finding.ID)
	if missing != "" {
		r.log = strings.TrimPrefix(r.log+"; not remembered, unknown: "+missing, "; ")
	}
	return r, err
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
	advice := a.advice(b)
	switch {
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
