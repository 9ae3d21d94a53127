package duo_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/factordtest/duosim"
)

// explains is what EXPLAIN says of why a factor is missing.
func (s *setup) explains(uid int) (usable []string, missing map[string]string) {
	s.t.Helper()
	command := "EXPLAIN user=alice service=sshd"
	data, err := factordtest.Call(s.Socket, uid, command)
	if err != nil {
		s.t.Fatal(err)
	}
	var e struct {
		Usable  []string
		Missing map[string]string
	}
	if err := json.Unmarshal([]byte(data[0]), &e); err != nil {
		s.t.Fatal(err)
	}
	return e.Usable, e.Missing
}

// Why Duo is not in the offer, root hears beforehand; who may not have Duo asked hears
// that it is not known.
func TestExplainMissing(t *testing.T) {
	factordtest.NeedRoot(t)
	quick := duosim.Config{PushTimeout: 50 * time.Millisecond}
	for name, c := range map[string]struct {
		o    options
		do   func(*setup)
		want string // root hears
	}{
		"unknown there": {options{sim: duosim.Config{Users: []duosim.User{{Name: "bob"}}}}, func(*setup) {}, "Duo does not know you yet"},
		"disabled":      {status(duosim.Disabled), func(*setup) {}, "Duo does not let you in: Your account is disabled"},
		"unreachable":   {options{}, func(s *setup) { s.sim.Fault(duosim.Refused, "", duosim.Forever) }, "Duo can't be reached (preauth: no connection"},
		"breaker open": {options{}, func(s *setup) {
			s.sim.Fault(duosim.Refused, "", duosim.Forever)
			s.does(first, "", nil)
		}, "(a moment ago; not asked again yet)"},
		"keys":        {options{}, func(s *setup) { s.sim.Fault(duosim.WrongSignature, "", duosim.Forever) }, "Duo does not know this machine"},
		"held":        {options{sim: quick}, func(s *setup) { s.tries("", s.sim.Deny) }, "a push was denied a moment ago"},
		"all is well": {options{}, func(*setup) {}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSetup(t, c.o)
			c.do(s)
			if _, missing := s.explains(-1); !strings.Contains(missing["duo"], c.want) || (c.want == "") != (missing["duo"] == "") {
				t.Errorf("root hears %q, want %q", missing["duo"], c.want)
			}
			before := len(s.sim.Requests())
			if usable, missing := s.explains(aliceUID); missing["duo"] != "not known: asked only when root explains" || len(usable) > 0 || len(s.sim.Requests()) != before {
				t.Errorf("alice hears %q, %q", usable, missing)
			}
		})
	}
}
