package piv

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-piv/piv-go/v2/piv"
)

const (
	pollInterval = 200 * time.Millisecond
	// otherInterval is how long a reader with another card is left alone: to look at it
	// is to take it from whoever uses it.
	otherInterval = 3 * time.Second
	// serviceGrace is how long pcscd may be away, to begin anew.
	serviceGrace = 2 * time.Second
	maxReaders   = 16 // PCSCLITE_MAX_READERS_CONTEXTS
)

// readers lists the readers that are YubiKeys, and the others. Yubico's own tools go by
// the name, too. A card in another reader is not ours to hold, for that is what it takes
// to look at it.
func readers(ctx context.Context) (ours, others []string, err error) {
	type answer struct {
		names []string
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		names, err := guard(piv.Cards)
		answers <- answer{names, err}
	}()
	select {
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	case <-time.After(commandLimit):
		return nil, nil, fmt.Errorf("listing readers: %w", ErrService)
	case a := <-answers:
		if a.err != nil {
			return nil, nil, fmt.Errorf("listing readers: %w", a.err)
		}
		for _, name := range a.names[:min(len(a.names), maxReaders)] {
			if strings.Contains(strings.ToLower(name), "yubikey") {
				ours = append(ours, name)
			} else {
				others = append(others, name)
			}
		}
		return ours, others, nil
	}
}

// search is for the key with a serial number.
type search struct {
	serial uint32
	say    func(State)

	state State
	// passed are readers that don't have it, and when to look at them again.
	passed map[string]time.Time
	why    map[string]error // what is wrong with the card in a reader
	// failing is since when pcscd can't be used.
	failing time.Time
	begun   bool
}

func newSearch(serial uint32, say func(State)) *search {
	if say == nil {
		say = func(State) {}
	}
	return &search{serial: serial, say: say, passed: map[string]time.Time{}, why: map[string]error{}}
}

// find waits for the key, and holds it. When the context ends, the error is ErrAbsent
// or ErrBusy, as it was then.
func (s *search) find(ctx context.Context) (*card, error) {
	s.state = 0
	for ; ; s.begun = true {
		if s.begun && !pause(ctx) {
			return nil, s.ended(ctx)
		}
		c, state, err := s.look(ctx)
		switch {
		case c != nil:
			s.begun = true // one that is lost at once is not looked for at once
			return c, nil
		case ctx.Err() != nil:
			return nil, s.ended(ctx)
		case errors.Is(err, ErrService) && s.lasting():
			return nil, err
		case err != nil && !errors.Is(err, ErrService):
			return nil, err
		case err == nil:
			s.failing = time.Time{}
			s.tell(state)
		}
	}
}

// pause waits before the next look, and reports whether there is to be one.
func pause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(pollInterval):
		return true
	}
}

// lasting reports whether pcscd is away for too long.
func (s *search) lasting() bool {
	if s.failing.IsZero() {
		s.failing = time.Now()
	}
	return time.Since(s.failing) > serviceGrace
}

func (s *search) tell(state State) {
	if state != s.state {
		s.state = state
		s.say(state)
	}
}

// ended is the error of a search that the context has ended.
func (s *search) ended(ctx context.Context) error {
	err := context.Cause(ctx)
	switch {
	case !s.failing.IsZero():
		err = fmt.Errorf("%w (%w)", ErrService, err)
	case s.state == Busy:
		err = fmt.Errorf("%w (%w)", ErrBusy, err)
	case s.state == Absent:
		err = fmt.Errorf("%w (%w)", ErrAbsent, err)
	}
	for reader, why := range s.why {
		err = fmt.Errorf("%w; in %q: %v", err, reader, why)
	}
	return err
}

// look goes through the readers once. Without a card, it says what there is to wait
// for.
func (s *search) look(ctx context.Context) (*card, State, error) {
	names, _, err := readers(ctx)
	if err != nil {
		return nil, 0, err
	}
	s.unplugged(names)
	state := Absent
	for _, name := range names {
		if time.Now().Before(s.passed[name]) {
			continue
		}
		delete(s.why, name)
		c, err := open(ctx, name)
		switch {
		case err == nil && c.serial == s.serial:
			return c, 0, nil
		case err == nil:
			c.release(ctx)
			s.passed[name] = time.Now().Add(otherInterval)
		case ctx.Err() != nil:
			return nil, 0, err
		case errors.Is(err, ErrBusy):
			state = Busy
		case errors.Is(err, ErrService):
			return nil, 0, err
		case errors.Is(err, errGone):
		default:
			s.passed[name], s.why[name] = time.Now().Add(otherInterval), err
		}
	}
	return nil, state, nil
}

// unplugged forgets what was said of readers that are gone: a YubiKey is its own.
func (s *search) unplugged(names []string) {
	there := map[string]bool{}
	for _, name := range names {
		there[name] = true
	}
	for name := range s.passed {
		if !there[name] {
			delete(s.passed, name)
			delete(s.why, name)
		}
	}
}
