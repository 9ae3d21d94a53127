package duo_test

import (
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/factordtest/duosim"
	"github.com/factord/factord/daemon/wire"
)

// The code of a Verified Push has to be seen by somebody.
func TestVerifiedPushNobodySees(t *testing.T) {
	s := newSetup(t, options{sim: duosim.Config{VerifiedPush: true}})
	a := first
	a.Conv = wire.ConvNone
	v, _ := s.does(a, "", nil)
	if v.Reason != wire.ReasonDenied || !strings.Contains(v.Text, "needs a prompt") || s.sim.Count("auth") != 0 {
		t.Errorf("%+v, %d pushes", v, s.sim.Count("auth"))
	}
	a.First = false
	if v, _ := s.does(a, "", nil); v.Allow || strings.Contains(v.Text, "push") || s.sim.Count("auth") != 0 {
		t.Errorf("%+v, %d pushes", v, s.sim.Count("auth"))
	}
}

// Of a client that is not root's, the service is its own word.
func TestServiceAsTold(t *testing.T) {
	factordtest.NeedRoot(t)
	s := newSetup(t, options{})
	for uid, name := range map[int]string{-1: "Service", aliceUID: "Service (as told)"} {
		a := wire.Auth{User: "alice", Service: "payroll", Conv: wire.ConvInfo}
		v, err := factordtest.Converse(s.Socket, uid, a, &person{hears: func(string) { s.must(s.sim.Approve)() }})
		p, late := s.sim.NextPush(soon(t), "alice")
		if err != nil || late != nil || !v.Allow {
			t.Fatalf("%+v, %v, %v", v, err, late)
		}
		if p.Info.Get(name) != "payroll" || len(p.Info) != 2 {
			t.Errorf("uid %d: %v", uid, p.Info)
		}
	}
}
