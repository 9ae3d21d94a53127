package duo_test

import (
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest/duosim"
)

// tries asks for a push and returns what the person hears, "asked" for a push that
// was sent, which does then answers.
func (s *setup) tries(choice string, do func(string) error) string {
	s.t.Helper()
	before := s.sim.Count("auth")
	a := first
	v, shown := s.does(a, "Push sent", s.must(do), choice)
	if s.sim.Count("auth") > before {
		return "asked"
	}
	if v.Allow {
		return "let in without"
	}
	for _, question := range []string{"Passcode, or Enter for a push: ", "Passcode: "} {
		if _, answer, found := strings.Cut(shown, question+"|"); found {
			return strings.TrimSuffix(answer, "|"+question)
		}
	}
	return shown
}

func TestDeniedHoldsForAMinute(t *testing.T) {
	s := newSetup(t, options{})
	if got := s.tries("", s.sim.Deny); got != "asked" {
		t.Fatal(got)
	}
	const held = "a push was denied a moment ago, so none is sent: type a passcode, or wait "
	s.Stop()
	s.Run()
	for _, wait := range []string{"1 minute", "31 seconds", "1 second"} {
		if got := s.tries("", s.sim.Approve); got != held+wait {
			t.Errorf("%q, want %q", got, held+wait)
		}
		if wait == "1 minute" {
			s.pass(29 * time.Second)
		} else {
			s.pass(30 * time.Second)
		}
	}
	if got := s.tries("", s.sim.Approve); got != "asked" {
		t.Errorf("after a minute: %q", got)
	}
}

// A clock that is set back gives no push sooner.
func TestClockSetBack(t *testing.T) {
	s := newSetup(t, options{})
	s.tries("", s.sim.Deny)
	for _, d := range []time.Duration{-time.Hour, -24 * time.Hour} {
		s.pass(d)
		if got := s.tries("", s.sim.Approve); got == "asked" {
			t.Errorf("asked %v before", d)
		}
	}
	s.pass(25*time.Hour + deniedTime)
	if got := s.tries("", s.sim.Approve); got != "asked" {
		t.Errorf("later: %q", got)
	}
}

const deniedTime = time.Minute

func TestFraudUntilUnlocked(t *testing.T) {
	s := newSetup(t, options{})
	s.tries("", s.sim.Fraud)
	for _, d := range []time.Duration{0, time.Hour, 1000 * time.Hour} {
		s.pass(d)
		if got := s.tries("1", s.sim.Approve); !strings.HasPrefix(got, "a push was reported as fraud") {
			t.Errorf("after %v: %q", d, got)
		}
	}
	if v, _ := s.does(first, "", nil, "123456"); !v.Allow {
		t.Errorf("a passcode: %+v", v)
	}
	s.MustCall("UNLOCK user=alice")
	if got := s.tries("", s.sim.Approve); got != "asked" {
		t.Errorf("unlocked: %q", got)
	}
}

// Three that nobody answered, by whatever means they came to nothing; then passcodes.
func TestThreeUnanswered(t *testing.T) {
	s := newSetup(t, options{sim: duosim.Config{PushTimeout: 50 * time.Millisecond}})
	never := func(string) error { return nil }
	for i := range 3 {
		if got := s.tries([]string{"", "3", ""}[i], never); got != "asked" {
			t.Fatalf("%d: %q", i, got)
		}
		s.pass(time.Minute)
	}
	for _, choice := range []string{"", "2", "3"} {
		if got := s.tries(choice, never); got != "too many pushes were not answered: type a passcode, or wait 7 minutes" {
			t.Errorf("choice %q: %q", choice, got)
		}
	}
	s.pass(7 * time.Minute)
	if got := s.tries("", never); got != "asked" {
		t.Errorf("ten minutes after the first: %q", got)
	}
	if got := s.tries("", never); got == "asked" {
		t.Error("and another one")
	}
}

// One at a time: of two logins the second waits, also if the first one's factord was
// killed, but not for ever.
func TestOnePending(t *testing.T) {
	s := newSetup(t, options{})
	r := s.dial("AUTH user=alice service=sshd first=1 rhost=203.0.113.7 conv=info")
	r.expect("S INFO Push sent to Pixel 5 (XXX-XXX-0123): approve it")
	if got := s.tries("", s.sim.Approve); !strings.HasPrefix(got, "a push of another login of yours is not answered yet") {
		t.Errorf("the second: %q", got)
	}
	killed := s.copied()
	s.must(s.sim.Approve)()
	r.expect("S VERDICT allow basis=factor factor=duo rule=any")
	if got := s.tries("", s.sim.Approve); got != "asked" {
		t.Errorf("after the first: %q", got)
	}
	s.restart(killed)
	if got := s.tries("", s.sim.Approve); got == "asked" {
		t.Error("asked after a kill")
	}
	s.pass(70 * time.Second)
	if got := s.tries("", s.sim.Deny); got != "asked" {
		t.Errorf("a minute after the kill: %q", got)
	}
}
