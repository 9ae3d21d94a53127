package duo_test

import (
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/factordtest/duosim"
)

// While the prompt stands, Duo's administrator may put an account into bypass: from then
// on Duo takes any code, which proves nothing; or may disable it.
func TestChangedBehindThePrompt(t *testing.T) {
	for name, c := range map[string]struct {
		becomes duosim.Status
		after   time.Duration
		refuse  bool
		answer  string
		allow   bool
		log     string
	}{
		"a code":                         {becomes: duosim.Bypass, after: 3 * time.Second, answer: "000000", allow: true, log: "no proof was asked for"},
		"a code at once":                 {becomes: duosim.Bypass, answer: "000000", allow: true, log: "no proof was asked for"},
		"a push":                         {becomes: duosim.Bypass, after: 3 * time.Second, allow: true, log: "no proof was asked for"},
		"a code, not accepted":           {becomes: duosim.Bypass, after: 3 * time.Second, refuse: true, answer: "000000", log: "accept_bypass = false"},
		"a code at once, not accepted":   {becomes: duosim.Bypass, refuse: true, answer: "000000", log: "accept_bypass = false"},
		"a push at once, not accepted":   {becomes: duosim.Bypass, refuse: true, log: "accept_bypass = false"},
		"a code of a disabled account":   {becomes: duosim.Disabled, after: 3 * time.Second, answer: "123456", log: "Your account is disabled"},
		"a push of a disabled account":   {becomes: duosim.Disabled, after: 3 * time.Second, log: "Your account is disabled"},
		"nothing changes, long ago":      {after: time.Minute, answer: "123456", allow: true},
		"nothing changes, the clock did": {after: -time.Hour, answer: "123456", allow: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSetup(t, options{refuse: c.refuse})
			v, shown := s.does(first, "Enter for a push", func() {
				if c.becomes != duosim.Active {
					s.becomes(c.becomes)
				}
				s.pass(c.after)
			}, c.answer)
			audit := s.MustCall("AUDIT last=100")
			if v.Allow != c.allow || !strings.Contains(audit, c.log) {
				t.Errorf("%+v, %q\n%s", v, shown, audit)
			}
			if n := s.sim.Count("auth"); c.log != "" && (c.after > 0 || c.refuse) && n != 0 {
				t.Errorf("Duo was asked for a proof %d times", n)
			}
		})
	}
}

// Nor is it a proof with which one's factors could be changed.
func TestBypassBehindThePromptProvesNothing(t *testing.T) {
	factordtest.NeedRoot(t)
	s := newSetup(t, options{})
	r := s.dialAs(aliceUID, "ENROLL factor=backup")
	for { // the list, then the question
		text, err := r.r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(text, "INQUIRE") {
			break
		}
	}
	s.becomes(duosim.Bypass)
	r.send("D 000000\nEND")
	for {
		text, err := r.r.ReadString('\n')
		if err != nil || strings.HasPrefix(text, "ERR") || strings.HasPrefix(text, "INQUIRE") {
			break
		}
		if strings.HasPrefix(text, "D ") || strings.HasPrefix(text, "OK") {
			t.Fatalf("heard %q", text)
		}
	}
	if n := s.sim.Count("auth"); n != 0 {
		t.Errorf("Duo was asked for a proof %d times", n)
	}
}
