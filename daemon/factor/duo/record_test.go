package duo_test

import (
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/factordtest/duosim"
	"github.com/factord/factord/daemon/wire"
)

// records are the audit records of alice, and of what was refused before.
func (s *setup) records() string {
	return s.MustCall("AUDIT user=alice last=1000") + s.MustCall("AUDIT refusals=1")
}

// A login in which another factor had to serve for Duo says so.
func TestRecordOfAFallback(t *testing.T) {
	s := newSetup(t, options{})
	token := s.MustEnroll("alice", "totp")
	s.sim.Fault(duosim.Refused, "", duosim.Forever)
	if v, _ := s.does(first, "", nil, factordtest.TOTP(t, token, s.Daemon.Clock.Now())); !v.Allow || v.Factor != "totp" {
		t.Fatalf("%+v", v)
	}
	if got := s.records(); !strings.Contains(got, `"verdict":"allow"`) || !strings.Contains(got, `"log":"duo unavailable: preauth: no connection`) {
		t.Error(got)
	}
	s.sim.ClearFaults()
}

// Whom Duo does not know has not been too slow.
func TestRecordOfTheUnknown(t *testing.T) {
	a := first
	a.First = false
	for _, c := range []struct {
		conv    wire.Conv
		answers []string
		reason  wire.Reason
	}{
		{wire.ConvPrompt, []string{"", "", ""}, wire.ReasonDenied},
		{wire.ConvPrompt, []string{"push", "1", "sms"}, wire.ReasonDenied},
		{wire.ConvPrompt, []string{"123456", "123456", "123456"}, wire.ReasonAttempts},
		{wire.ConvNone, nil, wire.ReasonDenied},
	} {
		s := newSetup(t, options{sim: duosim.Config{Users: []duosim.User{{Name: "bob"}}}})
		a.Conv = c.conv
		v, _ := s.does(a, "", nil, c.answers...)
		if v.Allow || v.Reason != c.reason {
			t.Errorf("%q: %+v", c.answers, v)
		}
		if got := s.records(); strings.Contains(got, "timeout") || !strings.Contains(got, "Duo does not know") && !strings.Contains(got, "Duo: the user has no account there") {
			t.Errorf("%q: %s", c.answers, got)
		}
	}
}

// Setting up an account is on record, and so is one that was made at Duo and not
// finished.
func TestRecordOfEnrolling(t *testing.T) {
	s := newSetup(t, options{sim: duosim.Config{Users: []duosim.User{{Name: "carol"}}}})
	r := s.dial("ENROLL factor=duo user=alice")
	r.r.ReadString('\n')
	r.nc.Close()
	s.Wait(func() bool { return s.Connections() == 0 })
	if got := s.records(); !strings.Contains(got, `"kind":"enroll"`) || !strings.Contains(got, `account \"alice\" was made at Duo, and not activated yet`) {
		t.Errorf("broken off: %s", got)
	}
	s.MustCall("ENROLL factor=duo user=bob no-confirm=1")
	if got := s.MustCall("AUDIT user=bob last=1000"); !strings.Contains(got, `"kind":"enroll"`) || !strings.Contains(got, `"factor":"duo"`) {
		t.Errorf("done: %s", got)
	}
}

// Who wants to change their factors while Duo is away hears that, and not that they
// have none.
func TestProofWithoutDuo(t *testing.T) {
	factordtest.NeedRoot(t)
	s := newSetup(t, options{})
	s.sim.Fault(duosim.Refused, "", duosim.Forever)
	hears := func(command string) string {
		line, _ := s.dialAs(aliceUID, command).r.ReadString('\n')
		return strings.ReplaceAll(strings.TrimSpace(line), "%20", " ")
	}
	if got := hears("ENROLL factor=backup"); got != "S INFO Duo can't be reached, so a factor that you may have there can't be proven now" {
		t.Errorf("%q", got)
	}
	s.MustEnroll("alice", "hotp")
	if got := hears("RESYNC id=hotp-1"); !strings.HasSuffix(got, " Duo can't be reached: try again, or ask your administrator") {
		t.Errorf("beside another: %q", got)
	}
}
