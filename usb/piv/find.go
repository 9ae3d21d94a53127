package piv

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	pollInterval = 200 * time.Millisecond
	// otherInterval is how long a reader with another card is left alone: to look at it
	// is to take it from whoever uses it.
	otherInterval = 3 * time.Second
	// serviceGrace is how long pcscd may be away, to begin anew.
	serviceGrace = 3 * time.Second
)

// search is for a key.
type search struct {
	Wanted
	state State
	// passed are readers that don't have it, and when to look at them again.
	passed map[string]time.Time
	why    map[string]error // what is wrong with the card in a reader
	// failing is since when pcscd can't be used.
	failing time.Time
	begun   bool
}

func newSearch(w Wanted) *search {
	if w.Say == nil {
		w.Say = func(State) {}
	}
	return &search{Wanted: w, passed: map[string]time.Time{}, why: map[string]error{}}
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
			s.tell(Ready)
			return c, nil
		case ctx.Err() != nil:
			return nil, s.ended(ctx)
		case errors.Is(err, ErrService) && !s.NoWait && !s.lasting():
			continue
		case err != nil:
			return nil, err
		}
		s.failing = time.Time{}
		if s.NoWait {
			s.state = state
			return nil, s.ended(ctx)
		}
		s.tell(state)
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
		s.Say(state)
	}
}

// ended is the error of a search that goes on no longer.
func (s *search) ended(ctx context.Context) error {
	err := context.Cause(ctx)
	switch {
	case !s.failing.IsZero():
		err = because(ErrService, err)
	case s.state == Busy:
		err = because(ErrBusy, err)
	case s.state == Absent:
		err = because(ErrAbsent, err)
	}
	for reader, why := range s.why {
		err = fmt.Errorf("%w; in %q: %v", err, reader, why)
	}
	return err
}

// because adds an error to what it means.
func because(meaning, err error) error {
	if err == nil {
		return meaning
	}
	return fmt.Errorf("%w (%w)", meaning, err)
}

// look goes through the readers once. Without a card, it says what there is to wait
// for.
func (s *search) look(ctx context.Context) (*card, State, error) {
	names, _, err := readers(ctx)
	if err != nil {
		return nil, 0, err
	}
	s.unplugged(names)
	var found *card
	state := Absent
	for _, name := range names {
		c, err := s.try(ctx, name)
		switch {
		case c != nil && s.Serial != 0:
			return c, 0, nil
		case c != nil && found == nil && state == Absent:
			found = c
			continue
		case c != nil:
			c.release(ctx)
			err = ErrSeveral
		case errors.Is(err, ErrBusy) && found != nil:
			err = ErrSeveral
		case errors.Is(err, ErrBusy):
			state, err = Busy, nil
		}
		if err != nil {
			if found != nil {
				found.release(ctx)
			}
			return nil, 0, err
		}
	}
	return found, state, nil
}

// try opens the card in a reader, if it is the one. What is not, is no error, except
// ErrBusy and what no card can help.
func (s *search) try(ctx context.Context, reader string) (*card, error) {
	if time.Now().Before(s.passed[reader]) {
		return nil, nil
	}
	delete(s.why, reader)
	c, err := open(ctx, reader)
	switch {
	case err == nil && (s.Serial == 0 || c.serial == s.Serial):
		return c, nil
	case err == nil:
		c.release(ctx)
		s.passed[reader] = time.Now().Add(otherInterval)
		return nil, nil
	case errors.Is(err, errGone):
		return nil, nil
	case ctx.Err() != nil, errors.Is(err, ErrBusy), errors.Is(err, ErrService):
		return nil, err
	}
	s.passed[reader], s.why[reader] = time.Now().Add(otherInterval), err
	return nil, nil
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
