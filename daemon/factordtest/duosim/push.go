package duosim

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"time"
)

// maxUnseen bounds the pushes of one user that NextPush has not handed out.
const maxUnseen = 16384

// Push is a login request, or a call, as the person sees it.
type Push struct {
	Txid            string
	User            string
	Factor          string // push or phone
	Device          string // its ID
	DeviceName      string
	Type            string     // the kind of request that the client named
	Info            url.Values // pushinfo
	RawInfo         string     // pushinfo as it came
	IPAddr          string
	Hostname        string
	DisplayUsername string
	Code            string // what a verified push wants typed
	At              time.Time
}

// pushes are the attempts and who watches them. Server.mu guards them.
type pushes struct {
	byID    map[string]*transaction
	pending map[string][]*transaction // by user, oldest first
	unseen  map[string][]Push         // by user; all of them under ""
	watch   map[string]chan struct{}  // closed when unseen grows
	ended   []string                  // oldest first
	waiting int
}

func (p *pushes) init() {
	p.byID, p.pending = map[string]*transaction{}, map[string][]*transaction{}
	p.unseen, p.watch = map[string][]Push{}, map[string]chan struct{}{}
}

func (p *pushes) start(about Push, st state) *transaction {
	t := &transaction{id: random(36), now: st, wake: make(chan struct{})}
	about.Txid = t.id
	t.push = about
	p.byID[t.id] = t
	if !st.final() {
		p.pending[about.User] = append(p.pending[about.User], t)
	}
	return t
}

// announce hands the push to who waits for it in NextPush.
func (p *pushes) announce(t *transaction) {
	for _, who := range []string{t.push.User, ""} {
		if len(p.unseen[who]) < maxUnseen {
			p.unseen[who] = append(p.unseen[who], t.push)
		}
		if c := p.watch[who]; c != nil {
			close(c)
			delete(p.watch, who)
		}
	}
}

// end keeps the result for a client that has not fetched it.
func (p *pushes) end(t *transaction) {
	user := t.push.User
	p.pending[user] = slices.DeleteFunc(p.pending[user], func(o *transaction) bool { return o == t })
	if len(p.pending[user]) == 0 {
		delete(p.pending, user)
	}
	p.ended = append(p.ended, t.id)
	if len(p.ended) > maxEnded {
		delete(p.byID, p.ended[0])
		p.ended = p.ended[1:]
	}
}

func (p *pushes) stop() {
	for _, t := range p.byID {
		if t.timer != nil {
			t.timer.Stop()
		}
	}
}

// NextPush is the next push or call to user that was not handed out before;
// "" is anybody. It waits for one until ctx ends.
func (s *Server) NextPush(ctx context.Context, user string) (Push, error) {
	for {
		s.mu.Lock()
		if all := s.pushes.unseen[user]; len(all) > 0 {
			s.pushes.unseen[user] = all[1:]
			s.mu.Unlock()
			return all[0], nil
		}
		c := s.pushes.watch[user]
		if c == nil {
			c = make(chan struct{})
			s.pushes.watch[user] = c
		}
		s.mu.Unlock()
		select {
		case <-c:
		case <-s.done:
			return Push{}, fmt.Errorf("duosim is closed")
		case <-ctx.Done():
			return Push{}, fmt.Errorf("waiting for a push to %q: %w", user, context.Cause(ctx))
		}
	}
}

// Pending are the pushes and calls that nobody has answered, oldest first; of one
// user, or of all ("").
func (s *Server) Pending(user string) []Push {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Push
	for name, ts := range s.pushes.pending {
		if user != "" && name != user {
			continue
		}
		for _, t := range ts {
			all = append(all, t.push)
		}
	}
	slices.SortFunc(all, func(a, b Push) int { return a.At.Compare(b.At) })
	return all
}

// Approve is user's yes to all that is pending. A verified push gets its code
// typed rightly; ApproveCode is for a test that wants to know it was shown.
func (s *Server) Approve(user string) error { return s.each(user, Approved) }

// Deny is user's no.
func (s *Server) Deny(user string) error { return s.each(user, Denied) }

// Fraud is user's no, and that it was not them.
func (s *Server) Fraud(user string) error { return s.each(user, Reported) }

func (s *Server) each(user string, a Answer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	pending := slices.Clone(s.pushes.pending[user])
	if len(pending) == 0 {
		return fmt.Errorf("duosim: nothing is pending for %q", user)
	}
	for _, t := range pending {
		s.decide(t, a)
	}
	return nil
}

// ApproveCode types a code into the app: a wrong one denies.
func (s *Server) ApproveCode(user, code string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.pushes.pending[user] {
		if t.push.Code == "" {
			continue
		}
		if t.push.Code != code {
			s.decide(t, Denied)
			return fmt.Errorf("duosim: %q is not the code", code)
		}
		s.decide(t, Approved)
		return nil
	}
	return fmt.Errorf("duosim: no verified push is pending for %q", user)
}

// Answer decides one push by its txid.
func (s *Server) Answer(txid string, a Answer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.pushes.byID[txid]; t == nil || !s.decide(t, a) {
		return fmt.Errorf("duosim: %q is not pending", txid)
	}
	return nil
}

// Waiting is how many requests wait for an answer now (auth_status, and auth
// without async).
func (s *Server) Waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pushes.waiting
}
