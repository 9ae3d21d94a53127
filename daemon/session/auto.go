package session

import (
	"context"
	"slices"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/wire"
)

// autoOffer is the preferred of the offers that need no typed code, if it may begin by
// itself. Who has proven nothing must not learn from it what the user has.
func (a *attempt) autoOffer() *offer {
	o := a.enterOffer()
	if o == nil || !o.Auto || o.Held != "" || len(o.Choices) == 0 || !a.proven() {
		return nil
	}
	return o
}

// onlyAuto reports whether nothing is there to choose or to type beside what may begin by
// itself.
func (a *attempt) onlyAuto() bool {
	return !a.typable() && !slices.ContainsFunc(a.standing.offers, func(o offer) bool { return !o.Auto || len(o.Choices) > 1 })
}

// typable reports whether there is an answer to type, beside a choice.
func (a *attempt) typable() bool {
	return slices.ContainsFunc(a.standing.offers, func(o offer) bool { return o.Hint != "" })
}

// beginAuto begins what needs no asking for: beside the question where the client can
// hear of its end, and instead of it where there is nothing to choose or to type. It
// comes before the question, so that who touches a key when they read of it is not too
// early. more says that there is no verdict yet.
func (a *attempt) beginAuto(ctx context.Context) (v wire.Verdict, more bool) {
	o := a.autoOffer()
	if o == nil || !a.auth.Race && (a.auth.Conv != wire.ConvPrompt || !a.onlyAuto()) {
		return v, true
	}
	claim, err := o.factor.(factor.Asker).Choose(ctx, a.facts(o.factor.Name()), 0)
	if err != nil || claim.Outside == nil {
		return v, true // whoever takes it hears why
	}
	return a.consult(ctx, &pending{name: o.factor.Name(), claim: claim, chosen: true, auto: true}, maxAnswers)
}

// concludeLapsed concludes what has come to nothing beside a question.
func (a *attempt) concludeLapsed(ctx context.Context, left int) (v wire.Verdict, more bool) {
	p := a.pending
	if p == nil {
		return v, true
	}
	select {
	case <-p.done:
	default:
		return v, true
	}
	if p.err == nil {
		return v, true
	}
	return a.conclude(ctx, p, p.err, left)
}
