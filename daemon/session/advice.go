package session

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/factord/factord/daemon/factor"
)

// What a person is told beside a refusal. Who has not been proven learns nothing
// from it of what the user has, and nobody whether a code that was refused is
// right for another time: an attacker who holds a copy of the secret, or guesses,
// would learn by how much to turn the clock. So these texts rest on what the user
// has and on how many answers were wrong, never on an answer, but for its form: that a
// key has typed it, whoever typed it knows.

const (
	// adviceAfter is how many answers in a row are wrong before advice: the
	// first is a slip.
	adviceAfter = 2
	// longWait is the wait from which on it is worth to call somebody.
	longWait = time.Minute
)

// advice is the end of a line that says that an answer was wrong, of the factor with that
// name if of any.
func (a *attempt) advice(b *budget, wrong string) string {
	t := b.Sources[a.source]
	if a.doubt != "" {
		return ": " + a.doubt
	}
	if !a.proven() || t == nil || t.Failures < adviceAfter {
		return ""
	}
	look := ""
	for _, o := range a.standing.offers {
		if o.Advice != "" {
			look = o.Advice
			break
		}
	}
	other := a.unguessable(wrong)
	switch {
	case look == "" && other == "":
		return ""
	case look == "":
		return ": a " + other + " works too"
	case other == "":
		return ": " + look
	case look[len(look)-1] == '?':
		return ": " + look + " a " + other + " works too"
	}
	return ": " + look + "; a " + other + " works too"
}

// doubts is what to ask whoever has given this answer, if it is wrong and its form tells
// whose it was meant to be. Who has proven nothing hears it whatever the user has.
func (a *attempt) doubts(answer factor.Secret) string {
	for _, f := range a.Factors {
		t, ok := f.(factor.Telltale)
		if !ok || !slices.Contains(a.plan.Factors, f.Name()) {
			continue
		}
		doubt := t.Doubt(answer)
		if doubt == "" || !a.proven() {
			return doubt
		}
		for _, o := range a.standing.offers {
			if o.factor == f {
				return cmp.Or(o.Advice, doubt)
			}
		}
	}
	return ""
}

// outageAdvice is what helps who has nothing but a factor that can't be asked.
func outageAdvice(err error) string {
	var o *factor.Outage
	errors.As(err, &o)
	if o == nil {
		o = &factor.Outage{}
	}
	return cmp.Or(o.Advice, "try again, or ask your administrator")
}

// unguessable names a factor that needs no waiting, to somebody proven. A key that has just
// given a wrong answer would give it again.
func (a *attempt) unguessable(wrong string) string {
	if !a.proven() {
		return ""
	}
	for _, o := range a.standing.offers {
		switch {
		case o.Vain, isLocal(o.factor) && o.factor.Name() == wrong:
		case o.Enter != "" && o.Held == "" && !o.Guessable:
			return strings.TrimPrefix(o.Enter, "a ")
		case !o.Guessable && o.Hint != "":
			return o.Hint
		}
	}
	return ""
}

// waitText is waitText with what this person can do instead.
func (a *attempt) waitText(d time.Duration) string {
	instead := ""
	if other := a.unguessable(""); other != "" {
		instead = "use a " + other
	} else if a.proven() && d >= longWait {
		instead = "ask your administrator: factorctl unlock " + a.name()
	}
	return waitText(d, instead)
}

// waitText is what a person who has to wait is told. The time is rounded up, so
// that nobody comes back too early.
func waitText(d time.Duration, instead string) string {
	text := fmt.Sprintf("too many wrong codes: wait %d s", max(1, (d+time.Second-1)/time.Second))
	if d > 2*time.Minute {
		text = fmt.Sprintf("too many wrong codes: wait %d min", (d+time.Minute-1)/time.Minute)
	}
	if instead != "" {
		text += ", or " + instead
	}
	return text
}
