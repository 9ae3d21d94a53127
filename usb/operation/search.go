package operation

import (
	"context"
	"errors"
	"time"

	"github.com/factord/factord/daemon/wire/agent"
	"github.com/factord/factord/usb"
	"github.com/factord/factord/usb/ctap"
	"github.com/factord/factord/usb/hid"
)

// poll is how often it is looked whether keys came or went.
const poll = 250 * time.Millisecond

// arrival is how long a key that has come during the wait may be without its device files,
// or the right to open them: udev takes many seconds on a busy machine.
const arrival = 15 * time.Second

// search looks for a key until it is there, or the time is over.
type search struct {
	backend hid.Backend
	talk    usb.Talk
	end     time.Time
	// passed are keys that were looked at and are not meant, by their ports. One that is
	// pulled out, or is another key, is looked at again.
	passed map[string]hid.Key
	// there are the keys of the last round, and arrived is when one came after the first.
	there   map[string]hid.Key
	arrived time.Time
	// hindrance is why a key that may be meant could not be looked at in this round.
	hindrance error
}

func newSearch(b hid.Backend, c agent.Common, t usb.Talk) *search {
	return &search{backend: b, talk: t, end: time.Now().Add(c.WaitTime()), passed: map[string]hid.Key{}}
}

// round returns the keys that are there, and not passed.
func (s *search) round(ctx context.Context, has func(hid.Key) bool) ([]hid.Key, error) {
	all, err := s.backend.Keys(ctx)
	if err != nil {
		return nil, err
	}
	s.hindrance = nil
	there := map[string]hid.Key{}
	var keys []hid.Key
	for _, k := range all {
		there[k.Port] = k
		if passed, ok := s.passed[k.Port]; has(k) && (!ok || passed != k) {
			keys = append(keys, k)
		}
	}
	for port, k := range there {
		if s.there != nil && s.there[port] != k {
			s.arrived = time.Now()
		}
	}
	s.there = there
	for port, k := range s.passed {
		if there[port] != k {
			delete(s.passed, port)
		}
	}
	return keys, nil
}

// pass says that a key is not meant.
func (s *search) pass(k hid.Key) { s.passed[k.Port] = k }

// note sorts out why a key could not be asked: nil is that it may be asked later.
func (s *search) note(err error) error {
	switch {
	case errors.Is(err, hid.ErrGone):
		return nil
	case errors.Is(err, hid.ErrBusy), errors.Is(err, ctap.ErrBusy):
		s.hindrance = err
		return nil
	case errors.Is(err, hid.ErrAccess), errors.Is(err, hid.ErrDriver):
		if time.Since(s.arrived) < arrival {
			return nil
		}
	}
	return err
}

// over reports that no time is left.
func (s *search) over() bool { return !time.Now().Before(s.end) }

// pause ends a round in which no key was found, and waits for the next. It fails when
// the time is over, and says for what.
func (s *search) pause(ctx context.Context) error {
	state, lacking := agent.Absent, error(failuref(agent.Gone, "the key is not plugged in"))
	switch {
	case s.hindrance != nil:
		state, lacking = agent.Busy, fidoFailure(s.hindrance)
	case len(s.passed) > 0:
		lacking = failuref(agent.Gone, "the key is not plugged in, but another one is")
	}
	if s.over() {
		return lacking
	}
	s.talk.State(state)
	select {
	case <-time.After(min(poll, time.Until(s.end))):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func hasOTP(k hid.Key) bool  { return k.OTP }
func hasFIDO(k hid.Key) bool { return k.FIDO }
