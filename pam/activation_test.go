package pam_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
	"github.com/factord/factord/pam/pamtest"
)

const idleSecond = "[daemon]\nidle_exit = \"1s\"\n" + wideRule

// activate lets systemd's own program listen, and start factord at the first
// connection, as it becomes factord.
func (l *lab) activate() {
	l.t.Helper()
	program := factordtest.NeedProgram(l.t, "systemd-socket-activate")
	l.Launch(append([]string{program, "-l", l.Socket}, l.Args()...)...)
	pamtest.Await(l.t, "systemd's listening", 10*time.Second, func() bool {
		info, err := os.Stat(l.Socket)
		return err == nil && info.Mode()&os.ModeSocket != 0
	})
}

// A login wakes factord, it leaves when nobody needs it, and the next login finds
// everything as it was.
func TestSocketActivation(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{Config: idleSecond})
	l.Stop()
	os.Remove(l.Socket)
	service := pamtest.Service(t, l.snippet("sudo-expose_authtok"))
	spent := l.code()
	for round, answer := range []string{spent, l.code()} {
		l.activate()
		if round == 1 {
			if status := l.pamtester(service, spent); status != 1 {
				t.Errorf("a code from before the idle exit: exit %d", status)
			}
		}
		begun := time.Now()
		if status := l.pamtester(service, answer); status != 0 {
			t.Fatalf("round %d: exit %d\n%s", round, status, l.Log())
		}
		if code := l.Wait(20 * time.Second); code != 0 {
			t.Errorf("round %d: the idle factord exits %d", round, code)
		}
		if d := time.Since(begun); d < time.Second {
			t.Errorf("round %d: factord left after %v", round, d)
		}
		os.Remove(l.Socket)
	}
}

// The socket outlives factord, as it does under systemd: a login that comes while
// factord leaves is served by the next one.
func TestLoginDuringIdleExit(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{Config: "[daemon]\nidle_exit = \"30ms\"\n" + wideRule})
	l.Stop()
	os.Remove(l.Socket)
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: l.Socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	file, err := listener.File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	starts, quit, done := 0, make(chan struct{}), make(chan struct{})
	go func() { // what systemd does
		defer close(done)
		for ; ; starts++ {
			cmd := exec.Command("sh", append([]string{"-c", `LISTEN_PID=$$ exec "$@"`, "sh"}, l.Args()...)...)
			cmd.Env, cmd.ExtraFiles = append(os.Environ(), "LISTEN_FDS=1"), []*os.File{file}
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("factord: %v\n%s", err, out)
				return
			}
			select {
			case <-quit:
				return
			default:
			}
		}
	}()
	for n := range 60 {
		time.Sleep(time.Duration(20+n%20) * time.Millisecond)
		if v := l.Login(-1, l.auth("sudo"), "000"); v.Allow || v.Reason != wire.ReasonDenied && v.Reason != wire.ReasonRateLimited {
			t.Errorf("login %d: %+v", n, v)
		}
	}
	close(quit)
	if <-done; starts < 5 {
		t.Errorf("factord left %d times only: the moment was not tested", starts)
	}
}

// sd_notify: READY when logins are served, WATCHDOG while they are, STOPPING.
func TestNotify(t *testing.T) {
	t.Parallel()
	factordtest.NeedRoot(t)
	dir := factordtest.OpenDir(t)
	path := filepath.Join(dir, "notify")
	told, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer told.Close()
	p := factordtest.Prepare(t, factordtest.ProcessOptions{Dir: dir, Env: []string{"NOTIFY_SOCKET=" + path, "WATCHDOG_USEC=200000"}})
	expect := func(want string) {
		t.Helper()
		told.SetReadDeadline(time.Now().Add(15 * time.Second))
		var buf [256]byte
		for {
			n, err := told.Read(buf[:])
			if err != nil {
				t.Fatalf("waiting for %s: %v", want, err)
			}
			got := string(buf[:n])
			if got == want {
				return
			}
			if got != "WATCHDOG=1" {
				t.Errorf("factord says %q, want %q", got, want)
			}
		}
	}
	p.Launch(p.Args()...)
	expect("READY=1")
	if c, err := factordtest.Dial(p.Socket, -1); err != nil {
		t.Errorf("READY, and: %v", err)
	} else {
		c.Close()
	}
	for range 3 {
		expect("WATCHDOG=1")
	}
	begun := time.Now()
	p.Signal(15)
	expect("STOPPING=1")
	if code := p.Wait(10 * time.Second); code != 0 || time.Since(begun) > 3*time.Second {
		t.Errorf("exit %d after %v", code, time.Since(begun))
	}
}
