package virtual

import (
	"context"
	"slices"
	"sync"
)

// Touches says who touches the key when FIDO or PIV waits for it.
type Touches uint8

// Kinds of people.
const (
	TouchAsked   Touches = iota // nobody, but for Touch
	TouchGranted                // somebody who always does, at once
	TouchDenied                 // nobody ever will: FIDO is refused, PIV too
)

// finger hands touches to what waits for them, the oldest first.
type finger struct {
	mu      sync.Mutex
	who     Touches
	waiting []*wait
}

// wait is a blinking key.
type wait struct {
	what   string
	answer chan bool // has room for one
}

// await waits for a touch, and says whether there was one before ctx ended.
func (f *finger) await(ctx context.Context, what string) bool {
	w := &wait{what, make(chan bool, 1)}
	f.mu.Lock()
	who := f.who
	if who == TouchAsked {
		f.waiting = append(f.waiting, w)
	}
	f.mu.Unlock()
	if who != TouchAsked {
		return who == TouchGranted && ctx.Err() == nil
	}
	defer f.forget(w)
	select {
	case <-ctx.Done():
		return false
	case yes := <-w.answer:
		return yes
	}
}

func (f *finger) forget(w *wait) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting = slices.DeleteFunc(f.waiting, func(other *wait) bool { return other == w })
}

// touch confirms what has waited longest, and says what that is.
func (f *finger) touch() (string, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.waiting) == 0 {
		return "", false
	}
	w := f.waiting[0]
	f.waiting = f.waiting[1:]
	w.answer <- true
	return w.what, true
}

// blinks says what has waited longest.
func (f *finger) blinks() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.waiting) == 0 {
		return ""
	}
	return f.waiting[0].what
}

// set changes who touches, also for what waits already.
func (f *finger) set(who Touches) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.who = who
	if who == TouchAsked {
		return
	}
	for _, w := range f.waiting {
		w.answer <- who == TouchGranted
	}
	f.waiting = nil
}
