package duo_test

import (
	"crypto/ed25519"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/factordtest/duosim"
)

// keyOf is an SSH_AUTH_INFO_0 with a key made from a letter.
func keyOf(t *testing.T, letter string) string {
	t.Helper()
	key, err := ssh.NewPublicKey(ed25519.NewKeyFromSeed([]byte(strings.Repeat(letter, 32))).Public())
	if err != nil {
		t.Fatal(err)
	}
	return "publickey " + string(ssh.MarshalAuthorizedKey(key))
}

// TestTrustedDevice: what Duo trusts a device for, it does so for one address and key,
// until that is forgotten, the user says no to a push, or root unlocks them.
func TestTrustedDevice(t *testing.T) {
	factordtest.NeedRoot(t)
	s := newSetup(t, options{sim: duosim.Config{Remember: 100 * time.Hour}, rule: "remember = \"1h\"\n"})
	login := func(key string, do func(string) error) string {
		t.Helper()
		s.pass(2 * time.Hour) // what factord itself remembers has passed
		a := first
		a.AuthInfo = true
		p := &person{Talk: factordtest.Talk{Answers: []string{""}, AuthInfo: keyOf(t, key)}, hears: func(text string) {
			if strings.Contains(text, "Push sent") {
				s.must(do)()
			}
		}}
		v, err := factordtest.Converse(s.Socket, -1, a, p)
		switch {
		case err != nil:
			t.Fatal(err)
		case v.Allow && strings.HasPrefix(p.Shown[0], "Duo asks for no second factor"):
			return "trusted"
		}
		return "asked"
	}
	for i, step := range []struct {
		key  string
		do   func(string) error
		want string
		then string
	}{
		{key: "a", do: s.sim.Approve, want: "asked"},
		{key: "a", want: "trusted"},
		{key: "b", do: s.sim.Approve, want: "asked"}, // another key
		{key: "b", want: "trusted"},
		{key: "a", want: "trusted", then: "FORGET user=alice"},
		{key: "a", do: s.sim.Approve, want: "asked"},
		{key: "b", do: s.sim.Deny, want: "asked"}, // drops the other's too
		{key: "a", do: s.sim.Approve, want: "asked"},
		{key: "a", want: "trusted", then: "UNLOCK user=alice"},
		{key: "a", do: s.sim.Approve, want: "asked"},
	} {
		if got := login(step.key, step.do); got != step.want {
			t.Errorf("step %d: %s, want %s", i, got, step.want)
		}
		if step.then != "" {
			s.MustCall(step.then)
		}
	}
	for name, data := range s.copied() {
		if strings.Contains(string(data), "trusted_device") {
			t.Errorf("a token lies open in %s", name)
		}
	}
}

// TestTrustWithoutBypass: where Duo's allow without a factor does not do, it is given no
// token for which it would say so, also none that was kept while it did.
func TestTrustWithoutBypass(t *testing.T) {
	s := newSetup(t, options{sim: duosim.Config{Remember: 100 * time.Hour}, rule: "remember = \"1h\"\n"})
	for i, accept := range []bool{true, false, false} {
		s.duo.AcceptBypass = accept
		s.pass(2 * time.Hour)
		a := first
		a.AuthInfo = true
		p := &person{Talk: factordtest.Talk{Answers: []string{""}, AuthInfo: keyOf(t, "a")}, hears: func(text string) {
			if strings.Contains(text, "Push sent") {
				s.must(s.sim.Approve)()
			}
		}}
		if v, err := factordtest.Converse(s.Socket, -1, a, p); err != nil || !v.Allow || s.sim.Count("auth") != i+1 {
			t.Errorf("login %d: %+v, %v, %q", i, v, err, p.Shown)
		}
	}
}

// TestEscapes: nothing that Duo says steers a terminal, wherever it is shown.
func TestEscapes(t *testing.T) {
	for name, st := range map[string]duosim.Status{"active": duosim.Active, "bypass": duosim.Bypass, "disabled": duosim.Disabled, "enroll": duosim.Enroll} {
		t.Run(name, func(t *testing.T) {
			o := status(st)
			o.sim.PushTimeout = 20 * time.Millisecond
			s := newSetup(t, o)
			s.sim.Fault(duosim.Escapes, "", duosim.Forever)
			for _, answer := range []string{"", "2", "3", "000000"} {
				v, shown := s.does(first, "", nil, answer)
				if i := strings.IndexFunc(shown+v.Text, func(r rune) bool { return r < ' ' || r == 0x7f || 0x80 <= r && r < 0xa0 }); i >= 0 {
					t.Errorf("shown %q", shown+v.Text)
				}
				s.MustCall("UNLOCK user=alice")
			}
			s.Stop()
			if strings.ContainsAny(s.log.String(), "\x1b\x07\u009b") {
				t.Errorf("log:\n%q", s.log)
			}
		})
	}
}

// TestSecretsStayOut: neither keys nor passcodes nor tokens nor codes come into a log
// or an audit record, whatever goes wrong.
func TestSecretsStayOut(t *testing.T) {
	s := newSetup(t, options{sim: duosim.Config{VerifiedPush: true, Remember: time.Hour}, rule: "remember = \"1h\"\n", preauth: 200 * time.Millisecond, deadline: time.Second})
	key := s.sim.SKey()
	var told []string
	login := func(answers ...string) {
		p := &person{Talk: factordtest.Talk{Answers: answers}, hears: func(text string) {
			if code, _, found := strings.Cut(strings.TrimPrefix(text, "Enter "), " in Duo Mobile"); found {
				s.sim.ApproveCode("alice", code)
			}
		}}
		v, err := factordtest.Converse(s.Socket, -1, first, p)
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, v.Text)
		told = append(told, p.Shown...)
	}
	login("31415926", "7654321")
	login("")
	for _, f := range duosim.Faults() {
		switch f {
		case duosim.ClockSkew, duosim.Code, duosim.HugeBody, duosim.RateLimitDate, duosim.RateLimitX, duosim.Refused:
			continue
		}
		s.sim.Fault(f, "", 3)
		login("31415926", "987654321")
		s.sim.ClearFaults()
	}
	s.sim.RotateKey()
	login("31415926", "987654321")
	audit := s.MustCall("AUDIT last=1000")
	s.Stop()
	all := s.log.String() + audit + strings.Join(told, "\n")
	if !strings.Contains(all, "txid ") {
		t.Errorf("nothing is logged:\n%s", all)
	}
	for _, secret := range []string{key, s.sim.SKey(), "31415926", "7654321", "987654321", "Authorization"} {
		if strings.Contains(all, secret) {
			t.Errorf("%q in\n%s", secret, all)
		}
	}
}
