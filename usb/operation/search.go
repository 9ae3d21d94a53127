package operation

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/factord/factord/daemon/wire/agent"
	"github.com/factord/factord/usb"
	"github.com/factord/factord/usb/ctap"
	"github.com/factord/factord/usb/hid"
)

// poll is how often it is looked whether keys came or went.
const poll = 250 * time.Millisecond

// again is when a device that failed before it was known which key it is, is looked at
// again: what ailed it may be over.
const again = 2 * time.Second

// search looks for a key until it is there, or the time is over.
type search struct {
	backend hid.Backend
	talk    usb.Talk
	end     time.Time
	// passed are keys that were looked at, by their ports. One that is pulled out, or is
	// another key, is looked at again.
	passed map[string]passed
	// hindrance is why a key that may be meant could not be looked at in this round.
	hindrance error
}

// passed is a key that was looked at, and is not known to be meant.
type passed struct {
	hid.Key
	hides bool      // whether it is meant
	err   error     // which has kept it from being known
	until time.Time // with err: when it is looked at again
}

var (
	// errOther: the key is not the one that is meant.
	errOther = errors.New("another key")
	// errHidden: the key does not say whether it is meant.
	errHidden = errors.New("the key does not say which it is")
)

// stranger is an error of a device that is not known to be the key that is meant. It may be
// anything that somebody has plugged in, and must not keep the right key from serving.
type stranger struct{ error }

func (s stranger) Unwrap() error { return s.error }

func newSearch(b hid.Backend, c agent.Common, t usb.Talk) *search {
	return &search{backend: b, talk: t, end: time.Now().Add(c.WaitTime()), passed: map[string]passed{}}
}

// round returns the keys that are there, and not passed.
func (s *search) round(ctx context.Context, has func(hid.Key) bool) ([]hid.Key, error) {
	all, err := s.backend.Keys(ctx)
	if err != nil {
		return nil, err
	}
	s.hindrance = nil
	there := map[string]hid.Key{}
	for _, k := range all {
		there[k.Port] = k
	}
	for port, p := range s.passed {
		if there[port] != p.Key || p.err != nil && time.Now().After(p.until) {
			delete(s.passed, port)
		}
	}
	var keys []hid.Key
	for _, k := range all {
		if _, looked := s.passed[k.Port]; has(k) && !looked {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

// note sorts out why a key was not asked: nil is that the search goes on.
func (s *search) note(k hid.Key, err error) error {
	var unknown stranger
	switch {
	case errors.Is(err, errOther):
		s.passed[k.Port] = passed{Key: k}
	case errors.Is(err, errHidden):
		s.passed[k.Port] = passed{Key: k, hides: true}
	case errors.Is(err, hid.ErrGone):
	case errors.Is(err, hid.ErrBusy), errors.Is(err, ctap.ErrBusy):
		s.hindrance = err
	case errors.As(err, &unknown):
		s.passed[k.Port] = passed{Key: k, err: unknown.error, until: time.Now().Add(again)}
	default:
		return err
	}
	return nil
}

// hidden are the keys that do not say whether they are meant.
func (s *search) hidden() (keys []hid.Key) {
	for _, p := range s.passed {
		if p.hides {
			keys = append(keys, p.Key)
		}
	}
	return keys
}

// failed is the error of a device that could not be looked at; nil: there is none.
func (s *search) failed() (err error) {
	for _, port := range slices.Sorted(maps.Keys(s.passed)) {
		if err == nil {
			err = s.passed[port].err
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
	switch hidden := s.hidden(); {
	case s.hindrance != nil:
		state, lacking = agent.Busy, fidoFailure(s.hindrance)
	case len(hidden) > 1:
		lacking = failuref(agent.WrongKey, "%d keys don't say without their PIN whether they are meant: pull out those that are not", len(hidden))
	case s.failed() != nil:
		lacking = fidoFailure(s.failed())
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

const (
	// hasty is a key that gives up sooner than any that waits for a finger, and is not asked
	// again at once.
	hasty = time.Second
	// maxAsks is how often a key is asked that gives up before the login does. Keys wait for
	// ten seconds and more, and agent.MaxWait is two minutes.
	maxAsks = 16
)

// patiently asks the key that is meant until it is touched, or the search ends: a key may be
// less patient, and gives up with an error that says so.
func patiently[T any](ctx context.Context, s *search, gaveUp error, ask func() (T, error)) (T, error) {
	for asks := 1; ; asks++ {
		began := time.Now()
		done, err := ask()
		if !errors.Is(err, gaveUp) || s.over() || asks == maxAsks {
			return done, err
		}
		if time.Since(began) > hasty {
			continue
		}
		select {
		case <-time.After(poll):
		case <-ctx.Done():
			return done, context.Cause(ctx)
		}
	}
}

func hasOTP(k hid.Key) bool  { return k.OTP }
func hasFIDO(k hid.Key) bool { return k.FIDO }
