package pam_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
)

// agent runs gpg-connect-agent, a client that we did not write, with a script.
func (l *lab) agent(script ...string) string {
	l.t.Helper()
	program := factordtest.NeedProgram(l.t, "gpg-connect-agent")
	cmd := exec.Command(program, "--raw-socket", l.Socket)
	cmd.Env = []string{"HOME=" + l.t.TempDir(), "LC_ALL=C"}
	status, out := run(l.t, strings.Join(append(script, "/bye"), "\n")+"\n", cmd)
	l.t.Logf("gpg-connect-agent: exit %d\n%s", status, out)
	return out
}

// A login by hand, with GnuPG's client for the same protocol.
func TestGPGConnectAgent(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{})
	expect := func(out string, wants ...string) {
		t.Helper()
		for _, want := range wants {
			_, rest, found := strings.Cut(out, want)
			if !found {
				t.Errorf("%q is missing in\n%s", want, out)
				return
			}
			out = rest
		}
	}
	expect(l.agent("NOP", "RESET", "STATUS"), "OK\n", "OK\n", `D {`, `"ready":true`, "OK\n")

	auth := wire.Command(wire.VerbAuth, "user", l.who.Name, "service", "sudo", "conv", "prompt")
	code := l.code()
	expect(l.agent("/let code "+code, "/definq SECRET code", auth), "S VERDICT allow basis=factor factor=totp rule=any\n", "OK\n")
	l.lastRecord(map[string]string{"verdict": "allow", "factor": "totp", "service": "sudo"})
	expect(l.agent("/let code "+code, "/definq SECRET code", auth), "S VERDICT deny reason=attempts rule=any\n", "ERR 113 ")
	expect(l.agent(auth), "S VERDICT deny ", "ERR 1") // it has no answer, and says CANCEL, which is not CAN
	expect(l.agent("# a comment", "NOP", "NONSENSE"), "OK\n", "ERR 110 ")
}
