package authapi

import (
	"sync"
	"time"
)

// downFor is how long Duo is taken to be down after it was found to be. It is short:
// a person who tries again should find a Duo that is back.
const downFor = 10 * time.Second

// breaker remembers that Duo is down, so that only the first login waits to find
// out. After downFor one caller may try (the probe), the others are still refused.
// One user's refusal or 429 says nothing about Duo and never opens it.
type breaker struct {
	now func() time.Time

	mu      sync.Mutex
	down    *Error    // why; nil: Duo is up
	until   time.Time // not tried before
	probing bool
	since   time.Time // of the state
	success time.Time // the last
	failure *Error    // the last
	failed  time.Time
}

func newBreaker(now func() time.Time) *breaker { return &breaker{now: now, since: now()} }

// ticket is the right to make one call. It must be given back.
type ticket struct {
	probe bool
	began time.Time
}

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
	if b.probing || left > 0 && left <= downFor {
		remembered := *b.down
		remembered.Remembered = true
		return t, &remembered
	}
	b.probing, t.probe = true, true
	return t, nil
}

// settle gives a ticket back with the call's outcome.
func (b *breaker) settle(t ticket, err *Error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t.probe {
		b.probing = false
	}
	now := b.now()
	if err != nil && err.Kind != Ended {
		b.failure, b.failed = err, now
	}
	switch {
	case err != nil && err.Kind == Ended:
	case err != nil && err.down():
		// A call that hung while others were answered is out of date.
		if t.began.Before(b.success) {
			return
		}
		if b.down == nil {
			b.since = now
		}
		b.down, b.until = err, now.Add(downFor)
	default:
		if b.down != nil {
			b.down, b.since = nil, now
		}
		if err == nil || err.Status != 0 {
			b.success = now
		}
	}
}

// answered notes that Duo answered a call that had no ticket.
func (b *breaker) answered() { b.settle(ticket{began: b.now()}, nil) }
