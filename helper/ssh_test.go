package helper

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// inSession runs the helper in a session of its own, as sshd does: without a
// terminal, or with p as the controlling one.
func inSession(t *testing.T, mode string, p *pty, env []string, args ...string) *exec.Cmd {
	cmd := child(t, mode, env, append([]string{"ssh"}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if p != nil {
		cmd.Stdin, cmd.Stdout, cmd.Stderr = p.slave, p.slave, p.slave
		cmd.SysProcAttr.Setctty = true
	}
	return cmd
}

func TestSSH(t *testing.T) {
	tests := []struct {
		name, args string
		env        []string
		want       string
	}{
		{"shell", "", nil, "service=sshd phase=auth conv=info"},
		{"service", "--service ssh-2", nil, "service=ssh-2 phase=auth conv=info"},
		{"command", "", []string{"SSH_ORIGINAL_COMMAND=git-upload-pack 'r'"}, "service=sshd phase=auth conv=info command=git-upload-pack%20'r'"},
		{"a client's SSH_TTY", "", []string{"SSH_TTY=/dev/pts/1"}, "service=sshd phase=auth conv=info"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			socket := serve(t, func(d *peer) {
				d.expectAuth("AUTH " + self() + tt.want)
				d.put("S INFO Hello.", "S VERDICT deny reason=no-rule", "ERR 103 no rule")
			})
			cmd := inSession(t, "helper", nil, tt.env, append(strings.Fields(tt.args), "--socket", socket)...)
			stderr, readErr := pipe(t)
			cmd.Stderr = stderr
			out, _ := cmd.Output()
			if errs := readErr(); cmd.ProcessState.ExitCode() != exitDeny || len(out) > 0 || errs != "Hello.\nno rule\n" {
				t.Errorf("%v, stdout %q, stderr %q", cmd.ProcessState, out, errs)
			}
		})
	}
}

// Where nobody can be asked, one line says what happened and what to do.
func TestSSHCannotAsk(t *testing.T) {
	socket := serve(t, func(d *peer) {
		d.greet()
		d.put(denied, "ERR 101 this login can't ask for a code")
	})
	cmd := inSession(t, "helper", nil, nil, "--socket", socket)
	stderr, readErr := pipe(t)
	cmd.Stderr = stderr
	out, _ := cmd.Output()
	want := "factor-helper: this login can't ask for a code" + withoutTerminal + "\n"
	if errs := readErr(); cmd.ProcessState.ExitCode() != exitDeny || len(out) > 0 || errs != want {
		t.Errorf("%v, stdout %q, stderr %q", cmd.ProcessState, out, errs)
	}
}

// On a terminal the person is asked, and the command gets the terminal back.
func TestSSHTerminal(t *testing.T) {
	socket := serve(t, func(d *peer) {
		d.expectAuth("AUTH " + self() + "service=sshd tty=/dev/pts/x phase=auth conv=prompt race=1 command=stty%20-a")
		d.put("INQUIRE SECRET Code:%20")
		d.expect("D 1")
		d.expect("END")
		d.put(sayAllow...)
	})
	p := newPTY(t)
	cmd := inSession(t, "helper", p, []string{"SSH_TTY=/dev/pts/x", "SSH_ORIGINAL_COMMAND=stty -a"}, "--socket", socket)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.until("Code: ")
	p.press("1\r")
	_ = cmd.Wait()
	p.restored()
	if screen := p.screen(); !cmd.ProcessState.Success() || !strings.Contains(screen, " icanon ") || !strings.Contains(screen, " echo ") {
		t.Errorf("%v, screen %q", cmd.ProcessState, screen)
	}
}

// A factor that succeeds elsewhere ends the question, and the session begins.
func TestSSHRace(t *testing.T) {
	p := newPTY(t)
	socket := serve(t, func(d *peer) {
		d.greet()
		d.put("INQUIRE SECRET Code:%20")
		p.until("Code: ")
		d.put(sayAllow...)
	})
	cmd := inSession(t, "helper", p, []string{"SSH_ORIGINAL_COMMAND=echo in"}, "--socket", socket)
	err := cmd.Run()
	p.restored()
	if err != nil || p.screen() != "Code: \r\nin\r\n" {
		t.Errorf("%v, screen %q", err, p.screen())
	}
}

// What was ignored before (nohup) is ignored in the session, and nothing else. What
// this test itself was started with is not ours: make leaves a signal ignored.
func TestSSHSignals(t *testing.T) {
	const look, ignore = "grep -E '^Sig(Ign|Blk)' /proc/self/status", `trap "" HUP; exec "$@"`
	without, err := exec.Command("/bin/sh", "-c", ignore, "sh", "/bin/sh", "-c", look).Output()
	if err != nil {
		t.Fatal(err)
	}
	socket := serve(t, func(d *peer) { d.greet(); d.put(sayAllow...) })
	helper := inSession(t, "helper", nil, []string{"SSH_ORIGINAL_COMMAND=" + look}, "--socket", socket)
	cmd := exec.Command("/bin/sh", append([]string{"-c", ignore, "sh"}, helper.Args...)...)
	cmd.Env = helper.Env
	if out, err := cmd.Output(); err != nil || string(out) != string(without) || !strings.Contains(string(out), "SigIgn:\t") {
		t.Errorf("%v, %q, without the helper %q", err, out, without)
	}
}

// Without a terminal the hang-up of what sshd reads is the only word of a client
// that is gone.
func TestSSHClientGone(t *testing.T) {
	for _, socket := range []bool{false, true} {
		promptly(t, func() time.Duration { return clientGone(t, socket) })
	}
}

func clientGone(t *testing.T, isSocket bool) time.Duration {
	asked, ended := make(chan struct{}), make(chan struct{})
	socket := serve(t, func(d *peer) {
		defer close(ended)
		d.greet()
		close(asked)
		if got := d.line(); !strings.HasPrefix(got, "EOF") {
			t.Errorf("the helper said %q", got)
		}
	})
	ours, theirs := ends(t, isSocket)
	cmd := inSession(t, "helper", nil, nil, "--socket", socket)
	cmd.Stdout = theirs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	<-asked
	start := time.Now()
	ours.Close()
	_ = cmd.Wait()
	<-ended
	if code := cmd.ProcessState.ExitCode(); code != exitDeny {
		t.Errorf("exit %d", code)
	}
	return time.Since(start)
}

// ends are what sshd gives a session and its own end: pipes here, socket pairs
// elsewhere (USE_PIPES of OpenSSH's configure).
func ends(t *testing.T, socket bool) (ours, theirs *os.File) {
	t.Helper()
	if !socket {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		return r, w
	}
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
}

// An end of stdin is no end of the session: ssh -n, and every script's.
func TestSSHStdinEnds(t *testing.T) {
	socket := serve(t, func(d *peer) { d.greet(); d.put(sayAllow...) })
	var became session
	got := call{args: []string{"ssh", "--socket", socket}, env: map[string]string{"SSH_ORIGINAL_COMMAND": "true"},
		stdin: piped(t, ""), became: &became}.run(t)
	if !slices.Equal(became.argv[1:], []string{"-c", "true"}) {
		t.Errorf("%+v, exit %d, stderr %q", became, got.code, got.stderr)
	}
}

// Of a subsystem sshd reads no stderr, which is no client's going.
func TestSSHSubsystem(t *testing.T) {
	socket := serve(t, func(d *peer) {
		d.expectAuth("AUTH " + self() + "service=sshd phase=auth conv=none command=internal-sftp")
		d.put("S INFO Hello.", "S VERDICT deny reason=no-rule", "ERR 103 no rule")
	})
	cmd := inSession(t, "helper", nil, []string{"SSH_ORIGINAL_COMMAND=internal-sftp"}, "--socket", socket)
	nobody, stderr := ends(t, false)
	nobody.Close()
	cmd.Stderr = stderr
	if out, _ := cmd.Output(); cmd.ProcessState.ExitCode() != exitDeny || len(out) > 0 {
		t.Errorf("%v, stdout %q", cmd.ProcessState, out)
	}
}

// On old kernels too the session outlives a parent that was followed while the
// person was asked.
func TestSessionOutlivesParent(t *testing.T) {
	for _, mode := range []string{"helper", "old-kernel"} {
		socket := serve(t, func(d *peer) { d.greet(); d.put(sayAllow...) })
		in, out := ends(t, false)
		parent := orphaning(t, mode, map[string]string{"SSH_ORIGINAL_COMMAND": "echo here; read line; echo $line"}, "ssh", "--socket", socket)
		stdin, hold := ends(t, false)
		parent.Stdin, parent.Stdout = stdin, out
		if err := parent.Start(); err != nil {
			t.Fatal(err)
		}
		out.Close()
		var buf [16]byte
		if n, _ := in.Read(buf[:]); string(buf[:n]) != "here\n" {
			t.Fatalf("%s: %q", mode, buf[:n])
		}
		_ = syscall.Kill(parent.Process.Pid, syscall.SIGKILL)
		_ = parent.Wait()
		_, _ = hold.WriteString("still\n")
		if n, _ := in.Read(buf[:]); string(buf[:n]) != "still\n" {
			t.Errorf("%s: the session ended with its parent: %q", mode, buf[:n])
		}
		hold.Close()
	}
}
