package duo_test

import (
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest/duosim"
	"github.com/factord/factord/daemon/wire"
)

// While none would be sent, a push is not offered: what is said instead is until when.
func TestHeldIsNotOffered(t *testing.T) {
	never := func(string) error { return nil }
	for name, c := range map[string]struct {
		before func(*setup)
		says   string
		over   time.Duration // 0: unlocked
	}{
		"denied": {func(s *setup) { s.tries("", s.sim.Deny) }, "a push was denied a moment ago, so none is sent: type a passcode, or wait 1 minute", time.Minute},
		"fraud":  {func(s *setup) { s.tries("", s.sim.Fraud) }, "a push was reported as fraud, so none are sent: type a passcode, and ask your administrator to unlock you", 0},
		"unanswered": {func(s *setup) {
			for range 3 {
				s.tries("", never)
			}
		}, "too many pushes were not answered: type a passcode, or wait 10 minutes", 10 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSetup(t, options{sim: duosim.Config{PushTimeout: 50 * time.Millisecond}})
			c.before(s)
			v, shown := s.does(first, "", nil, "123456")
			if !v.Allow || shown != c.says+"|Passcode: " {
				t.Errorf("%+v, shown %q", v, shown)
			}
			// Who asks for one all the same hears why there is none.
			for _, answer := range []string{"", "1", "push", "9", "sms4"} {
				if got := s.tries(answer, never); got != c.says {
					t.Errorf("%q: %q", answer, got)
				}
			}
			if v, _ := s.does(wire.Auth{User: "alice", Service: "sshd", First: true, Conv: wire.ConvInfo}, "", nil); v.Allow || v.Text != c.says {
				t.Errorf("where nobody can type: %+v", v)
			}
			a := first
			a.First = false
			if _, shown := s.does(a, "", nil, ""); shown != "Passcode: |no code was given|Passcode: " {
				t.Errorf("who has proven nothing: %q", shown)
			}
			if s.pass(c.over); c.over == 0 {
				s.MustCall("UNLOCK user=alice")
			}
			if _, shown := s.does(first, "", nil); !strings.HasPrefix(shown, list) {
				t.Errorf("afterwards: %q", shown)
			}
		})
	}
}
