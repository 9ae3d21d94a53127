package pam_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/pam/pamtest"
)

// sshLab is the real sshd with the snippet, and somebody who logs in.
func sshLab(t *testing.T) (*lab, sshServer) {
	t.Helper()
	l := newLab(t, factordtest.ProcessOptions{})
	return l, moduleSSH(t, l, l.snippet("sshd"), "publickey,keyboard-interactive:pam")
}

// logsIn starts a client at a terminal.
func (l *lab) logsIn(s sshServer, args ...string) *pamtest.Terminal {
	l.t.Helper()
	x := pamtest.NewTerminal(l.t)
	x.Start(nil, s.client("ssh", append([]string{"-l", l.who.Name}, args...)...)...)
	return x
}

// The question comes through whatever the client hides, and the gate knows of the
// answer even where no session follows.
func TestModuleSSHClients(t *testing.T) {
	t.Parallel()
	l, s := sshLab(t)
	for _, tc := range []struct {
		args []string
		in   string
	}{
		{[]string{"-q", "port0", "echo let in"}, "let in"},
		{[]string{"-T", "port0", "echo let in"}, "let in"},
		{[]string{"-tt", "port0", "tty"}, "/dev/pts/"},
		{[]string{"-W", inside(t), "port0"}, "inside"},
		{[]string{"-v", "-N", "port0"}, "Entering interactive session"},
		{[]string{"-s", "port0", "none"}, "subsystem request failed"}, // by the server, after the login
	} {
		x := l.logsIn(s, tc.args...)
		x.Expect(prompt)
		if strings.Contains(x.Screen(), tc.in) {
			t.Errorf("%q: before the code:\n%s", tc.args, x.Screen())
		}
		x.Type(l.code() + "\r")
		x.Expect(tc.in)
		x.Kill()
		x.Wait()
		l.lastRecord(map[string]string{"verdict": "allow", "basis": "factor"})
	}
}

// Who shares a connection that is open already is not asked again.
func TestModuleSSHMultiplexed(t *testing.T) {
	t.Parallel()
	l, s := sshLab(t)
	share := []string{"-o", "ControlPath=" + filepath.Join(s.dir, "control"), "-o", "ControlMaster=auto", "port0"}
	first := l.logsIn(s, append(share, "echo the first; read line")...)
	first.Expect(prompt)
	first.Type(l.code() + "\r")
	first.Expect("the first")
	asked := len(l.audit())
	second := l.logsIn(s, append(share, "echo the second")...)
	second.Expect("the second")
	if status := second.Wait(); status != 0 || strings.Contains(second.Screen(), prompt) || len(l.audit()) != asked {
		t.Errorf("exit %d, %v\n%s", status, l.audit()[asked:], second.Screen())
	}
	first.Kill()
}
