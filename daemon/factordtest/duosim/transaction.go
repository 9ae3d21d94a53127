package duosim

import (
	"context"
	"crypto/rand"
	"time"
)

// maxEnded bounds the attempts that are remembered after their end, for clients
// that have not asked yet.
const maxEnded = 8192

// state of an attempt, in auth_status's words.
type state struct{ result, status, msg string }

func (s state) final() bool { return s.result != "waiting" }

// transaction is one attempt. Server.mu guards it; nothing of it runs while a
// client waits but the client's own connection.
type transaction struct {
	id    string
	push  Push
	now   state
	told  bool // auth_status has said so
	token string
	wake  chan struct{} // closed when now changes
	timer *time.Timer
}

// move goes on to the next state; there is none after a final one.
func (t *transaction) move(to state) bool {
	if t.now.final() {
		return false
	}
	t.now, t.told = to, false
	close(t.wake)
	t.wake = make(chan struct{})
	if to.final() && t.timer != nil {
		t.timer.Stop()
	}
	return true
}

// settled is an attempt that needs no waiting.
func (s *Server) settled(a *account, in call, st state) *transaction {
	t := s.pushes.start(Push{User: a.Name, IPAddr: in.params["ipaddr"], At: s.now()}, st)
	if st.status == "allow" {
		t.token = s.remember(a.Name, in.params["ipaddr"])
	}
	s.pushes.end(t)
	return t
}

// expire ends what nobody has answered.
func (s *Server) expire(t *transaction) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.move(state{"deny", "timeout", "Login timed out"}) {
		s.pushes.end(t)
	}
}

// decide is the person's answer.
func (s *Server) decide(t *transaction, a Answer) bool {
	to := state{"deny", "deny", "Login request denied"}
	switch a {
	case Approved:
		to = state{"allow", "allow", "Success. Logging you in..."}
	case Reported:
		to = state{"deny", "fraud", "Login request reported as fraudulent"}
	}
	if !t.move(to) {
		return false
	}
	if a == Approved {
		t.token = s.remember(t.push.User, t.push.IPAddr)
	}
	s.pushes.end(t)
	return true
}

// wait answers with the next state that was not told yet, or with a final one.
func (s *Server) wait(ctx context.Context, txid string, untilFinal bool) (any, *failure) {
	var late <-chan time.Time
	if s.c.PollTime > 0 && !untilFinal {
		timer := time.NewTimer(s.c.PollTime)
		defer timer.Stop()
		late = timer.C
	}
	for {
		s.mu.Lock()
		t := s.pushes.byID[txid]
		if t == nil {
			s.mu.Unlock()
			return nil, fail(40002, "txid")
		}
		if t.now.final() || !untilFinal && !t.told {
			t.told = true
			out := fields{"result": t.now.result, "status": t.now.status, "status_msg": t.now.msg}
			if t.token != "" {
				out["trusted_device_token"] = t.token
			}
			s.mu.Unlock()
			return out, nil
		}
		wake := t.wake
		s.pushes.waiting++
		s.mu.Unlock()
		f := s.sleep(ctx, wake, late)
		s.mu.Lock()
		s.pushes.waiting--
		s.mu.Unlock()
		if f != nil {
			return nil, f
		}
	}
}

func (s *Server) sleep(ctx context.Context, wake <-chan struct{}, late <-chan time.Time) *failure {
	select {
	case <-wake:
		return nil
	case <-late:
		return fail(40002, "txid: nothing has happened")
	case <-ctx.Done():
	case <-s.done:
	}
	return fail(50001, "")
}

// digits is a random passcode.
func digits(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	for i := range b {
		b[i] = '0' + b[i]%10
	}
	return string(b)
}
