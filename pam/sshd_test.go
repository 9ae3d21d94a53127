package pam_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

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

// sshServer is sshd under a name, and so with a PAM service, of its own.
type sshServer struct {
	dir  string
	port int
}

func startSSH(t *testing.T, l *lab) sshServer {
	t.Helper()
	sshd := factordtest.NeedProgram(t, "/usr/sbin/sshd")
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := sshServer{dir: factordtest.OpenDir(t), port: free.Addr().(*net.TCPAddr).Port}
	free.Close()
	for _, key := range []string{"host", "user"} {
		if status, out := run(t, "", exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(s.dir, key))); status != 0 {
			t.Fatalf("ssh-keygen: %s", out)
		}
	}
	config := filepath.Join(s.dir, "config")
	if err := os.WriteFile(config, fmt.Appendf(nil, sshConfig, s.port, s.dir, s.dir), 0o600); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(s.dir, pamtest.Service(t, l.snippet("sshd-pam_exec"))) // PAM's name for it
	if err := os.Symlink(sshd, program); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(s.dir, "log")
	cmd := exec.Command(program, "-D", "-f", config, "-E", log)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if text, _ := os.ReadFile(log); t.Failed() {
			t.Logf("sshd:\n%s", text)
		}
	})
	pamtest.Await(t, "sshd's start", 10*time.Second, func() bool {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return s
}

// ssh logs in with the key and runs id.
func (s sshServer) ssh(t *testing.T, user string) *pamtest.Terminal {
	x := pamtest.NewTerminal(t)
	x.Start(nil, "ssh", "-F", "none", "-p", fmt.Sprint(s.port), "-i", filepath.Join(s.dir, "user"), "-o", "IdentitiesOnly=yes",
		"-o", "IdentityAgent=none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", user+"@127.0.0.1", "id", "-un")
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
