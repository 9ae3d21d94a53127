package pamtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long a test waits for a text or an end.
const patience = 20 * time.Second

// Terminal is a pseudo-terminal with the test at its keyboard.
type Terminal struct {
	Name string // of the device: /dev/pts/7

	t      testing.TB
	master *os.File
	slave  *os.File // until Start

	mu    sync.Mutex
	news  *sync.Cond
	seen  strings.Builder
	read  int // how much of seen Expect has passed
	gone  bool
	cmd   *exec.Cmd
	ended chan struct{}
}

// NewTerminal makes a terminal that ends with the test.
func NewTerminal(t testing.TB) *Terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	x := &Terminal{t: t, master: master}
	x.news = sync.NewCond(&x.mu)
	raw, err := master.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var n int
	ctl := raw.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			n, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	})
	if err = errors.Join(err, ctl); err != nil {
		t.Fatal(err)
	}
	x.Name = fmt.Sprintf("/dev/pts/%d", n)
	if x.slave, err = os.OpenFile(x.Name, os.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0); err != nil {
		t.Fatal(err)
	}
	return x
}

// Start runs a command that has this as its controlling terminal, as an account;
// nil is root. It is killed at the end of the test.
func (x *Terminal) Start(a *Account, argv ...string) {
	x.t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = x.slave, x.slave, x.slave
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if a != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(a.UID), Gid: uint32(a.GID)}
	}
	if err := cmd.Start(); err != nil {
		x.t.Fatal(err)
	}
	x.slave.Close() // so that its end is the program's
	x.cmd, x.ended = cmd, make(chan struct{})
	go x.watch()
	go func() { defer close(x.ended); cmd.Wait() }()
	x.t.Cleanup(func() { cmd.Process.Kill(); <-x.ended })
}

// watch collects what is written on the screen.
func (x *Terminal) watch() {
	var buf [1024]byte
	for {
		n, err := x.master.Read(buf[:])
		if errors.Is(err, syscall.EIO) && x.reopens() {
			continue
		}
		x.mu.Lock()
		x.seen.Write(buf[:n])
		x.gone = err != nil
		x.news.Broadcast()
		x.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// reopens reports whether somebody may open the terminal again: util-linux's login hangs up
// on everybody before it does. It takes its time to say so.
func (x *Terminal) reopens() bool {
	select {
	case <-x.ended:
		return false
	case <-time.After(10 * time.Millisecond):
		return true
	}
}

// Expect waits until text is on the screen, behind what was expected before.
func (x *Terminal) Expect(text string) {
	x.t.Helper()
	seen := false
	x.await(patience, func() bool {
		i := strings.Index(x.seen.String()[x.read:], text)
		if seen = i >= 0; seen {
			x.read += i + len(text)
		}
		return seen || x.gone
	})
	if !seen {
		x.t.Fatalf("%q does not appear on the screen:\n%s", text, x.Screen())
	}
}

// await waits until something is true of the screen, which is looked at whenever
// there is news, or until limit has passed.
func (x *Terminal) await(limit time.Duration, done func() bool) {
	deadline := time.Now().Add(limit)
	late := time.AfterFunc(limit, func() {
		x.mu.Lock() // nobody is between their look at the clock and their wait
		defer x.mu.Unlock()
		x.news.Broadcast()
	})
	defer late.Stop()
	x.mu.Lock()
	defer x.mu.Unlock()
	for !done() && time.Now().Before(deadline) {
		x.news.Wait()
	}
}

// ExpectSecret waits for a question and until a line is read that is not shown:
// programs that set the terminal after they have asked throw away what came before.
func (x *Terminal) ExpectSecret(text string) {
	x.t.Helper()
	x.Expect(text)
	Await(x.t, "the end of the echo", patience, func() bool {
		state, err := unix.IoctlGetTermios(int(x.master.Fd()), unix.TCGETS)
		return err == nil && state.Lflag&(unix.ECHO|unix.ICANON) == unix.ICANON
	})
}

// Type presses keys.
func (x *Terminal) Type(keys string) {
	x.t.Helper()
	if _, err := x.master.WriteString(keys); err != nil {
		x.t.Fatalf("typing: %v", err)
	}
}

// Leave presses Ctrl-C, or hangs up on a program that takes none: util-linux's login.
func (x *Terminal) Leave() {
	x.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", x.PID()))
	if err != nil {
		x.t.Fatal(err)
	}
	_, ignored, _ := strings.Cut(string(status), "\nSigIgn:")
	ignored, _, _ = strings.Cut(strings.TrimSpace(ignored), "\n")
	signals, err := strconv.ParseUint(ignored, 16, 64)
	if err != nil {
		x.t.Fatal(err)
	}
	if signals>>(syscall.SIGINT-1)&1 == 0 {
		x.Type("\x03")
		return
	}
	x.cmd.Process.Signal(syscall.SIGHUP) // it may be gone
}

// Screen is all that has been written.
func (x *Terminal) Screen() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.seen.String()
}

// PID is the program's process.
func (x *Terminal) PID() int { return x.cmd.Process.Pid }

// Kill kills the program.
func (x *Terminal) Kill() { x.cmd.Process.Kill() }

// rest is how long Wait waits for what was written last: whoever has left the
// terminal open to a process of its own ends it later, or never.
const rest = time.Second

// Wait waits for the program's end, and for its last words on the screen, and
// returns its exit status.
func (x *Terminal) Wait() int {
	x.t.Helper()
	select {
	case <-x.ended:
	case <-time.After(patience):
		x.t.Fatalf("the program does not end; on the screen:\n%s", x.Screen())
	}
	x.await(rest, func() bool { return x.gone })
	return x.cmd.ProcessState.ExitCode()
}
