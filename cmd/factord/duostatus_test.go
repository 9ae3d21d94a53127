package main_test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/factordtest/duosim"
	"github.com/factord/factord/daemon/wire"
)

// Root sees whether Duo's keys are right before anybody is locked out, and what is wrong
// with them.
func TestDuoStatus(t *testing.T) {
	factordtest.NeedRoot(t)
	sim := duosim.Start(t, duosim.Config{})
	p := factordtest.StartProcess(t, factordtest.ProcessOptions{Config: withDuo(sim, keyFile(t, filepath.Join(t.TempDir(), "skey"), sim.SKey()))})
	says := func(fault duosim.Fault, args string, good bool, want ...string) {
		t.Helper()
		sim.ClearFaults()
		if fault != "" {
			if err := sim.Fault(fault, "", duosim.Forever); err != nil {
				t.Fatal(err)
			}
		}
		out, err := exec.Command(filepath.Join(factordtest.Build(t), "factorctl"), append([]string{"--socket", p.Socket}, strings.Fields(args)...)...).CombinedOutput()
		if (err == nil) != good {
			t.Errorf("%s, %q: %v\n%s", args, fault, err, out)
		}
		for _, w := range want {
			if !regexp.MustCompile("(?m)^" + w).Match(out) {
				t.Errorf("%s, %q: without %q:\n%s", args, fault, w, out)
			}
		}
	}
	says("", "status", true, "duo:$", "  usable: +not known yet: factorctl status --check asks Duo$", "  breaker: +closed: Duo is asked$")
	if n := len(sim.Requests()); n != 0 {
		t.Errorf("%d requests unasked for", n)
	}
	says("", "status --check", true, "  usable: +yes$", `  last success: +20\S+ \S+ \(\d+ seconds? ago\)$`, "  clock: +this clock agrees with Duo's$", `  certificate end: +2\S+ \S+ \(\d+ days left\)$`)
	says(duosim.WrongSignature, "status --check", false, "  usable: +no: Duo does not accept the keys: compare ikey, skey and host with the Admin Panel$", "  last error: +duo: check: the integration key", "factorctl: Duo can't be used")
	says(duosim.WrongSignature, "status", true, "  usable: +no: Duo does not accept the keys") // it is remembered
	says(duosim.ClockSkew+"=-312s", "status --check", false, "  usable: +no: this clock is 312 s ahead")
	says(duosim.SelfSigned, "status --check", false, "  usable: +no: Duo's certificate is not trusted")
	says(duosim.Code+"=40301", "status --check", false, "  usable: +no: Duo refuses this application")
	says("", "status --check", true, "  usable: +yes$")
	says(duosim.Refused, "status --check", false, "  usable: +no: Duo can't be reached", `  breaker: +open: Duo is not asked before 20\S+ \S+$`, "  reachable: +no, since 20")
	// Who has just mended the network hears so, without waiting for the breaker.
	says("", "status --check", true, "  usable: +yes$", "  breaker: +closed: Duo is asked$")
	says(duosim.Refused, "status --check", false, "  usable: +no: Duo can't be reached", `  breaker: +open: Duo is not asked before 20\S+ \S+$`)
	says(duosim.Refused, "explain --user root --service sshd", true, `missing: +duo: Duo can't be reached \(preauth: no connection`)
	if _, err := factordtest.Call(p.Socket, 65534, wire.VerbStatus+" check=1"); err == nil || !strings.Contains(err.Error(), "only root") {
		t.Errorf("somebody else: %v", err)
	}
}
