package duo_test

import (
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest/duosim"
)

// hangsUpEarly has a push sent, and is gone before Duo has said its txid. That ends the
// session's own work at once.
func (s *setup) hangsUpEarly() {
	s.t.Helper()
	before := s.sim.Count("auth")
	r := s.dial("AUTH user=alice service=sshd first=1 rhost=203.0.113.9 conv=info")
	s.Wait(func() bool { return s.sim.Count("auth") == before+1 })
	begun := time.Now()
	r.nc.Close()
	s.Wait(func() bool { return s.Connections() == 0 })
	if took := time.Since(begun); took > 200*time.Millisecond {
		s.t.Errorf("ended after %v", took)
	}
}

// A no to a push whose attempt has hung up before Duo named it is heard, too.
func TestHangUpBeforeTxID(t *testing.T) {
	for name, c := range map[string]struct {
		no   func(*duosim.Server) func(string) error
		held string
	}{
		"deny":  {func(s *duosim.Server) func(string) error { return s.Deny }, saidNo},
		"fraud": {func(s *duosim.Server) func(string) error { return s.Fraud }, fraud},
	} {
		s := newSetup(t, options{})
		s.sim.Fault(duosim.Slow+"=300ms", "auth", 1)
		s.hangsUpEarly()
		if _, err := s.sim.NextPush(soon(t), "alice"); err != nil {
			t.Fatal(err)
		}
		s.must(c.no(s.sim))()
		if got := s.tries("", s.sim.Approve); !strings.HasPrefix(got, c.held) {
			t.Errorf("%s: %q, want %q", name, got, c.held)
		}
		if audit := s.MustCall("AUDIT last=100"); strings.Count(audit, "Duo: "+name+", to what an attempt asked at") != 1 {
			t.Errorf("%s: %s", name, audit)
		}
	}
}

// The txid is asked after while it is not known, and one that was learnt is written down.
func TestHangUpBeforeTxIDThenAgain(t *testing.T) {
	s := newSetup(t, options{})
	for range 3 {
		s.sim.Fault(duosim.Slow+"=300ms", "auth", 1)
		s.hangsUpEarly()
	}
	if got := s.tries("", s.sim.Approve); got != "too many pushes were not answered: type a passcode, or wait 10 minutes" {
		t.Errorf("%q", got)
	}
}

// Of pushes that Duo never names nobody can hear a no, so two are enough.
func TestHangUpNeverNamed(t *testing.T) {
	s := newSetup(t, options{})
	s.sim.Fault(duosim.Slow+"=1m", "auth", 2)
	for range 2 {
		s.hangsUpEarly()
	}
	s.pass(time.Minute)
	if got := s.tries("", s.sim.Approve); got != "too many pushes were not answered: type a passcode, or wait 9 minutes" {
		t.Errorf("%q", got)
	}
	if v, _ := s.does(first, "", nil, "123456"); !v.Allow {
		t.Errorf("a passcode: %+v", v)
	}
	s.pass(9 * time.Minute)
	if got := s.tries("", s.sim.Approve); got != "asked" {
		t.Errorf("ten minutes later: %q", got)
	}
}
