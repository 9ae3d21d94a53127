package pam_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/pam/pamtest"
)

// pamtester runs the auth stack of a service, and setcred as sshd does.
func (l *lab) pamtester(service, code string) int {
	l.t.Helper()
	factordtest.NeedProgram(l.t, "pamtester")
	status, out := run(l.t, code+"\n", exec.Command("pamtester", service, l.who.Name, "authenticate", "setcred", "acct_mgmt"))
	l.t.Logf("pamtester: exit %d: %s", status, out)
	return status
}

func TestPamtester(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{})
	for _, snippet := range []string{"sudo-expose_authtok", "sshd-pam_exec"} {
		service := pamtest.Service(t, l.snippet(snippet))
		code := l.code()
		backup := l.MustEnroll(l.who.Name, "backup").Codes[0]
		for _, step := range []struct {
			name, answer string
			status       int
			record       map[string]string
		}{
			{"right", code, 0, map[string]string{"verdict": "allow", "basis": "factor", "factor": "totp", "service": service, "rule": "any"}},
			{"again", code, 1, map[string]string{"verdict": "deny", "reason": "replayed"}},
			{"wrong", l.wrong(), 1, map[string]string{"verdict": "deny", "reason": "denied"}},
			{"empty", "", 1, map[string]string{"verdict": "deny", "reason": "denied"}},
			{"backup", backup, 0, map[string]string{"verdict": "allow", "factor": "backup"}},
			{"backup again", backup, 1, map[string]string{"verdict": "deny", "reason": "replayed"}},
			{"next", l.code(), 0, map[string]string{"verdict": "allow", "factor": "totp"}},
		} {
			if status := l.pamtester(service, step.answer); status != step.status {
				t.Errorf("%s: %s: exit %d, want %d", snippet, step.name, status, step.status)
			}
			l.lastRecord(step.record)
		}
	}
}

// Without factord nobody gets in.
func TestPamtesterWithoutFactord(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{})
	service := pamtest.Service(t, l.snippet("sudo-expose_authtok"))
	refused := func(when string) {
		t.Helper()
		if status := l.pamtester(service, l.code()); status != 1 {
			t.Errorf("%s: exit %d, want 1", when, status)
		}
	}
	l.Kill9() // leaves its socket
	refused("nobody listens")
	if err := os.Remove(l.Socket); err != nil {
		t.Fatal(err)
	}
	refused("socket missing")
	l.Start()
	if status := l.pamtester(service, l.code()); status != 0 {
		t.Errorf("back again: exit %d", status)
	}
	l.Stop()
	refused("factord stopped")
}

// The exit statuses of factor-helper under pam_exec are its interface.
func TestHelperStatus(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{})
	code := l.code()
	helper := func(stdin string, args ...string) int {
		cmd := exec.Command(l.helper(), args...)
		cmd.Env = []string{"PAM_TYPE=auth", "PAM_USER=" + l.who.Name, "PAM_SERVICE=sudo"}
		status, out := run(t, stdin, cmd)
		t.Logf("exit %d: %s", status, out)
		return status
	}
	for _, step := range []struct {
		name, stdin string
		args        []string
		want        int
	}{
		{"right", code, []string{"pam", "--socket", l.Socket}, 0},
		{"replayed", code, []string{"pam", "--socket", l.Socket}, 1},
		{"wrong", l.wrong(), []string{"--socket=" + l.Socket, "pam"}, 1},
		{"nothing typed", "", []string{"pam", "--socket", l.Socket}, 1},
		{"usage", l.code(), []string{"pam", "--socket", l.Socket, "--user", "root"}, 2},
		{"no factord", l.code(), []string{"pam", "--socket", l.Dir + "/none"}, 3},
	} {
		if got := helper(step.stdin, step.args...); got != step.want {
			t.Errorf("%s: exit %d, want %d", step.name, got, step.want)
		}
	}
}
