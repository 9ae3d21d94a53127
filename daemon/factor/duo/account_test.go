package duo_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/factordtest/duosim"
	"github.com/factord/factord/daemon/wire"
)

func status(st duosim.Status) options {
	return options{sim: duosim.Config{Users: []duosim.User{alice(func(u *duosim.User) { u.Status = st })}}}
}

// TestBypass: whom Duo lets in without a factor, factord does too, or, if it must not,
// nothing that the person types does it either.
func TestBypass(t *testing.T) {
	discreet := first
	discreet.First = false
	for _, answer := range []string{"", "1", "123456", "000000"} {
		o := status(duosim.Bypass)
		s := newSetup(t, o)
		v, shown := s.does(discreet, "", nil, answer)
		if !v.Allow || shown != "Passcode: |Duo asks for no second factor: Account is in bypass" {
			t.Errorf("%q: %+v, %q", answer, v, shown)
		}
		o.refuse = true
		s = newSetup(t, o)
		for _, a := range []wire.Auth{discreet, first} {
			if v, shown := s.does(a, "", nil, answer, answer, answer); v.Allow {
				t.Errorf("%q, not accepted: %+v, %q", answer, v, shown)
			}
		}
	}
	// A bypass code is one that Duo's administrator has given, and is looked at.
	s := newSetup(t, options{refuse: true, sim: duosim.Config{Users: []duosim.User{alice(func(u *duosim.User) { u.BypassCodes = []string{"123123123"} })}}})
	for i, want := range []bool{true, false} {
		if v, _ := s.does(first, "", nil, "123123123"); v.Allow != want {
			t.Errorf("bypass code, time %d: %+v", i+1, v)
		}
	}
}

// TestBypassProvesNothing: who is asked for nothing has shown nothing, and may not
// change their factors for that.
func TestBypassProvesNothing(t *testing.T) {
	factordtest.NeedRoot(t)
	for _, st := range []duosim.Status{duosim.Bypass, duosim.Active} {
		s := newSetup(t, status(st))
		_, err := factordtest.Call(s.Socket, aliceUID, "ENROLL factor=backup", "123456")
		if (err == nil) != (st == duosim.Active) {
			t.Errorf("%q: %v", st, err)
		}
	}
}

const aliceUID = 1001

// TestLockedOut: Duo's own limit on passcodes.
func TestLockedOut(t *testing.T) {
	s := newSetup(t, options{sim: duosim.Config{Users: []duosim.User{alice(func(u *duosim.User) { u.LockAfter = 2 })}}})
	_, shown := s.does(first, "", nil, "000001", "000002", "")
	if !strings.Contains(shown, "|wrong code|") || !strings.Contains(shown, "|Duo has locked your account: ask your administrator") {
		t.Errorf("shown %q", shown)
	}
}

// TestSMS: Duo sends passcodes, which are typed at the same prompt.
func TestSMS(t *testing.T) {
	s := newSetup(t, options{})
	p := &person{Talk: factordtest.Talk{Answers: []string{"3", ""}}}
	p.hears = func(text string) {
		if codes := s.sim.SentPasscodes("alice"); len(codes) > 0 {
			p.Answers = []string{codes[0]}
		}
	}
	v, err := factordtest.Converse(s.Socket, -1, first, p)
	if err != nil || !v.Allow || p.Shown[4] != "passcodes sent by SMS: type the first" {
		t.Errorf("%+v, %v, %q", v, err, p.Shown)
	}
	if got := s.records(); strings.Contains(got, "timeout") || strings.Contains(got, `"kind":"answer"`) ||
		!strings.Contains(got, `"kind":"sent"`) || !strings.Contains(got, "Duo: sent, by sms") {
		t.Errorf("what is recorded of it: %s", got)
	}
}

// TestDiscreet: to whom nothing is proven by, Duo's answers all look alike, and nobody
// asks Duo before an answer is given.
func TestDiscreet(t *testing.T) {
	a := first
	a.First = false
	for _, answer := range []string{"", "2", "000000"} {
		stranger := a
		stranger.User = "nobody-here"
		_, want := newSetup(t, options{}).does(stranger, "", nil, answer)
		for _, st := range []duosim.Status{duosim.Disabled, duosim.LockedOut, duosim.Enroll} {
			s := newSetup(t, status(st))
			_, shown := s.does(a, "", nil, answer)
			if shown != want || strings.Contains(shown, "Duo") {
				t.Errorf("%q, %q: %q, want %q", st, answer, shown, want)
			}
		}
	}
	s := newSetup(t, options{})
	s.does(a, "", nil)
	if n := len(s.sim.Requests()); n != 0 {
		t.Errorf("%d requests before an answer", n)
	}
}

// TestUnknownAtDuo: the rule says what becomes of them.
func TestUnknownAtDuo(t *testing.T) {
	nobody := duosim.Config{Users: []duosim.User{{Name: "bob"}}}
	s := newSetup(t, options{sim: nobody})
	v, _ := s.does(first, "", nil, "")
	if v.Reason != wire.ReasonNotEnrolled || !strings.HasPrefix(v.Text, "Duo does not know you yet: set up Duo at https://") {
		t.Errorf("required: %+v", v)
	}
	s = newSetup(t, options{sim: nobody, rule: "mode = \"enrolled\"\n"})
	if v, _ := s.does(first, "", nil, ""); v.Basis != wire.BasisNotEnrolled {
		t.Errorf("enrolled: %+v", v)
	}
}

// TestStart: in the middle of a login, with a QR code, and only once it is done.
func TestStart(t *testing.T) {
	s := newSetup(t, options{sim: duosim.Config{Users: []duosim.User{{Name: "bob"}}}, rule: "enroll = \"login\"\n"})
	p := &person{Talk: factordtest.Talk{Answers: []string{"", "", "done"}}}
	asked := 0
	p.hears = func(text string) {
		if strings.HasPrefix(text, "Activate Duo Mobile") {
			if asked++; asked == 2 {
				s.activate(activation(s))
			}
		}
	}
	v, err := factordtest.Converse(s.Socket, -1, first, p)
	shown := strings.Join(p.Shown, "\n")
	if err != nil || !v.Allow || v.Factor != "duo" {
		t.Fatalf("%+v, %v\n%s\n%s", v, err, shown, s.log)
	}
	for _, want := range []string{"█", "https://localhost:", "Activate Duo Mobile, then press Enter: ", "Duo Mobile is not activated yet"} {
		if !strings.Contains(shown, want) {
			t.Errorf("no %q in\n%s", want, shown)
		}
	}
	if v, _ := s.does(first, "Push sent", s.must(s.sim.Approve), ""); !v.Allow {
		t.Errorf("the next login: %+v", v)
	}
}

// activation is the code that the last enrolment at Duo has made, as its client asks
// after it.
func activation(s *setup) string {
	all := s.sim.Requests()
	for i := range all {
		if code := all[len(all)-1-i].Params["activation_code"]; code != "" {
			return code
		}
	}
	return ""
}

func (s *setup) activate(code string) {
	s.t.Helper()
	if err := s.sim.Activate(code, duosim.Phone("Pixel 5", "+15555550123")); err != nil {
		s.t.Error(err)
	}
}

// TestSetUpElsewhere: who waits at the login where Duo's own pages are shown has proven
// nothing when the account is set up there, perhaps by the user and not by them.
func TestSetUpElsewhere(t *testing.T) {
	for _, mode := range []string{"", "mode = \"enrolled\"\n"} {
		s := newSetup(t, options{sim: duosim.Config{Users: []duosim.User{{Name: "alice", Status: duosim.Enroll}}}, rule: "enroll = \"login\"\n" + mode})
		asked := 0
		p := &person{Talk: factordtest.Talk{Answers: []string{"", "", ""}}, hears: func(text string) {
			if strings.HasPrefix(text, "Set up Duo there, then press Enter") {
				if asked++; asked == 2 {
					s.sim.AddUser(alice())
				}
			}
		}}
		v, err := factordtest.Converse(s.Socket, -1, first, p)
		if err != nil || v.Reason != wire.ReasonDenied || v.Text != "Duo is set up: log in again" || asked != 2 || s.sim.Count("auth") != 0 {
			t.Errorf("%q: %+v, %v, %q", mode, v, err, p.Shown)
		}
		if records := s.records(); strings.Contains(records, `"kind":"enroll"`) || !strings.Contains(records, "nothing was proven") {
			t.Errorf("%q: %s", mode, records)
		}
		if v, _ := s.does(first, "Push sent", s.must(s.sim.Approve), ""); !v.Allow || v.Factor != "duo" {
			t.Errorf("%q: the next login: %+v", mode, v)
		}
	}
}

// TestStartGone: a client that hangs up ends what is asked of Duo.
func TestStartGone(t *testing.T) {
	s := newSetup(t, options{sim: duosim.Config{Users: []duosim.User{{Name: "bob"}}}, rule: "enroll = \"login\"\n"})
	s.sim.Fault(duosim.Slow+"=10s", "enroll", duosim.Forever)
	r := s.dial("AUTH user=alice service=sshd first=1 conv=prompt")
	s.Wait(func() bool { return s.sim.Count("enroll") == 1 })
	begun := time.Now()
	r.nc.Close()
	s.Wait(func() bool { return s.Connections() == 0 })
	if took := time.Since(begun); took > 200*time.Millisecond {
		t.Errorf("ended after %v", took)
	}
}

// TestEnroll: factorctl makes the account.
func TestEnroll(t *testing.T) {
	s := newSetup(t, options{sim: duosim.Config{Users: []duosim.User{{Name: "bob"}}}})
	data := s.MustCall("ENROLL factor=duo user=alice no-confirm=1")
	var shown struct{ ID, Factor, Activation, Link string }
	if err := json.Unmarshal([]byte(data), &shown); err != nil || shown.ID != "alice" || shown.Factor != "duo" || !strings.HasPrefix(shown.Activation, "duo://") {
		t.Fatalf("%s, %v", data, err)
	}
	s.activate(shown.Activation)
	if v, _ := s.does(first, "Push sent", s.must(s.sim.Approve), ""); !v.Allow {
		t.Errorf("%+v", v)
	}
	_, err := factordtest.Call(s.Socket, -1, "ENROLL factor=duo user=alice")
	if err == nil || !strings.Contains(err.Error(), `"alice" is set up at Duo already`) || !strings.Contains(err.Error(), "hint: factorctl test ") {
		t.Errorf("again: %v", err)
	}
	s.sim.Fault(duosim.Refused, "", duosim.Forever)
	if _, err := factordtest.Call(s.Socket, -1, "ENROLL factor=duo user=alice"); err == nil || !strings.Contains(err.Error(), "Duo can't be reached") {
		t.Errorf("unreachable: %v", err)
	}
}

// TestEnrollConfirms: it is done when the phone is.
func TestEnrollConfirms(t *testing.T) {
	s := newSetup(t, options{sim: duosim.Config{Users: []duosim.User{{Name: "bob"}}}})
	r := s.dial("ENROLL factor=duo user=alice")
	line, err := r.r.ReadString('\n')
	_, rest, _ := strings.Cut(line, `"activation":"`)
	code, _, _ := strings.Cut(rest, `"`)
	if err != nil || code == "" {
		t.Fatalf("%q, %v", line, err)
	}
	r.expect("INQUIRE PROMPT " + enrolAsk)
	s.activate(code)
	r.send("END")
	r.expect("OK")
}

// TestEnrollAgain: an account whose setting up was broken off is there without a phone,
// and gets one at Duo's own pages, since its activation code is shown once.
func TestEnrollAgain(t *testing.T) {
	s := newSetup(t, options{sim: duosim.Config{Users: []duosim.User{{Name: "bob"}}}})
	shows := func() (*line, map[string]string) {
		r := s.dial("ENROLL factor=duo user=alice")
		text, err := r.r.ReadString('\n')
		var shown map[string]string
		if text = strings.TrimPrefix(strings.TrimSpace(text), "D "); err != nil || json.Unmarshal([]byte(strings.NewReplacer("%0A", "", "%25", "%").Replace(text)), &shown) != nil {
			t.Fatalf("%q, %v", text, err)
		}
		r.expect("INQUIRE PROMPT " + enrolAsk)
		return r, shown
	}
	r, begun := shows()
	r.nc.Close()
	s.Wait(func() bool { return s.Connections() == 0 })
	r, again := shows()
	if again["id"] != "alice" || again["activation"] != "" || !strings.HasPrefix(again["link"], "https://") || !strings.Contains(again["link"], "/portal?") {
		t.Errorf("again: %v", again)
	}
	for range 2 {
		r.send("END")
		r.expect("S INFO Duo does not know of it yet: set it up there, then press Enter")
		r.expect("INQUIRE PROMPT " + enrolAsk)
	}
	r.send("END")
	if text, _ := r.r.ReadString('\n'); !strings.Contains(strings.ReplaceAll(text, "%20", " "), "Duo does not know of it yet: this is not finished") {
		t.Errorf("given up: %q", text)
	}
	r, _ = shows()
	r.send("END")
	r.expect("S INFO Duo does not know of it yet: set it up there, then press Enter")
	r.expect("INQUIRE PROMPT " + enrolAsk)
	s.activate(begun["activation"])
	r.send("END")
	r.expect("OK")
	if got := s.records(); strings.Count(got, "was made at Duo") != 1 || strings.Count(got, `"kind":"enroll"`) != 2 {
		t.Error(got)
	}
}

// Whom Duo lets nobody set up is told what to do.
func TestEnrollDisabled(t *testing.T) {
	s := newSetup(t, status(duosim.Disabled))
	if _, err := factordtest.Call(s.Socket, -1, "ENROLL factor=duo user=alice"); err == nil || !strings.Contains(err.Error(), "Duo's Admin Panel") {
		t.Error(err)
	}
}

const enrolAsk = "Set up Duo Mobile, then press Enter: "

// TestExplain: root hears what Duo says, others ask Duo nothing.
func TestExplain(t *testing.T) {
	factordtest.NeedRoot(t)
	s := newSetup(t, options{})
	data, err := factordtest.Call(s.Socket, aliceUID, "EXPLAIN service=sshd")
	if err != nil || !strings.Contains(data[0], "depends on duo, which is asked only when root explains") || len(s.sim.Requests()) != 0 {
		t.Errorf("%s, %v, %d requests", data, err, len(s.sim.Requests()))
	}
	if data := s.MustCall("EXPLAIN user=alice service=sshd"); !strings.Contains(data, `"usable":["duo"]`) || s.sim.Count("auth") != 0 {
		t.Error(data)
	}
}
