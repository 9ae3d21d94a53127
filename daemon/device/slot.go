package device

import (
	"context"
	"slices"
	"sync"
)

const (
	// maxOperations is how many operations are under way at once, each a process.
	maxOperations = 12
	// maxOfUser is how many of them are one user's. To wait for a key that is not plugged
	// in is an operation too, so without it one user could keep all others waiting.
	maxOfUser = 3
)

// slots are given to operations, in the order in which they came, except that nobody waits
// for one whose user has enough.
type slots struct {
	mu      sync.Mutex
	taken   map[string]int // by users
	all     int
	waiting []*waiter
}

type waiter struct {
	user string
	turn chan struct{} // closed when it has a slot
}

// take waits for a slot, which give gives back.
func (s *slots) take(ctx context.Context, user string) error {
	w := &waiter{user: user, turn: make(chan struct{})}
	s.mu.Lock()
	s.waiting = append(s.waiting, w)
	s.admit()
	s.mu.Unlock()
	select {
	case <-w.turn:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	n := slices.Index(s.waiting, w)
	if n >= 0 {
		s.waiting = slices.Delete(s.waiting, n, n+1)
	}
	s.mu.Unlock()
	if n < 0 { // its turn has come at the same time
		s.give(user)
	}
	return context.Cause(ctx)
}

func (s *slots) give(user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.taken[user]--; s.taken[user] == 0 {
		delete(s.taken, user)
	}
	s.admit()
}

// admit gives slots to who may have one. s.mu is held.
func (s *slots) admit() {
	s.waiting = slices.DeleteFunc(s.waiting, func(w *waiter) bool {
		if s.all == maxOperations || s.taken[w.user] == maxOfUser {
			return false
		}
		s.all++
		s.taken[w.user]++
		close(w.turn)
		return true
	})
}
