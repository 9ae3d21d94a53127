package authapi

import (
	"sync"
	"time"
)

// downFor is how long Duo is taken to be down after it was found to be. It is short:
// a person who tries again should find a Duo that is back.
const downFor = 10 * time.Second

// brokenTwice is how many answers in a row have to be a 5xx to say that Duo is down.
const brokenTwice = 2

// breaker remembers that Duo is down, so that only the first login waits to find
// out. After downFor one caller may try (the probe); the others are still refused, but
// not for an outage: nobody knows any more. A probe that its caller gives up has found
// out nothing, and callers choose when they do so: then all may try, until one knows.
// One user's refusal or 429 says nothing about Duo and never opens it, nor does a 5xx
// to a call that a user has put words into, nor a single 5xx: Duo may stumble over one
// user's account.
type breaker struct {
	now func() time.Time

	mu      sync.Mutex
	down    *Error    // why; nil: Duo is up
	until   time.Time // not tried before
	probe   time.Time // when the one on its way began; zero: there is none
	givenUp bool      // the last probe was
	broken  int       // answers that were a 5xx, in a row
	since   time.Time // of the state
	success time.Time // the last answer
	served  time.Time // the last that was no refusal
	failure *Error    // the last
	failed  time.Time
}

func newBreaker(now func() time.Time) *breaker { return &breaker{now: now, since: now()} }

// ticket is the right to make one call. It must be given back.
type ticket struct {
	probe bool
	began time.Time
}

// anew is admit for whom what is remembered is not enough. It is no probe: given up,
// it leaves that to logins.
func (b *breaker) anew() (ticket, *Error) { return ticket{began: b.now()}, nil }

// admit refuses while Duo is down.
func (b *breaker) admit() (ticket, *Error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := ticket{began: b.now()}
	if b.down == nil {
		return t, nil
	}
	// A clock that was set back must not keep Duo down for long.
	left := b.until.Sub(t.began)
	known := left > 0 && left <= downFor
	// Nor may a probe that hangs, once the connection stands.
	age := t.began.Sub(b.probe)
	probing := !b.probe.IsZero() && age >= 0 && age < downFor
	if known || probing {
		remembered := *b.down
		remembered.Remembered = true
		return t, &remembered
	}
	if t.probe = !b.givenUp; t.probe {
		b.probe = t.began
	}
	return t, nil
}

// settle gives a ticket back with the call's outcome.
func (b *breaker) settle(t ticket, err *Error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t.probe && t.began.Equal(b.probe) {
		b.probe = time.Time{}
	}
	now := b.now()
	if err != nil && err.Kind != Ended {
		b.failure, b.failed = err, now
	}
	switch {
	case err != nil && (err.Kind == Ended || err.alone || err.Kind == Local):
		b.givenUp = b.givenUp || t.probe
	case err != nil && err.down():
		// A call that hung while others were answered is out of date.
		if t.began.Before(b.success) {
			return
		}
		if err.Kind == Broken {
			b.broken++
		}
		if b.down == nil && err.Kind == Broken && b.broken < brokenTwice {
			return
		}
		if b.down == nil {
			b.since = now
		}
		b.down, b.until, b.givenUp = err, now.Add(downFor), false
	default:
		b.broken = 0
		if b.down != nil {
			b.down, b.since, b.givenUp = nil, now, false
		}
		if err == nil || err.Status != 0 {
			b.success = now
		}
		if err == nil {
			b.served = now
		}
	}
}

// answered notes that Duo answered a call that had no ticket.
func (b *breaker) answered() { b.settle(ticket{began: b.now()}, nil) }
