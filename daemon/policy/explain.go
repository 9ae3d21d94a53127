package policy

import (
	"fmt"
	"strconv"
	"strings"
)

// Step is one rule that was looked at, as factorctl explain shows it.
type Step struct {
	Rule    string `json:"rule"`
	Line    int    `json:"line"`
	Matched bool   `json:"matched"`
	Why     string `json:"why"`
}

// article returns m as it stands in a sentence about a rule.
func (m Mode) article() string {
	if m == Require {
		return "a require rule"
	}
	return "an " + m.String() + " rule"
}

func client(q *Request) string {
	switch {
	case !q.AddrKnown:
		return "client (address unknown)"
	case !q.Addr.IsValid():
		return "client (no address)"
	}
	return "client " + plain(q.Addr).String()
}

func callers(list []Caller) string {
	if len(list) == 0 {
		return "nobody"
	}
	return strings.Join(texts(list, Caller.String), " and ")
}

func quoted(list []string) string {
	return bracketed(texts(list, strconv.Quote))
}

func networks(list []Network) string {
	return bracketed(texts(list, Network.String))
}

func bracketed(words []string) string { return "[" + strings.Join(words, ", ") + "]" }

func texts[T any](list []T, text func(T) string) []string {
	words := make([]string, len(list))
	for i, e := range list {
		words[i] = text(e)
	}
	return words
}

// whyMatched says which parts of a rule that matched do not count as they are written.
func (r *Rule) whyMatched(q *Request) string {
	why := "every criterion matches"
	if r.Mode == Enrolled && r.mode(q.Now) == Require {
		why += "; its until has passed, so enrolled is now require"
	}
	if r.EnrollLogin && passed(r.EnrollUntil, q.Now) {
		why += "; its enroll_until has passed"
	}
	if q.Caller == CallerRoot {
		return why
	}
	if r.Remember != 0 {
		why += "; caller is user: remember is read as not written"
	}
	if r.UnavailableAllow {
		why += "; caller is user: unavailable is read as not written"
	}
	return why
}

// whyUnknown says what follows for a rule of mode m that may match or not, for want of an input.
func whyUnknown(f finding, m Mode) string {
	switch {
	case f.group:
		return f.missing + " can't be looked up: refused, whatever the rule says"
	case m == Require:
		return f.missing + " unknown: refused, since this rule may be the one that matches"
	default:
		return fmt.Sprintf("%s unknown: %s does not match", f.missing, m.article())
	}
}

// NoRule says, for the log, why no rule matches a login of such a caller.
func (p *Plan) NoRule(c Caller) string {
	switch {
	case p.Foreign != nil:
		return fmt.Sprintf("no rule matches; rule %q would, but for callers: %s asked", p.Foreign.Name, c)
	case c == CallerUser:
		return `no rule with callers = ["user"] matches`
	}
	return "no rule matches"
}
