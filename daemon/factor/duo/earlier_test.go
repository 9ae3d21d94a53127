package duo_test

import (
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/factordtest/duosim"
	"github.com/factord/factord/daemon/wire"
)

// hangsUp has a push sent, and does not wait for the answer.
func (s *setup) hangsUp() {
	s.t.Helper()
	before := s.sim.Count("auth")
	r := s.dial("AUTH user=alice service=sshd first=1 rhost=203.0.113.9 conv=info")
	s.Wait(func() bool { return s.sim.Count("auth") == before+1 && s.sim.Waiting() == 1 })
	r.nc.Close()
	s.Wait(func() bool { return s.sim.Waiting() == 0 && s.Connections() == 0 })
}

const saidNo = "a push was denied a moment ago, so none is sent: type a passcode, or wait "

// A no to a push whose attempt has hung up is one all the same: no other is sent, what is
// remembered of the user is dropped, and the audit record says so.
func TestHangUpThenNo(t *testing.T) {
	factordtest.NeedRoot(t)
	for name, c := range map[string]struct {
		no    func(*duosim.Server) func(string) error
		after time.Duration
		held  string
	}{
		"deny":        {no: func(s *duosim.Server) func(string) error { return s.Deny }, held: saidNo + "1 minute"},
		"fraud":       {no: func(s *duosim.Server) func(string) error { return s.Fraud }, held: fraud},
		"fraud later": {no: func(s *duosim.Server) func(string) error { return s.Fraud }, after: 5 * time.Minute, held: fraud},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSetup(t, options{rule: "remember = \"1h\"\n"})
			remembered := func() bool {
				t.Helper()
				a := first
				a.AuthInfo = true
				v, err := factordtest.Converse(s.Socket, -1, a, &factordtest.Talk{Answers: []string{"123456", "7654321"}, AuthInfo: keyOf(t, "a")})
				if err != nil {
					t.Fatal(err)
				}
				return v.Basis == wire.BasisRemembered
			}
			if remembered() || !remembered() {
				t.Fatal("nothing is remembered")
			}
			s.hangsUp()
			s.must(c.no(s.sim))()
			s.pass(c.after)
			s.Stop()
			s.Run()
			if got := s.tries("", s.sim.Approve); got != c.held {
				t.Errorf("%q, want %q", got, c.held)
			}
			if remembered() {
				t.Error("still remembered")
			}
			status := strings.Fields(name)[0]
			if audit := s.MustCall("AUDIT last=100"); strings.Count(audit, "Duo: "+status+", to what an attempt asked at") != 1 || !strings.Contains(audit, `"reason":"push-denied"`) {
				t.Error(audit)
			}
		})
	}
}

// A no to a push for which Duo's deadline was too short.
func TestDeadlineThenNo(t *testing.T) {
	s := newSetup(t, options{deadline: 500 * time.Millisecond})
	if v, _ := s.does(first, "", nil, ""); v.Allow {
		t.Fatalf("%+v", v)
	}
	s.must(s.sim.Deny)()
	if got := s.tries("", s.sim.Approve); !strings.HasPrefix(got, saidNo) {
		t.Errorf("%q", got)
	}
}

// Whoever pressed Ctrl-C too soon is asked again at once, and a yes to the first push is
// nobody's.
func TestHangUpThenAgain(t *testing.T) {
	for _, approved := range []bool{false, true} {
		s := newSetup(t, options{})
		s.hangsUp()
		if approved {
			s.must(s.sim.Approve)()
		}
		v, shown := s.does(first, "Push sent", s.must(s.sim.Deny), "")
		if v.Reason != wire.ReasonPushDenied || s.sim.Count("auth") != 2 {
			t.Errorf("approved before: %v: %+v, %q, %d pushes", approved, v, shown, s.sim.Count("auth"))
		}
	}
}

// Ringing and hanging up is held back as pushes that time out are.
func TestHangUpAgainAndAgain(t *testing.T) {
	s := newSetup(t, options{})
	for range 3 {
		s.hangsUp()
	}
	if got := s.tries("", s.sim.Approve); got != "too many pushes were not answered: type a passcode, or wait 10 minutes" {
		t.Errorf("%q", got)
	}
}

// A client that goes away while Duo is asked about an earlier push ends that, too.
func TestGoneWhileHearing(t *testing.T) {
	s := newSetup(t, options{})
	s.hangsUp()
	polls := s.sim.Count("auth_status")
	r := s.dial("AUTH user=alice service=sshd first=1 rhost=203.0.113.9 conv=info")
	s.Wait(func() bool { return s.sim.Count("auth_status") > polls && s.sim.Waiting() == 1 })
	begun := time.Now()
	r.nc.Close()
	s.Wait(func() bool { return s.sim.Waiting() == 0 && s.Connections() == 0 })
	if took := time.Since(begun); took > 200*time.Millisecond || s.sim.Count("auth") != 1 {
		t.Errorf("ended after %v, %d pushes", took, s.sim.Count("auth"))
	}
}
