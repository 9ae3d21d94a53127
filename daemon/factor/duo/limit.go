package duo

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/factord/factord/daemon/factor"
)

// Limits on asking a person, against those who ask until somebody approves to have
// peace. They are in the store, so that no restart, no crash and no clock that is set
// back gives more.
const (
	// pendingTime frees the place of a question that was never settled: no attempt
	// is longer.
	pendingTime = 65 * time.Second
	// maxUnanswered in unansweredTime, then passcodes only.
	maxUnanswered  = 3
	unansweredTime = 10 * time.Minute
	// maxNameless in the same time, of those to which nobody can hear a no.
	maxNameless = 2
	// deniedTime is how long nobody is asked after a no.
	deniedTime = 60 * time.Second
)

// note is what is kept of a user: when they were asked, and what they said. It is
// sealed with the store's other values, and unlocking the user clears it.
type note struct {
	Version    int         `json:"v"`
	Pending    *pending    `json:"pending,omitempty"`
	Unanswered []time.Time `json:"unanswered,omitempty"`
	Denied     time.Time   `json:"denied,omitzero"`
	Fraud      bool        `json:"fraud,omitempty"`
	Open       []open      `json:"open,omitempty"` // Unanswered has them too
}

// pending is a question that has no answer yet.
type pending struct {
	ID string    `json:"id"`
	At time.Time `json:"at"`
}

const noteVersion = 1

// readNote reads all of a note or nothing: what is not understood must not be taken
// for a user who was never asked.
func readNote(value []byte) (*note, error) {
	if len(value) == 0 {
		return &note{Version: noteVersion}, nil
	}
	n := &note{}
	if err := (factor.Record{Value: value}).Decode(n); err != nil || n.Version != noteVersion {
		return nil, errors.New("the note about pushes can't be read\nhint: factorctl unlock clears it")
	}
	return n, nil
}

func noteOf(rs factor.Records) (*note, error) {
	value, err := rs.Note()
	if err != nil {
		return nil, err
	}
	return readNote(value)
}

// keep writes the note; an empty one is none.
func (n *note) keep(rs factor.Records) error {
	if n.Pending == nil && len(n.Unanswered) == 0 && n.Denied.IsZero() && !n.Fraud && len(n.Open) == 0 {
		return rs.PutNote(nil)
	}
	value, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return rs.PutNote(value)
}

// age drops what has passed, and counts a question that was never settled.
func (n *note) age(now time.Time) {
	if n.Pending != nil && !now.Before(n.Pending.At.Add(pendingTime)) {
		n.Unanswered = append(n.Unanswered, n.Pending.At)
		n.Pending = nil
	}
	n.Unanswered = slices.DeleteFunc(n.Unanswered, func(t time.Time) bool { return !now.Before(t.Add(unansweredTime)) })
	n.Open = slices.DeleteFunc(n.Open, func(o open) bool { return !now.Before(o.At.Add(unansweredTime)) })
	if !now.Before(n.Denied.Add(deniedTime)) {
		n.Denied = time.Time{}
	}
}

// held says why nobody is asked now; nil: they are.
func (n *note) held(now time.Time) *factor.Held {
	switch {
	case n.Fraud:
		return &factor.Held{Denied: true, Log: "a push was reported as fraud; factorctl unlock ends this",
			Text: "a push was reported as fraud, so none are sent: type a passcode, and ask your administrator to unlock you"}
	case !n.Denied.IsZero():
		return &factor.Held{Denied: true, Log: "a push was denied at " + n.Denied.UTC().Format(time.RFC3339),
			Text: fmt.Sprintf("a push was denied a moment ago, so none is sent: type a passcode, or wait %s", whole(n.Denied.Add(deniedTime).Sub(now)))}
	case n.Pending != nil:
		return held("a push is pending since " + n.Pending.At.UTC().Format(time.RFC3339))
	case len(n.nameless()) >= maxNameless:
		return tooMany(n.nameless(), "were left before Duo had named them", now)
	case len(n.Unanswered) >= maxUnanswered:
		return tooMany(n.Unanswered, "were not answered", now)
	}
	return nil
}

// tooMany is for those that were put at the times that are given.
func tooMany(all []time.Time, why string, now time.Time) *factor.Held {
	return &factor.Held{Log: fmt.Sprintf("%d pushes %s", len(all), why),
		Text: fmt.Sprintf("too many pushes were not answered: type a passcode, or wait %s", whole(slices.MinFunc(all, time.Time.Compare).Add(unansweredTime).Sub(now)))}
}

// held is for what another login asks at the same time.
func held(log string) *factor.Held {
	return &factor.Held{Log: log, Text: "a push of another login of yours is not answered yet: answer that one, or type a passcode"}
}

// whole is a wait, never less than there is to wait.
func whole(d time.Duration) string { return factor.Span(d) }

// now is the clock, but never before the highest time that the store has seen.
func (a *asking) now() time.Time {
	now := a.f.Now()
	for _, t := range []time.Time{a.l.Now, a.l.Highest} {
		if t.After(now) {
			now = t
		}
	}
	return now.UTC()
}

// admit books a question before it is put.
func (a *asking) admit(rs factor.Records) error {
	n, err := noteOf(rs)
	if err != nil {
		return err
	}
	now := a.now()
	n.age(now)
	n.forget(a.heard)
	n.name(a.named)
	if h := n.held(now); h != nil {
		return h
	}
	if !a.asked(n.Open) { // the attempt that did was over only now
		return held("an attempt has just left a push without an answer")
	}
	n.Pending = &pending{ID: a.id, At: now}
	return n.keep(rs)
}

// book notes what came of a question.
func (a *asking) book(rs factor.Records) error {
	if a.id == "" {
		return nil // a passcode: no limit of ours
	}
	n, err := noteOf(rs)
	if err != nil {
		return err
	}
	now := a.now()
	n.age(now)
	at := now
	if ours := n.Pending != nil && n.Pending.ID == a.id; ours {
		at = n.Pending.At
		if a.rang && (a.finding.Outcome == factor.Lapsed || a.finding.Outcome == factor.Sent) || a.reached && a.finding.Outcome == factor.Refused {
			n.Unanswered = append(n.Unanswered, at)
		}
		n.Pending = nil
	}
	if o, left := a.unheard(at); left {
		n.unheard(o)
	}
	if a.no {
		n.no(now, a.fraud)
	}
	return n.keep(rs)
}
