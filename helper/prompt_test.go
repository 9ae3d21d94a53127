package helper

import (
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// prompted runs pam on the terminal, with typing done by keys.
func prompted(t *testing.T, p *pty, socket string, keys func()) outcome {
	t.Helper()
	return patiently(t, p, socket, 0, keys)
}

// patiently is prompted with another grace for factord's last word.
func patiently(t *testing.T, p *pty, socket string, grace time.Duration, keys func()) outcome {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); keys() }()
	got := call{args: []string{"pam", "--socket", socket}, env: login("PAM_TTY=" + p.name), grace: grace}.run(t)
	<-done
	p.restored()
	if got.stdout != "" {
		t.Errorf("stdout %q, and there was a terminal", got.stdout)
	}
	return got
}

func TestPrompt(t *testing.T) {
	tests := []struct {
		name, kind, keys string
		want             []string
		screen           string
	}{
		{"secret", "SECRET", "123456\r", []string{"D 123456", "END"}, "Code: \r\n"},
		{"echo", "PROMPT", "123456\r", []string{"D 123456", "END"}, "Code: 123456\r\n"},
		{"Enter", "SECRET", "\r", []string{"END"}, "Code: \r\n"},
		{"newline", "SECRET", "1\n", []string{"D 1", "END"}, "Code: \r\n"},
		{"corrected", "PROMPT", "1x\x7f2\x1534\r", []string{"D 34", "END"}, "Code: 1x\b \b2\b \b\b \b34\r\n"},
		{"Ctrl-C", "SECRET", "12\x03", []string{"CAN"}, "Code: \r\n"},
		{"Ctrl-D", "SECRET", "\x04", []string{"CAN"}, "Code: \r\n"},
		{"UTF-8", "PROMPT", "pé\r", []string{"D pé", "END"}, "Code: pé\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			socket := serve(t, func(p *peer) {
				auth := p.greet()
				if !strings.HasSuffix(auth, " phase=auth conv=prompt race=1") {
					t.Errorf("%q", auth)
				}
				p.put("INQUIRE " + tt.kind + " Code:%20")
				for _, w := range tt.want {
					p.expect(w)
				}
				p.put(sayAllow...)
			})
			p := newPTY(t)
			got := prompted(t, p, socket, func() { p.until("Code: "); p.press(tt.keys) })
			code, screen := exitAllow, tt.screen
			if tt.want[0] == "CAN" { // and no allow holds after that
				code, screen = exitDeny, screen+"Cancelled.\r\n"
			}
			if got.code != code || p.screen() != screen {
				t.Errorf("exit %d, screen %q", got.code, p.screen())
			}
		})
	}
}

// A bare name in PAM_TTY is below /dev.
func TestPromptTwiceOnBareName(t *testing.T) {
	socket := serve(t, func(p *peer) {
		p.greet()
		p.put("INQUIRE SECRET Code:%20")
		p.expect("D 1")
		p.expect("END")
		p.put("S INFO Wrong code.", "INQUIRE SECRET Again:%20")
		p.expect("D 2")
		p.expect("END")
		p.put(sayDeny...)
	})
	p := newPTY(t)
	go func() { p.until("Code: "); p.press("1\r"); p.until("Again: "); p.press("2\r") }()
	got := call{args: []string{"pam", "--socket", socket}, env: login("PAM_TTY=" + strings.TrimPrefix(p.name, "/dev/"))}.run(t)
	p.restored()
	if want := "Code: \r\nWrong code.\r\nAgain: \r\nWrong code.\r\n"; got.code != exitDeny || p.screen() != want {
		t.Errorf("exit %d, screen %q", got.code, p.screen())
	}
}

// Ctrl-C ends the run at once, whatever factord does.
func TestInterrupt(t *testing.T) {
	say := map[string][]string{
		"at a prompt":      {"INQUIRE SECRET Code:%20"},
		"while it waits":   {"S INFO Code: look at your phone"},
		"after the answer": {"S INFO x", "INQUIRE SECRET Code:%20"},
	}
	for name, lines := range say {
		t.Run(name, func(t *testing.T) {
			promptly(t, func() time.Duration { return interrupt(t, lines, name == "after the answer") })
		})
	}
}

func interrupt(t *testing.T, say []string, answer bool) time.Duration {
	var pressed, closed time.Time
	ended := make(chan struct{})
	socket := serve(t, func(p *peer) {
		defer close(ended)
		p.greet()
		p.put(say...)
		for !strings.HasPrefix(p.line(), "EOF") {
		}
		closed = time.Now()
	})
	p := newPTY(t)
	got := prompted(t, p, socket, func() {
		p.until("Code: ")
		if answer {
			p.press("1\r")
			time.Sleep(50 * time.Millisecond)
		}
		pressed = time.Now()
		p.press("\x03")
	})
	returned := time.Now()
	<-ended
	if got.code != exitDeny || !strings.HasSuffix(p.screen(), "Cancelled.\r\n") {
		t.Errorf("exit %d, screen %q", got.code, p.screen())
	}
	return max(returned.Sub(pressed), closed.Sub(pressed))
}

// factord's own reason is shown when it comes at once.
func TestInterruptReason(t *testing.T) {
	socket := serve(t, answering("INQUIRE SECRET Code:%20", []string{"S VERDICT deny reason=cancelled", "ERR 108 As you like."}, "CAN"))
	p := newPTY(t)
	got := patiently(t, p, socket, 5*time.Second, func() { p.until("Code: "); p.press("\x03") })
	if got.code != exitDeny || !strings.HasSuffix(p.screen(), "As you like.\r\n") {
		t.Errorf("exit %d, screen %q", got.code, p.screen())
	}
}

// While a question is open, factord may end it with the verdict and nothing else.
func TestRace(t *testing.T) {
	tests := []struct {
		name string
		say  []string
		want int
	}{
		{"allow", sayAllow, exitAllow},
		{"deny", []string{"S VERDICT deny reason=push-denied", "ERR 114 Denied."}, exitDeny},
		{"message", append([]string{"S INFO hello"}, sayAllow...), exitUnavailable},
		{"second question", append([]string{"INQUIRE SECRET Code:%20"}, sayAllow...), exitUnavailable},
		{"OK alone", []string{"OK"}, exitUnavailable},
		{"nothing", nil, exitUnavailable},
	}
	for _, tt := range tests {
		for _, atOnce := range []bool{false, true} {
			t.Run(tt.name, func(t *testing.T) {
				p := newPTY(t)
				said := make(chan struct{})
				socket := serve(t, func(d *peer) {
					defer close(said)
					d.greet()
					if atOnce { // in one packet with the question
						d.put(append([]string{"INQUIRE SECRET Code:%20"}, tt.say...)...)
						return
					}
					d.put("INQUIRE SECRET Code:%20")
					p.until("Code: ")
					if tt.say != nil {
						d.put(tt.say...)
					}
				})
				got := prompted(t, p, socket, func() { <-said })
				if got.code != tt.want || !strings.HasPrefix(p.screen(), "Code: \r\n") {
					t.Errorf("exit %d, screen %q", got.code, p.screen())
				}
			})
		}
	}
}

// What was typed before the question was meant for something else.
func TestTypedAhead(t *testing.T) {
	p := newPTY(t)
	p.press("rm -rf x\rmore")
	p.until("more") // echoed: the terminal has it
	socket := serve(t, answering("INQUIRE PROMPT Code:%20", sayAllow, "D 7", "END"))
	got := prompted(t, p, socket, func() { p.until("Code: "); p.press("7\r") })
	if got.code != exitAllow {
		t.Errorf("exit %d, screen %q", got.code, p.screen())
	}
}

// A verdict that needs nobody leaves what was typed ahead to its reader.
func TestTypedAheadIsKept(t *testing.T) {
	p := newPTY(t)
	p.press("ls\r")
	socket := serve(t, func(d *peer) { d.greet(); d.put(sayAllow...) })
	got := prompted(t, p, socket, func() {})
	var line [16]byte
	n, err := syscall.Read(int(p.slave.Fd()), line[:])
	if got.code != exitAllow || err != nil || string(line[:n]) != "ls\n" {
		t.Errorf("exit %d, left %q, %v", got.code, line[:n], err)
	}
}

func TestPromptDeadline(t *testing.T) {
	p := newPTY(t)
	socket := serve(t, func(d *peer) {
		d.greet()
		d.put("INQUIRE SECRET Code:%20")
		d.expect("EOF")
	})
	start := time.Now()
	got := call{args: []string{"pam", "--socket", socket}, env: login("PAM_TTY=" + p.name), deadline: 200 * time.Millisecond}.run(t)
	p.restored()
	if d := time.Since(start); got.code != exitUnavailable || d > time.Second || !strings.HasSuffix(p.screen(), "Timed out.\r\n") {
		t.Errorf("exit %d after %v, screen %q", got.code, d, p.screen())
	}
}

// The account phase shows text on the terminal, and asks nothing there.
func TestAccountOnTerminal(t *testing.T) {
	p := newPTY(t)
	socket := serve(t, func(d *peer) {
		d.expectAuth("AUTH user=alice service=sshd tty=" + p.name + " phase=account conv=info")
		d.put("S INFO Look at your phone.", asked)
		d.expect("CAN")
		d.put(sayAllow...)
	})
	got := call{args: []string{"pam", "--socket", socket}, env: login("PAM_TYPE=account", "PAM_TTY="+p.name)}.run(t)
	p.restored()
	if got.code != exitAllow || p.screen() != "Look at your phone.\r\n" {
		t.Errorf("exit %d, screen %q", got.code, p.screen())
	}
}

// The value from expose_authtok answers, and the terminal only shows.
func TestAuthtokBesideTerminal(t *testing.T) {
	p := newPTY(t)
	socket := serve(t, func(d *peer) {
		d.expectAuth("AUTH user=alice service=sshd tty=" + p.name + " phase=auth conv=prompt")
		d.put(asked)
		d.expect("D 123456")
		d.expect("END")
		d.put(asked)
		d.expect("CAN")
		d.put(sayDeny...)
	})
	got := call{args: []string{"pam", "--socket", socket}, env: login("PAM_TTY=" + p.name), stdin: piped(t, "123456")}.run(t)
	if got.code != exitDeny || p.screen() != "Wrong code.\r\n" {
		t.Errorf("exit %d, screen %q", got.code, p.screen())
	}
}

func TestSignalRestoresTerminal(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT} {
		p := newPTY(t)
		socket := serve(t, func(d *peer) {
			d.greet()
			d.put("INQUIRE SECRET Code:%20")
			d.expect("EOF")
		})
		cmd := child(t, "helper", environ(login("PAM_TTY="+p.name)), "pam", "--socket", socket)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		p.until("Code: ")
		_ = cmd.Process.Signal(sig)
		_ = cmd.Wait()
		p.restored()
		if code := cmd.ProcessState.ExitCode(); code != exitDeny {
			t.Errorf("%v: exit %d", sig, code)
		}
	}
}

// check asks on the controlling terminal even if nothing else leads there.
func TestCheck(t *testing.T) {
	p := newPTY(t)
	socket := serve(t, func(d *peer) {
		d.expectAuth("AUTH " + self() + "service=deploy phase=auth conv=prompt race=1")
		d.put("S INFO Hello.", "INQUIRE SECRET Code:%20")
		d.expect("D 123456")
		d.expect("END")
		d.put(sayDeny...)
	})
	cmd := child(t, "helper", nil, "check", "--service", "deploy", "--socket", socket)
	stderr, readErr := pipe(t)
	stdout, readOut := pipe(t)
	cmd.ExtraFiles, cmd.Stdout, cmd.Stderr = []*os.File{p.slave}, stdout, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 3}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.until("Code: ")
	p.press("123456\r")
	_ = cmd.Wait()
	p.restored()
	if code := cmd.ProcessState.ExitCode(); code != exitDeny {
		t.Errorf("exit %d", code)
	}
	if out, errs := readOut(), readErr(); out != "" || errs != "Hello.\nWrong code.\n" || p.screen() != "Code: \r\n" {
		t.Errorf("stdout %q, stderr %q, screen %q", out, errs, p.screen())
	}
}

func TestCheckWithoutTerminal(t *testing.T) {
	socket := serve(t, func(d *peer) {
		d.expectAuth("AUTH " + self() + "service=check phase=auth conv=none")
		d.put("S INFO Hello.", asked)
		d.expect("CAN")
		d.put(sayDeny...)
	})
	cmd := child(t, "helper", nil, "check", "--socket", socket)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	errs, _ := io.ReadAll(stderr)
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitDeny || string(errs) != "Hello.\nWrong code.\n" {
		t.Errorf("exit %d, stderr %q", code, errs)
	}
}
