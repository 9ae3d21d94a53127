package helper

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

// expectAuth greets and compares AUTH.
func (p *peer) expectAuth(want string) {
	if got := p.greet(); got != want {
		p.t.Errorf("the helper said\n%q, want\n%q", got, want)
	}
}

func TestPAMItems(t *testing.T) {
	tests := []struct {
		name string
		args string
		env  map[string]string
		want string
	}{
		{"all", "pam", login("PAM_RHOST=203.0.113.7", "PAM_RUSER=bob", "PAM_TTY=ssh"),
			"AUTH user=alice service=sshd rhost=203.0.113.7 ruser=bob tty=ssh phase=auth conv=info"},
		{"account", "pam", login("PAM_TYPE=account"), "AUTH user=alice service=sshd phase=account conv=info"},
		{"PAM_SERVICE wins", "pam --service other", login(), "AUTH user=alice service=sshd phase=auth conv=info"},
		{"--service fills in", "pam --service other", login("PAM_SERVICE="), "AUTH user=alice service=other phase=auth conv=info"},
		{"no service", "pam", login("PAM_SERVICE="), "AUTH user=alice phase=auth conv=info"},
		{"escaped", "pam", login("PAM_USER=a b%\nAUTH user=root"), "AUTH user=a%20b%25%0AAUTH%20user=root service=sshd phase=auth conv=info"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			socket := serve(t, func(p *peer) {
				p.expectAuth(tt.want)
				p.put(sayAllow...)
			})
			got := call{args: append(strings.Fields(tt.args), "--socket", socket), env: tt.env}.run(t)
			if got.code != exitAllow || got.stdout != "" || got.stderr != "" {
				t.Errorf("exit %d, stdout %q, stderr %q", got.code, got.stdout, got.stderr)
			}
		})
	}
}

// The key of the first factor is handed over under sshd only, where sshd alone
// writes it.
func TestAuthInfo(t *testing.T) {
	const info = "publickey ssh-ed25519 AAAA\n"
	socket := serve(t, func(p *peer) {
		p.expectAuth("AUTH user=alice service=sshd tty=ssh phase=auth conv=prompt auth-info=1")
		p.put("INQUIRE AUTHINFO")
		p.expect("D publickey ssh-ed25519 AAAA%0A")
		p.expect("END")
		p.put(asked)
		p.expect("D 123456")
		p.expect("END")
		p.put(sayAllow...)
	})
	got := call{args: []string{"pam", "--socket", socket}, env: login("PAM_TTY=ssh", "SSH_AUTH_INFO_0="+info), stdin: piped(t, "123456")}.run(t)
	if got.code != exitAllow {
		t.Errorf("exit %d, stdout %q, stderr %q", got.code, got.stdout, got.stderr)
	}
	for _, env := range [][]string{{"PAM_TTY=/dev/pts/999", "SSH_AUTH_INFO_0=" + info}, {"PAM_TTY=ssh"}, {"PAM_TTY=ssh", "SSH_AUTH_INFO_0=" + strings.Repeat("x", 17<<10)}} {
		socket := serve(t, func(p *peer) {
			tty, _ := strings.CutPrefix(env[0], "PAM_TTY=")
			p.expectAuth("AUTH user=alice service=sshd tty=" + tty + " phase=auth conv=info")
			p.put("INQUIRE AUTHINFO")
			p.expect("CAN")
			p.put(sayAllow...)
		})
		if got := (call{args: []string{"pam", "--socket", socket}, env: login(env...)}).run(t); got.code != exitAllow {
			t.Errorf("%q: exit %d, stdout %q, stderr %q", env[0], got.code, got.stdout, got.stderr)
		}
	}
}

// Without pam_exec's option stdout nobody sees what is written there.
func TestPAMShowsNothing(t *testing.T) {
	log, err := os.Create(t.TempDir() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	null := open(t, os.DevNull)
	for _, stdout := range []*os.File{log, null} {
		socket := serve(t, func(p *peer) {
			p.expectAuth("AUTH user=alice service=sshd phase=auth conv=none")
			p.put(sayDeny...)
		})
		env := login()
		code := Run(Config{
			Args:   []string{"pam", "--socket", socket},
			Getenv: func(k string) (string, bool) { v, ok := env[k]; return v, ok },
			Stdin:  int(null.Fd()), Stdout: int(stdout.Fd()), Stderr: int(null.Fd()),
		})
		if code != exitDeny {
			t.Errorf("exit %d", code)
		}
	}
}

// The account phase answers nothing, not even from a pipe.
func TestAccountNeverAnswers(t *testing.T) {
	socket := serve(t, answering(asked, sayStop, "CAN"))
	got := call{args: []string{"pam", "--socket", socket}, env: login("PAM_TYPE=account"), stdin: piped(t, "123456")}.run(t)
	if got.code != exitDeny || got.stdout != "Cancelled.\n" {
		t.Errorf("exit %d, stdout %q", got.code, got.stdout)
	}
}

// sshd's PAM_TTY is no device, and must not become a file.
func TestTTYNames(t *testing.T) {
	for _, tty := range []string{"ssh", ":0", "factord-test-tty", "null", "/dev/null", "../etc/passwd", "/dev/../etc/passwd", "/etc/passwd", "/", "/dev/", "a\x00b"} {
		socket := serve(t, answering(asked, sayDeny, "CAN"))
		got := call{args: []string{"pam", "--socket", socket}, env: login("PAM_TTY=" + tty)}.run(t)
		if got.code != exitDeny {
			t.Errorf("%q: exit %d, stdout %q, stderr %q", tty, got.code, got.stdout, got.stderr)
		}
	}
	for _, path := range []string{"/dev/ssh", "/dev/:0", "/dev/factord-test-tty"} {
		if _, err := os.Lstat(path); !os.IsNotExist(err) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestDevicePath(t *testing.T) {
	for name, want := range map[string]string{
		"pts/0": "/dev/pts/0", "tty1": "/dev/tty1", "/dev/pts/3": "/dev/pts/3", "ssh": "/dev/ssh",
		"": "", "/tmp/x": "", "../x": "", "/dev/../tmp/x": "", "pts/../../tmp/x": "", "/devil": "",
	} {
		path, ok := devicePath(name)
		if ok != (want != "") || ok && path != want {
			t.Errorf("%q: %q, %v", name, path, ok)
		}
	}
}

// self is how check names who runs it: root by name, everybody else not.
func self() string {
	if os.Geteuid() == 0 {
		return "user=root "
	}
	return ""
}

// Who can write the PAM environment must not be somebody else by it.
func TestVariableGivenTwice(t *testing.T) {
	for environ, want := range map[string]string{
		"":                           "",
		"PAM_USER=a\x00PAM_TTY=b":    "",
		"HOME=/\x00HOME=/x\x00":      "",
		"PAM_USER=a\x00PAM_USER=b":   "PAM_USER",
		"PAM_USER\x00X=\x00PAM_USER": "PAM_USER",
		"SSH_AUTH_INFO_0=publickey a\x00PAM_TTY=ssh\x00SSH_AUTH_INFO_0=publickey b\x00": "SSH_AUTH_INFO_0",
	} {
		if got := givenTwice([]byte(environ)); got != want {
			t.Errorf("%q: %q, want %q", environ, got, want)
		}
	}
	if os.Geteuid() != 0 {
		return // /proc/self/environ is closed to a user whose process can't be dumped
	}
	socket := serve(t, func(p *peer) { p.put(sayAllow...) })
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	env := []string{childMode + "=1", "PAM_USER=mallory", "PAM_TYPE=auth", "PAM_SERVICE=sshd", "PAM_USER=alice"}
	pid, err := syscall.ForkExec(self, []string{self, "pam", "--socket", socket}, &syscall.ProcAttr{Env: env}) // os/exec would drop the first
	if err != nil {
		t.Fatal(err)
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil || status.ExitStatus() != exitUsage {
		t.Errorf("exit %d, %v", status.ExitStatus(), err)
	}
}
