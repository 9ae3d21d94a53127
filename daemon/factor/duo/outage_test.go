package duo_test

import (
	"cmp"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest/duosim"
	"github.com/factord/factord/daemon/wire"
)

// TestOutages: what Duo can do wrong before anything is asked, by name, and what comes
// of it. None lets in, unless the rule says so, and then only where nobody was there.
func TestOutages(t *testing.T) {
	const limit, tell = 300 * time.Millisecond, "tell your administrator"
	for _, c := range []struct {
		fault   duosim.Fault
		text    string
		log     string
		lenient bool   // with unavailable = "allow"
		advice  string // instead of trying again
	}{
		{duosim.Refused, "Duo can't be reached", "no connection", true, ""},
		{duosim.Blackhole, "Duo can't be reached", "waiting for TLS", true, ""},
		{duosim.TLSSilence, "Duo can't be reached", "no answer in time", false, ""},
		{duosim.ServerError, "Duo can't be reached", "HTTP 500", true, ""},
		{duosim.BadGateway, "Duo can't be reached", "HTTP 502", true, ""},
		{duosim.ExpiredCert, "Duo can't be reached safely", "certificate has expired", false, tell},
		{duosim.WrongNameCert, "Duo can't be reached safely", "not localhost", false, tell},
		{duosim.SelfSigned, "Duo can't be reached safely", "unknown authority", false, tell},
		{duosim.Slow + "=3s", "Duo can't be reached", "no answer in time", false, ""},
		{duosim.RateLimit, "Duo is asked too often", "HTTP 429", false, "wait a minute, then try again"},
		{duosim.Code + "=40301", "Duo refused the request", "code 40301", false, "ask your administrator"},
		{duosim.WrongSignature, "Duo does not know this machine", "code 40103", false, tell},
		{duosim.WrongIKey, "Duo does not know this machine", "code 40102", false, tell},
		{duosim.Garbage, "Duo refused the request", "makes no sense", false, ""},
		{duosim.HTML, "Duo refused the request", "makes no sense", false, ""},
		{duosim.UnknownResult, "Duo refused the request", "makes no sense", false, ""},
		{duosim.ClockSkew + "=-312s", "Duo can't be used, this machine's clock is wrong", "this clock is 312 s ahead", false, tell},
	} {
		t.Run(string(c.fault), func(t *testing.T) {
			t.Parallel()
			s := newSetup(t, options{preauth: limit, rule: "unavailable = \"allow\"\n"})
			s.MustEnroll("bob", "backup")
			s.sim.AddUser(duosim.User{Name: "bob", Devices: []duosim.Device{duosim.Phone("Pixel 5", "+15555550124")}})
			s.sim.Fault(c.fault, "", duosim.Forever)
			began := time.Now()
			v, _ := s.does(first, "", nil)
			if took := time.Since(began); took > limit+2*time.Second {
				t.Errorf("took %v", took)
			}
			if c.lenient != (v.Allow && v.Basis == wire.BasisUnavailable) || !c.lenient && (v.Reason != wire.ReasonUnavailable || v.Text != c.text+": "+cmp.Or(c.advice, "try again, or ask your administrator")) {
				t.Errorf("%+v", v)
			}
			other := first
			other.User = "bob"
			v, shown := s.does(other, "", nil)
			if v.Allow || !strings.HasPrefix(shown, c.text+": use another factor|Backup code: ") {
				t.Errorf("with another factor: %+v, %q", v, shown)
			}
			s.Stop()
			if log := s.log.String(); strings.Count(log, c.log) < 2 {
				t.Errorf("not twice in the log: %q:\n%s", c.log, log)
			}
		})
	}
}

// TestOutageOfAnother: that Duo failed for somebody else, or a moment ago, lets nobody in
// while Duo is there.
func TestOutageOfAnother(t *testing.T) {
	for name, fault := range map[string]duosim.Fault{"a 5xx": duosim.ServerError, "no connection": duosim.Refused} {
		s := newSetup(t, options{rule: "unavailable = \"allow\"\n"})
		s.sim.AddUser(duosim.User{Name: "bob", Devices: []duosim.Device{duosim.Phone("Pixel 6", "+15555550999")}})
		s.sim.Fault(fault, "", duosim.Forever)
		bob := first
		bob.User = "bob"
		if v, _ := s.does(bob, "", nil); v.Basis != wire.BasisUnavailable {
			t.Errorf("%s: %+v", name, v)
		}
		s.sim.ClearFaults()
		if v, _ := s.does(first, "", nil); v.Allow || s.sim.Count("preauth") == 0 {
			t.Errorf("%s, then Duo is back: %+v", name, v)
		}
		if v, _ := s.does(first, "Push sent", s.must(s.sim.Approve), ""); v.Basis != wire.BasisFactor {
			t.Errorf("%s, then a push: %+v", name, v)
		}
	}
}

// TestStrictOutages: without those words in the rule nobody gets in.
func TestStrictOutages(t *testing.T) {
	for _, mode := range []string{"", "mode = \"enrolled\"\n", "enroll = \"login\"\n"} {
		s := newSetup(t, options{rule: mode})
		s.sim.Fault(duosim.Refused, "", duosim.Forever)
		if v, _ := s.does(first, "", nil, ""); v.Allow || v.Reason != wire.ReasonUnavailable {
			t.Errorf("%q: %+v", mode, v)
		}
		begun := time.Now() // what is known of it is not found out again
		if v, _ := s.does(first, "", nil, ""); v.Allow || time.Since(begun) > 100*time.Millisecond {
			t.Errorf("%q, again: %+v after %v", mode, v, time.Since(begun))
		}
	}
}

// TestOutageInTheMiddle: Duo goes away after the prompt.
func TestOutageInTheMiddle(t *testing.T) {
	for name, c := range map[string]struct {
		fault    duosim.Fault
		endpoint string
		answer   string
		shown    string
	}{
		"auth":     {duosim.ServerError, "auth", "", "Duo can't be reached"},
		"passcode": {duosim.ServerError, "auth", "123456", "Duo can't be reached"},
		"garbage":  {duosim.Garbage, "auth", "123456", "Duo refused the request"},
		"polling":  {duosim.Garbage, "auth_status", "", "Duo refused the request"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSetup(t, options{deadline: 2 * time.Second, rule: "unavailable = \"allow\"\n"})
			s.sim.Fault(c.fault, c.endpoint, duosim.Forever)
			v, shown := s.does(first, "", nil, c.answer)
			if v.Allow || !strings.Contains(shown, c.shown+"|Passcode") {
				t.Errorf("%+v, %q\n%s", v, shown, s.log)
			}
		})
	}
}

// TestDeadline: nobody answers, and Duo does not say so either.
func TestDeadline(t *testing.T) {
	s := newSetup(t, options{deadline: time.Second})
	s.sim.Fault(duosim.NeverFinal, "auth_status", duosim.Forever)
	began := time.Now()
	v, shown := s.does(first, "", nil, "")
	if took := time.Since(began); v.Allow || took > 2*time.Second || took < 900*time.Millisecond {
		t.Errorf("%+v after %v", v, took)
	}
	if !strings.Contains(shown, "nobody answered the push|Passcode") {
		t.Errorf("shown %q", shown)
	}
}

// A passcode in a discreet login is two questions to Duo within one deadline.
func TestDeadlineOfAPasscode(t *testing.T) {
	s := newSetup(t, options{deadline: 2 * time.Second, preauth: 2 * time.Second})
	s.sim.Fault("slow=1800ms", "preauth", duosim.Forever)
	s.sim.Fault(duosim.Blackhole, "auth", duosim.Forever)
	a := first
	a.First = false
	began := time.Now()
	if v, _ := s.does(a, "", nil, "987654321"); v.Allow || time.Since(began) > 3*time.Second {
		t.Errorf("%+v after %v", v, time.Since(began))
	}
}
