package pam_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/pam/pamtest"
)

// prompt is the one question to somebody who has proven a first factor.
const prompt = "Passcode: "

func TestModuleSudo(t *testing.T) {
	t.Parallel()
	l := sudoLab(t, "sudo")
	atCode := func() *pamtest.Terminal {
		x := l.sudo()
		x.Expect("[sudo] password for " + l.who.Name)
		x.Type(l.who.Password + "\r")
		x.Expect(prompt)
		return x
	}
	x := atCode()
	code := l.code()
	x.Type(l.wrong() + "\r")
	x.Expect("wrong code") // sudo wants silence: it comes with the next question
	x.Expect(prompt)
	x.Type(code + "\r")
	x.Expect("root")
	if status := x.Wait(); status != 0 || strings.Contains(x.Screen(), code) {
		t.Errorf("exit %d\n%s", status, x.Screen())
	}
	l.lastRecord(map[string]string{"verdict": "allow", "factor": "totp", "ruser": l.who.Name, "tty": x.Name})

	best := time.Hour
	for range 3 {
		x = atCode()
		// Between its question and its read sudo notes a signal and reads on:
		// then another one helps.
		var typed time.Time
		pamtest.Await(t, "the end of the attempt", 10*time.Second, func() bool {
			if l.Connections() == 0 {
				return true
			}
			if time.Since(typed) > cancelTime {
				x.Type("\x03")
				typed = time.Now()
			}
			return false
		})
		best = min(best, time.Since(typed))
		if status := x.Wait(); status == 0 {
			t.Errorf("after Ctrl-C: exit %d\n%s", status, x.Screen())
		}
	}
	if best > cancelTime {
		t.Errorf("factord drops the attempt %v after Ctrl-C", best)
	}
	x = atCode()
	l.Kill9()
	x.Type(l.code() + "\r")
	x.Expect("try again") // sudo does so when there is nobody to ask
	x.Kill()
	if x.Wait(); strings.Contains(x.Screen(), "Unknown error") || strings.Contains(x.Screen(), "root") {
		t.Errorf("factord killed at the prompt:\n%s", x.Screen())
	}
}

// Ctrl-C while factord is silent: sudo has blocked the signal, and it ends the
// wait all the same.
func TestModuleInterrupted(t *testing.T) {
	t.Parallel()
	factordtest.NeedRoot(t)
	silent := filepath.Join(factordtest.OpenDir(t), "f.sock")
	listener, err := net.Listen("unix", silent)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	who := pamtest.NewAccount(t, "Correct-horse-7")
	pamtest.Sudoer(t, who, pamtest.Service(t, fmt.Sprintf("auth required %s socket=%s\naccount required pam_permit.so\n", factordtest.Module(t), silent)))
	best := time.Hour
	for range 3 {
		x := pamtest.NewTerminal(t)
		x.Start(&who, "sudo", "id")
		c, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, "OK factord 1\n")
		begun := time.Now()
		x.Type("\x03")
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.Copy(io.Discard, c); err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("after Ctrl-C: %v", err)
		}
		best = min(best, time.Since(begun))
		c.Close()
		if status := x.Wait(); status == 0 {
			t.Errorf("exit %d\n%s", status, x.Screen())
		}
	}
	if best > cancelTime {
		t.Errorf("the connection is closed %v after Ctrl-C", best)
	}
}

// moduleSSH is the real sshd with pam_factord.so in its stack.
func moduleSSH(t *testing.T, l *lab, stack, methods string) sshServer {
	t.Helper()
	s := newSSHServer(t, 1)
	config := strings.Replace(fmt.Sprintf(sshConfig, s.ports[0], s.dir, s.dir), "publickey,keyboard-interactive:pam", methods, 1)
	s.start(pamtest.Service(t, stack), config)
	return s
}

func TestModuleSSH(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{})
	s := moduleSSH(t, l, l.snippet("sshd"), "publickey,keyboard-interactive:pam")
	x := s.ssh(t, l.who.Name)
	x.Expect(prompt)
	x.Type(l.wrong() + "\r")
	x.Expect("wrong code") // with LogLevel ERROR, which hides what is no question
	x.Expect(prompt)
	code := l.code()
	x.Type(code + "\r")
	x.Expect("\n" + l.who.Name)
	if status := x.Wait(); status != 0 {
		t.Errorf("exit %d\n%s", status, x.Screen())
	}
	records := l.audit()
	if key, _ := records[len(records)-1]["key"].(string); !strings.HasPrefix(key, "SHA256:") {
		t.Errorf("the record has no key: %v", records[len(records)-1])
	}
	x = s.ssh(t, l.who.Name)
	for range 3 {
		x.Expect(prompt)
		x.Type(code + "\r")
	}
	// sshd asks this module no more; its client turns to other methods.
	pamtest.Await(t, "the end of the attempt", 10*time.Second, func() bool {
		records := l.audit()
		return records[len(records)-1]["reason"] == "attempts"
	})
	x.Kill()
	x.Wait()
	if status, out := run(t, "", exec.Command("ssh", s.client("", "-o", "BatchMode=yes", "-l", l.who.Name, "port0", "id")[1:]...)); status != 255 {
		t.Errorf("BatchMode: exit %d: %s", status, out)
	}
	x = s.ssh(t, l.who.Name)
	x.Expect(prompt)
	x.Kill()
	x.Wait()
	l.AwaitConnections(0, 10*time.Second)
}

// A key alone and no session: only the gate stands in the way.
func TestModuleGateSSH(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{})
	service := inside(t)
	for _, gate := range []string{" gate", ""} {
		s := moduleSSH(t, l, strings.ReplaceAll(l.snippet("sshd"), " gate\n", gate+"\n"), "publickey")
		if _, out := run(t, "", exec.Command("ssh", s.client("", "-l", l.who.Name, "-W", service, "port0")[1:]...)); strings.Contains(out, "inside") == (gate != "") {
			t.Errorf("%q: ssh -W: %q", gate, out)
		}
		x := pamtest.NewTerminal(t)
		x.Start(nil, s.client("ssh", "-v", "-l", l.who.Name, "-N", "port0")...)
		if gate == "" {
			x.Expect("Entering interactive session")
			x.Kill()
		} else {
			x.Expect("onnection closed by") // sshd refuses an account without a word
		}
		x.Wait()
	}
}

// A program of the user's own, such as a screen locker.
func TestModuleLocker(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{})
	service := pamtest.Service(t, l.moduleLine("auth", "required", ""))
	for _, tc := range []struct {
		answer string
		in     bool
	}{{l.code(), true}, {l.wrong(), false}} {
		x := pamtest.NewTerminal(t)
		x.Start(&l.who, "pamtester", service, l.who.Name, "authenticate")
		x.Expect(prompt)
		x.Type(tc.answer + "\r")
		if !tc.in {
			x.Expect("wrong code")
			x.Kill()
		}
		if status := x.Wait(); (status == 0) != tc.in {
			t.Errorf("exit %d\n%s", status, x.Screen())
		}
	}
	x := pamtest.NewTerminal(t)
	x.Start(&l.who, "pamtester", service, "root", "authenticate")
	if status := x.Wait(); status == 0 {
		t.Errorf("asked for somebody else: exit %d\n%s", status, x.Screen())
	}
}

func TestModuleLogin(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{})
	replace := map[string]string{"/etc/pam.d/login": l.snippet("login"), "/etc/shadow": l.shadowForRoot()}
	x := l.login("root", replace) // break-glass: asks no factord
	x.Expect("Password: ")
	x.Type(l.who.Password + "\r")
	x.Expect("# ")
	x.Kill()
	x.Wait()

	x = l.login(l.who.Name, map[string]string{"/etc/pam.d/login": l.snippet("login")})
	x.Expect("Password: ")
	x.Type(l.who.Password + "\r")
	x.Expect(prompt)
	x.Type(l.wrong() + "\r")
	x.Expect("wrong code\r")
	x.Expect(prompt)
	x.Type(l.code() + "\r")
	x.Expect("$ ")
	x.Kill()
	x.Wait()
	l.lastRecord(map[string]string{"verdict": "allow", "factor": "totp", "service": "login", "tty": x.Name})
}

// The one who calls is asked, for whomever they become.
func TestModuleSu(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{Config: "[totp]\nwindow = 10\n[[rule]]\nfactors = [\"totp\"]\nsubject = \"caller\"\n"})
	target := pamtest.NewAccount(t, "Other-horse-8")
	x := l.su(target.Name)
	x.Expect("Password: ")
	x.Type("Other-horse-8\r")
	x.Expect(prompt)
	x.Type(l.code() + "\r")
	x.Expect("I am " + target.Name)
	if status := x.Wait(); status != 0 {
		t.Errorf("exit %d\n%s", status, x.Screen())
	}
	l.lastRecord(map[string]string{"verdict": "allow", "user": l.who.Name, "target": target.Name})
}

// su starts su(1) as the person, with the snippet.
func (l *lab) su(target string) *pamtest.Terminal {
	l.t.Helper()
	file := filepath.Join(l.t.TempDir(), "su")
	if err := os.WriteFile(file, []byte(l.snippet("su")), 0o600); err != nil {
		l.t.Fatal(err)
	}
	x := pamtest.NewTerminal(l.t)
	x.Start(nil, "unshare", "--mount", "--propagation", "private", "sh", "-c", "mount --bind "+file+" /etc/pam.d/su && exec setpriv --reuid="+
		fmt.Sprint(l.who.UID)+" --regid="+fmt.Sprint(l.who.GID)+" --init-groups su "+target+" -c 'echo I am $(id -un)'")
	return x
}
