package duo_test

import (
	"testing"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/factordtest/duosim"
	"github.com/factord/factord/daemon/wire"
)

// becomes is what alice is at Duo from now on.
func (s *setup) becomes(st duosim.Status) {
	s.sim.AddUser(alice(func(u *duosim.User) { u.Status = st }))
}

// A no of Duo's own is not the person's: it refuses, and holds back and forgets nothing.
func TestPolicyIsNoPersonsNo(t *testing.T) {
	for st, text := range map[duosim.Status]string{
		duosim.Disabled:  "Duo does not let you in: Account is not active",
		duosim.LockedOut: "Duo has locked your account: ask your administrator",
	} {
		s := newSetup(t, options{rule: "remember = \"1h\"\n"})
		login := func() wire.Verdict {
			t.Helper()
			a := first
			a.AuthInfo = true
			v, err := factordtest.Converse(s.Socket, -1, a, &factordtest.Talk{Answers: []string{"123456"}, AuthInfo: keyOf(t, "a")})
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		if v := login(); v.Basis != wire.BasisFactor {
			t.Fatalf("%+v", v)
		}
		v, shown := s.does(first, "Enter for a push", func() { s.becomes(st) }, "")
		if v.Reason != wire.ReasonDenied || v.Text != text {
			t.Errorf("%q: %+v, %q", st, v, shown)
		}
		s.becomes(duosim.Active)
		if v := login(); v.Basis != wire.BasisRemembered {
			t.Errorf("%q: forgotten: %+v", st, v)
		}
		if got := s.tries("", s.sim.Approve); got != "asked" {
			t.Errorf("%q: %q", st, got)
		}
	}
}
