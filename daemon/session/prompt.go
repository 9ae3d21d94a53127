package session

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/wire"
)

// The one question, which takes the answer of any factor.

// plainPrompt is the question to whoever may learn nothing from it.
const plainPrompt = "Passcode: "

// prompt names what this user can use here.
func (a *attempt) prompt() string {
	if !a.proven() {
		return plainPrompt
	}
	var hints []string
	for _, o := range a.standing.offers {
		if o.Hint != "" && !slices.Contains(hints, o.Hint) {
			hints = append(hints, o.Hint)
		}
	}
	text, enter := either(hints), ""
	if o := a.enterOffer(); o != nil && o.Held == "" {
		enter = o.Enter
	}
	switch {
	case text == "" && enter == "":
		return plainPrompt
	case text == "":
		return "Press Enter for " + enter + ": "
	case enter != "":
		text += ", or Enter for " + enter
	}
	return strings.ToUpper(text[:1]) + text[1:] + ": "
}

// either lists words of which any will do.
func either(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// announce says, before the first question, what can't be used, and what can be
// done without a code, with the numbers that stand for it. Whoever has not proven
// a first factor learns neither.
func (a *attempt) announce() {
	if !a.proven() {
		return
	}
	for _, o := range a.standing.outages {
		if !slices.Contains(a.plan.Factors, o.factor) {
			continue
		}
		a.info(outageText(o.err) + ": use another factor")
	}
	for _, u := range a.standing.useless {
		if !u.quiet {
			a.info(u.why)
		}
	}
	var list []string
	for _, o := range a.standing.offers {
		if o.Held != "" && len(o.Choices) > 0 {
			a.info(o.Held)
			list = append(list, make([]string, len(o.Choices))...) // the numbers stay
			continue
		}
		list = append(list, o.Choices...)
	}
	if len(list) < 2 { // the prompt says what Enter does
		return
	}
	for i, text := range list {
		if text == "" {
			continue
		}
		a.info(fmt.Sprintf("%d  %s", i+1, text))
	}
}

// question asks for an answer, or, where that shows nobody anything else, for
// Enter while somebody outside decides. Where the client watches the socket, the
// question ends with that decision, and the answer is empty.
func (a *attempt) question(ctx context.Context) (factor.Secret, error) {
	switch p := a.pending; {
	case p == nil:
		return a.inquire(wire.Secret, a.prompt(), wire.MaxAnswer)
	case a.auth.Race:
		if !a.typable() && p.auto {
			return a.inquireRacing(p.cue+": ", p)
		}
		return a.inquireRacing(p.cue+", or type a code: ", p)
	default:
		return a.inquire(wire.Secret, p.cue+", then press Enter: ", wire.MaxAnswer)
	}
}
