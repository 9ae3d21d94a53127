package session

import (
	"context"
	"fmt"
	"slices"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/wire"
)

// Answers that are no code: Enter, a number of the list, or a word for it.

// numberIn reads a number of the list; n counts from 0, so that "0" is none of it.
func numberIn(answer factor.Secret) (n int, ok bool) {
	if !answer.Digits(1, 2) {
		return 0, false
	}
	for _, digit := range answer {
		n = 10*n + int(digit-'0')
	}
	return n - 1, true
}

// choice returns the offer that Enter or a number of the list stands for, and
// which of its choices is meant.
func (a *attempt) choice(answer factor.Secret) (o *offer, n int) {
	if len(answer) == 0 {
		return a.enterOffer(), 0
	}
	n, ok := numberIn(answer)
	if !ok || n < 0 {
		return nil, 0
	}
	for i := range a.standing.offers {
		o := &a.standing.offers[i]
		if !o.asks() {
			continue
		}
		if n < len(o.Choices) || o.Undisclosed { // not known before it is asked
			return o, n
		}
		n -= len(o.Choices)
	}
	return nil, 0
}

// enterOffer is the preferred of the offers that need no typed code.
func (a *attempt) enterOffer() *offer {
	for i := range a.standing.offers {
		if o := &a.standing.offers[i]; o.asks() {
			return o
		}
	}
	return nil
}

// asks reports whether there is something to choose: always, before a discreet
// offer is looked into.
func (o *offer) asks() bool {
	_, ok := o.factor.(factor.Asker)
	return ok && (len(o.Choices) > 0 || o.Undisclosed)
}

// chooses reports whether an answer is meant to choose, where the rule takes a factor
// that can be asked for something, whoever it is that answers.
func (a *attempt) chooses(answer factor.Secret) bool {
	_, number := numberIn(answer)
	return slices.ContainsFunc(a.Factors, func(f factor.Factor) bool {
		_, asks := f.(factor.Asker)
		worded, words := f.(factor.Worded)
		return asks && slices.Contains(a.plan.Factors, f.Name()) && (number || words && worded.IsChoice(answer))
	})
}

// noChoice rules for a choice that there is not. Like a bare Enter it is nobody's
// guess, and costs an answer of the attempt and nothing else.
func (a *attempt) noChoice(ctx context.Context, left int) (wire.Verdict, bool) {
	if !a.proven() {
		return a.noAnswer(ctx, left)
	}
	r := ruling{reason: wire.ReasonDenied, text: a.waysText(), log: "there is no such choice", unasked: true}
	if left == 0 {
		r.reason, r.text = wire.ReasonAttempts, "too many wrong answers; "+r.text
		return a.rule(ctx, r), false
	}
	return a.verdict(r), true
}

// waysText says what could have been chosen.
func (a *attempt) waysText() string {
	ways := 0
	for _, o := range a.standing.offers {
		ways += len(o.Choices)
	}
	o := a.enterOffer()
	switch {
	case o != nil && o.Held != "":
		return o.Held
	case ways > 1:
		return fmt.Sprintf("there are %d ways: type a number from 1 to %d", ways, ways)
	case o != nil && o.Enter != "":
		return "there is one way: press Enter for " + o.Enter
	}
	return "there is nothing to choose from: type a code"
}
