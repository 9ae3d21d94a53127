package duo_test

import (
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factordtest/duosim"
	"github.com/factord/factord/daemon/wire"
)

// twoPhones is somebody with a telephone that can be called only, and one with the app.
func twoPhones() options {
	landline := duosim.Phone("Desk", "+15555550100")
	landline.Capabilities = []string{"phone"}
	return options{sim: duosim.Config{Users: []duosim.User{alice(func(u *duosim.User) {
		u.Devices = []duosim.Device{landline, duosim.Phone("Pixel 5", "+15555550123"), duosim.Phone("Pixel 6", "+15555550166")}
		u.Answer = duosim.Approved
	})}}}
}

// Whoever comes from pam_duo types words; they mean what they meant there.
func TestWords(t *testing.T) {
	for answer, want := range map[string]string{
		"push": "push Pixel 5", "push1": "push Pixel 5", "PUSH 2": "push Pixel 6", " push2 ": "push Pixel 6",
		"phone": "phone Desk", "phone3": "phone Pixel 6", "call 2": "phone Pixel 5", "3": "phone Desk",
	} {
		for _, proven := range []bool{true, false} {
			if !proven && answer == "3" {
				continue // there is no list to have read it in
			}
			s := newSetup(t, twoPhones())
			a := first
			a.First = proven
			v, shown := s.does(a, "", nil, answer)
			if !v.Allow {
				t.Errorf("%q, proven %v: %+v\n%s", answer, proven, v, shown)
				continue
			}
			p, err := s.sim.NextPush(soon(t), "alice")
			if err != nil || p.Factor+" "+p.DeviceName != want {
				t.Errorf("%q, proven %v: %+v, %v, asked %s %s\n%s", answer, proven, v, err, p.Factor, p.DeviceName, shown)
			}
		}
	}
	s := newSetup(t, options{})
	if _, shown := s.does(first, "", nil, "sms 1"); !strings.Contains(shown, "passcodes sent by SMS: type the first") {
		t.Errorf("sms: %q", shown)
	}
}

// What is no choice costs an answer of the dialogue, and counts as no wrong code.
func TestNoSuchChoice(t *testing.T) {
	const ways = "|there are 3 ways: type a number from 1 to 3"
	s := newSetup(t, options{})
	for _, answer := range []string{"4", "0", "9", "17", "push2", "sms 3", "phone9"} {
		for range 3 {
			v, shown := s.does(first, "", nil, answer, answer, answer, answer)
			if v.Allow || v.Reason != wire.ReasonAttempts || strings.Count(shown, ways) != 2 || strings.Contains(shown, "wrong code") {
				t.Fatalf("%q: %+v, %q", answer, v, shown)
			}
		}
	}
	if n := s.sim.Count("auth"); n != 0 {
		t.Errorf("Duo was asked %d times", n)
	}
	if v, _ := s.does(first, "", nil, "123456"); !v.Allow { // nothing waits
		t.Errorf("a passcode afterwards: %+v", v)
	}
}

// To whom nothing is proven by, a choice that there is not looks alike whoever is asked
// for.
func TestNoSuchChoiceDiscreet(t *testing.T) {
	a := first
	a.First = false
	for _, answer := range []string{"", "1", "2", "9", "44", "push", "push7", "sms", "call 2"} {
		stranger := a
		stranger.User = "nobody-here"
		heard := func(s *setup, a wire.Auth) string {
			v, shown := s.does(a, "", nil, answer, answer, answer)
			return shown + "|" + v.Text
		}
		want := heard(newSetup(t, options{}), stranger)
		for _, st := range []duosim.Status{duosim.Disabled, duosim.Enroll} {
			if got := heard(newSetup(t, status(st)), a); got != want {
				t.Errorf("%q, %q: %q, want %q", st, answer, got, want)
			}
		}
	}
	if _, shown := newSetup(t, options{}).does(a, "", nil, "44", "push9"); shown != "Passcode: |no code was given|Passcode: |no code was given|Passcode: " {
		t.Errorf("who has Duo: %q", shown)
	}
}
