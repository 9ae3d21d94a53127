package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pty is a terminal with somebody at it.
type pty struct {
	t             *testing.T
	master, slave *os.File
	mu            sync.Mutex
	shown         string
}

func newPTY(t *testing.T, columns uint16) *pty {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	p := &pty{t: t, master: os.NewFile(uintptr(fd), "ptmx")}
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if p.slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	unix.IoctlSetWinsize(int(p.slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: columns})
	t.Cleanup(func() { p.slave.Close(); p.master.Close() })
	go func() {
		var b [4096]byte
		for {
			n, err := p.master.Read(b[:])
			p.mu.Lock()
			p.shown += string(b[:n])
			p.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return p
}

// start runs factorctl on the terminal; stdout is nil for the terminal too.
func (p *pty) start(stdout *os.File, args ...string) *exec.Cmd {
	p.t.Helper()
	cmd := command(args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.slave, p.slave, p.slave
	if stdout != nil {
		cmd.Stdout = stdout
	}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	return cmd
}

// wait returns what is shown up to the first match of pattern.
func (p *pty) wait(pattern string) string {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		p.mu.Lock()
		at := re.FindStringIndex(p.shown)
		shown := p.shown
		if at != nil {
			shown, p.shown = p.shown[:at[1]], p.shown[at[1]:]
		}
		p.mu.Unlock()
		if at != nil {
			return shown
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("no %q in %q", pattern, shown)
		}
	}
}

func (p *pty) types(text string) { p.master.WriteString(text) }

func (p *pty) echoes() bool {
	s, err := unix.IoctlGetTermios(int(p.slave.Fd()), unix.TCGETS)
	if err != nil {
		p.t.Fatal(err)
	}
	return s.Lflag&unix.ECHO != 0
}

func TestEnrolOnTerminal(t *testing.T) {
	m := newMachine(t)
	p := newPTY(t, 80)
	cmd := p.start(nil, "enroll", "totp", "--user", m.user, "--socket", m.socket)
	drawing := p.wait(`URI: +otpauth://\S+\s`)
	if !strings.Contains(drawing, "\x1b[38;5;16;48;5;231m") || !strings.Contains(drawing, "▄") {
		t.Errorf("no QR code in %q", drawing)
	}
	phone := m.phone(regexp.MustCompile(`otpauth://\S+`).FindString(drawing))
	p.wait("Code of the new token: ")
	p.types(phone.Code(phone.Step(time.Now())) + "\n")
	p.wait(`totp totp-1 is enrolled for `)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}

	narrow := newPTY(t, 40)
	cmd = narrow.start(nil, "enroll", "totp", "--user", m.user, "--no-confirm", "--socket", m.socket)
	narrow.wait(`needs \d+ columns, and this terminal has 40`)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// The codes of a resync are asked for like passcodes: one that failed can still
// be good.
func TestResyncOnTerminal(t *testing.T) {
	m := newMachine(t)
	m.must("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n", `"factor":"hotp"`, "enroll", "hotp", "--user", m.user, "--secret-file", "-", "--no-confirm", "--json")
	p := newPTY(t, 80)
	cmd := p.start(nil, "resync", "hotp-1", "--user", m.user, "--socket", m.socket)
	// RFC 4226, appendix D, in the wrong order and then in the right one.
	for _, code := range []string{"399871", "162583", "162583", "399871"} {
		p.wait("(First|Next) code[^:]*: ")
		if p.echoes() {
			t.Error("a code is echoed")
		}
		p.types(code + "\n")
	}
	p.wait(`hotp-1 of \S+ is found again: its next code is that of counter 9`)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// TestEnrolJSONOnTerminal: the person sees what is needed for a first code, the
// program gets the object.
func TestEnrolJSONOnTerminal(t *testing.T) {
	m := newMachine(t)
	p := newPTY(t, 100)
	out, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := p.start(out, "enroll", "totp", "--json", "--user", m.user, "--socket", m.socket)
	phone := m.phone(regexp.MustCompile(`otpauth://\S+`).FindString(p.wait(`otpauth://\S+\s`)))
	p.wait("Code of the new token: ")
	p.types(phone.Code(phone.Step(time.Now())) + "\n")
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if stdout, _ := os.ReadFile(out.Name()); !regexp.MustCompile(`^\{"id":"totp-1",.*\}\n$`).Match(stdout) {
		t.Errorf("stdout %q", stdout)
	}
}

func TestSecretOnTerminal(t *testing.T) {
	p := newPTY(t, 80)
	answered := make(chan string, 2)
	path := serve(t, func(f *fake) {
		f.put(greeting)
		f.line()
		f.put("INQUIRE SECRET Passcode: ")
		answered <- f.line()
		f.expect("END")
		f.put("INQUIRE SECRET Again: ")
		answered <- f.line()
	})
	cmd := p.start(nil, "test", "--socket", path)
	p.wait("Passcode: ")
	if p.echoes() {
		t.Error("a secret is echoed")
	}
	p.types("hunter2\n")
	if shown := p.wait("Again: "); strings.Contains(shown, "hunter2") {
		t.Errorf("shown: %q", shown)
	}
	if got := <-answered; got != "D hunter2" {
		t.Errorf("answered %q", got)
	}
	p.types("\x03") // Ctrl-C, while the terminal is silent
	p.wait("factorctl: interrupted")
	if cmd.Wait(); cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("ended with %v", cmd.ProcessState)
	}
	if !p.echoes() {
		t.Error("the terminal was left silent")
	}
}

func TestDemoInterrupted(t *testing.T) {
	p := newPTY(t, 100)
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	cmd := p.start(nil, "demo")
	p.wait("goes on by itself.. Code: ")
	p.types("\x03")
	p.wait("factorctl: interrupted")
	if cmd.Wait(); cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("ended with %v", cmd.ProcessState)
	}
	if left, _ := os.ReadDir(tmp); len(left) > 0 {
		t.Errorf("%s is left", left[0].Name())
	}
}

func TestDemoOnTerminal(t *testing.T) {
	p := newPTY(t, 100)
	cmd := p.start(nil, "demo")
	p.wait("goes on by itself.. Code: ")
	p.types("\n")
	p.wait("The demo answers for you")
	p.wait("All verdicts were right")
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
