package pam_test

import (
	"fmt"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/pam/pamtest"
)

// sshConfig is what the snippet sshd-pam_exec asks for, of a server beside the
// machine's own.
const sshConfig = `ListenAddress 127.0.0.1
Port %d
PidFile none
HostKey %s/host
AuthorizedKeysFile %s/user.pub
StrictModes no
LogLevel VERBOSE
UsePAM yes
PasswordAuthentication no
KbdInteractiveAuthentication yes
AuthenticationMethods publickey,keyboard-interactive:pam
`

// startSSH starts sshd with the snippet sshd-pam_exec.
func startSSH(t *testing.T, l *lab) sshServer {
	t.Helper()
	s := newSSHServer(t, 1)
	s.start(pamtest.Service(t, l.snippet("sshd-pam_exec")), fmt.Sprintf(sshConfig, s.ports[0], s.dir, s.dir))
	return s
}

// ssh logs in with the key and runs id.
func (s sshServer) ssh(t *testing.T, user string) *pamtest.Terminal {
	x := pamtest.NewTerminal(t)
	x.Start(nil, s.client("ssh", "-l", user, "port0", "id", "-un")...)
	return x
}

func TestSSH(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{})
	s := startSSH(t, l)
	x := s.ssh(t, l.who.Name)
	x.Expect("Password: ")
	code := l.code()
	x.Type(code + "\r")
	x.Expect("\n" + l.who.Name)
	if status := x.Wait(); status != 0 {
		t.Errorf("exit %d\n%s", status, x.Screen())
	}
	l.lastRecord(map[string]string{"verdict": "allow", "factor": "totp", "rhost": "127.0.0.1", "tty": "ssh"})

	x = s.ssh(t, l.who.Name)
	for _, answer := range []string{l.wrong(), code, l.wrong()} {
		x.Expect("Password: ")
		x.Type(answer + "\r")
	}
	x.Expect("Permission denied")
	if status := x.Wait(); status != 255 {
		t.Errorf("exit %d\n%s", status, x.Screen())
	}

	l.Kill9()
	x = s.ssh(t, l.who.Name)
	for range 3 {
		x.Expect("Password: ")
		x.Type(l.code() + "\r")
	}
	x.Expect("Permission denied")
}
