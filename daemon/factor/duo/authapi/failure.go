package authapi

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Kind is how a call failed.
type Kind uint8

// Kinds of failure.
const (
	// Garbled: what came is not what the API documents: HTML, half a body, an
	// unknown result.
	Garbled Kind = iota
	// Refused: a 4xx that is none of the following.
	Refused
	// BadKey: a 401: the integration key or the signature is not accepted.
	BadKey
	// Skewed: a 401 because this machine's clock is off.
	Skewed
	// Throttled: a 429, still so after waiting, or with no time left to wait.
	Throttled
	// Untrusted: the other side's certificate or TLS is not accepted.
	Untrusted
	// Silent: the request was sent, and no answer came in the client's own time.
	Silent
	// Unreachable: no connection in time, or one that broke without an answer.
	Unreachable
	// Broken: a 5xx.
	Broken
	// Ended: the caller's context ended first, which says nothing about Duo.
	Ended
	// Local: this machine has no port, descriptor or memory left, or lets nothing out.
	Local
)

// Error is a failed call. It never has the secret key, a passcode or a token in it.
type Error struct {
	Kind   Kind
	Call   string // "preauth"
	Status int    // of HTTP; 0: none came
	Code   int    // Duo's; 0: none came
	// Message and Detail are Duo's words, as they came.
	Message, Detail string
	// Skew is by how much this machine's clock is ahead of Duo's; negative: behind.
	// It is known if SkewKnown.
	Skew      time.Duration
	SkewKnown bool
	// Wait is how long Duo asked to wait; 0: it did not say.
	Wait time.Duration
	// Remembered says that nothing was sent: Duo was down a moment ago.
	Remembered bool
	// Late is of a push or a call whose caller went away before Duo had named it.
	Late *Late

	stale bool // the connection may be to blame: it had been used before
	alone bool // it says nothing of other calls
	cause error
}

// Outage says that the failure is of the kinds for which a rule may say
// unavailable = "allow": no connection, TLS that does not answer, 5xx. No other
// ones, or the user's own doing (a login drawn out to its deadline) or a mistake in
// the configuration would let in; nor what was true a moment ago, perhaps of another
// user alone.
func (e *Error) Outage() bool {
	return !e.Remembered && (e.Kind == Unreachable || e.Kind == Broken)
}

// down says that the next call would fare no better: what the breaker remembers.
func (e *Error) down() bool { return !e.alone && (e.Outage() || e.Kind == Silent) }

// What a log takes, in bytes: of Duo's words, and of an error below. That has text of
// whoever is in between: names of certificates, lines of proxies.
const (
	maxQuoted = 200
	maxCause  = 300
)

// printable cuts a text, and makes spaces of what has no place in a line.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, text[:min(len(text), maxCause)])
	return strings.TrimRight(text, " ")
}

// Error is for the log.
func (e *Error) Error() string {
	text := "duo: "
	if e.Kind == Skewed {
		text += SkewText(e.Skew, e.SkewKnown) + ": "
	}
	text += e.Call + ": " + e.Kind.String()
	if e.Status != 0 {
		text += fmt.Sprintf(", HTTP %d", e.Status)
	}
	if e.Code != 0 {
		text += fmt.Sprintf(", code %d", e.Code)
	}
	for _, words := range []string{e.Message, e.Detail} {
		if words != "" {
			text += fmt.Sprintf(", %q", words[:min(len(words), maxQuoted)])
		}
	}
	if e.Wait > 0 {
		text += fmt.Sprintf(", to be asked again in %v", e.Wait)
	}
	if e.cause != nil {
		text += ": " + printable(e.cause.Error())
	}
	if e.Remembered {
		text += " (a moment ago; not asked again yet)"
	}
	return text
}

// String is the kind in a few words.
func (k Kind) String() string {
	switch k {
	case Refused:
		return "refused"
	case BadKey:
		return "the integration key or the signature is not accepted"
	case Skewed:
		return "the date is not accepted"
	case Throttled:
		return "too many requests"
	case Untrusted:
		return "the server is not trusted"
	case Silent:
		return "no answer in time"
	case Unreachable:
		return "no connection"
	case Broken:
		return "the server failed"
	case Ended:
		return "given up"
	case Local:
		return "this machine can't connect"
	}
	return "an answer that makes no sense"
}

// Person is what the person who logs in may read.
func (e *Error) Person() string {
	switch e.Kind {
	case Silent, Unreachable, Broken, Local:
		return "Duo can't be reached"
	case Untrusted:
		return "Duo can't be reached safely"
	case Throttled:
		return "Duo is asked too often"
	case BadKey:
		return "Duo does not know this machine"
	case Skewed:
		return "Duo can't be used, this machine's clock is wrong"
	case Ended:
		return "Duo did not answer in time"
	}
	return "Duo refused the request"
}

// Advice is what that person can do, if it is not to try again.
func (e *Error) Advice() string {
	switch e.Kind {
	case Throttled:
		return "wait a minute, then try again"
	case BadKey, Skewed, Untrusted:
		return "tell your administrator"
	case Refused:
		return "ask your administrator"
	}
	return ""
}

// Unwrap gives what went wrong below: a context's end, an error of the network.
func (e *Error) Unwrap() error { return e.cause }

// SkewText names a clock that is off: "this clock is 312 s ahead".
func SkewText(skew time.Duration, known bool) string {
	s := int(skew.Round(time.Second) / time.Second)
	switch {
	case !known:
		return "this clock may be wrong"
	case s > 0:
		return fmt.Sprintf("this clock is %d s ahead", s)
	case s < 0:
		return fmt.Sprintf("this clock is %d s behind", -s)
	}
	return "this clock agrees with Duo's"
}
