package pam_test

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/pam/pamtest"
)

// respawner keeps a socket and starts factord on it whenever somebody is there
// and factord is not, as systemd does for a unit without limits.
type respawner struct {
	file  *os.File
	quit  chan struct{}
	ended chan struct{}

	mu     sync.Mutex
	pid    int
	starts int
}

// respawn takes the place of the lab's own factord.
func (l *lab) respawn() *respawner {
	l.t.Helper()
	l.Stop()
	os.Remove(l.Socket)
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: l.Socket, Net: "unix"})
	if err == nil {
		err = os.Chmod(l.Socket, 0o666)
	}
	if err != nil {
		l.t.Fatal(err)
	}
	r := &respawner{quit: make(chan struct{}), ended: make(chan struct{})}
	if r.file, err = listener.File(); err != nil {
		l.t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	listener.Close()
	go r.run(l.Args())
	l.t.Cleanup(r.stop)
	return r
}

func (r *respawner) run(args []string) {
	defer close(r.ended)
	for {
		select {
		case <-r.quit:
			return
		default:
		}
		if !somebodyWaits(r.file) {
			continue
		}
		cmd := exec.Command("sh", append([]string{"-c", `LISTEN_PID=$$ exec "$@"`, "sh"}, args...)...)
		cmd.Env, cmd.ExtraFiles = append(os.Environ(), "LISTEN_FDS=1"), []*os.File{r.file}
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if cmd.Start() != nil {
			return
		}
		r.mu.Lock()
		r.pid, r.starts = cmd.Process.Pid, r.starts+1
		r.mu.Unlock()
		cmd.Wait()
		r.mu.Lock()
		r.pid = 0
		r.mu.Unlock()
	}
}

// kill ends factord without a word, if it runs.
func (r *respawner) kill() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pid != 0 {
		syscall.Kill(r.pid, syscall.SIGKILL)
	}
}

func (r *respawner) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.starts
}

func (r *respawner) stop() {
	close(r.quit)
	for {
		r.kill()
		select {
		case <-r.ended:
			r.file.Close()
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// somebodyWaits reports whether a connection is in the backlog, after a while at
// most.
func somebodyWaits(f *os.File) bool {
	raw, err := f.SyscallConn()
	waits := false
	if err == nil {
		err = raw.Control(func(fd uintptr) {
			n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 50)
			waits = n > 0
		})
	}
	return err == nil && waits
}

// Twenty crashes in a row, and 1000 connections of nobody before, between and
// after them, which stay open as long as factord lets them: then root logs in.
func TestCrashLoop(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{Config: wideRule})
	service := pamtest.Service(t, l.snippet("sudo-expose_authtok"))
	r := l.respawn()
	const crashes, crowd = 20, 1000
	open := make(chan net.Conn, crowd)
	var dialling sync.WaitGroup
	for range 10 {
		dialling.Add(1)
		go func() {
			defer dialling.Done()
			for range crowd / 10 {
				if c, err := factordtest.Dial(l.Socket, nobody); err == nil {
					open <- c
				}
			}
		}()
	}
	for n := range crashes {
		greeted(t, l.Socket)
		pamtest.Await(t, "a start of factord", 20*time.Second, func() bool { return r.count() > n })
		r.kill()
	}
	dialling.Wait()
	close(open)
	if len(open) < crowd {
		t.Errorf("only %d of %d connections of nobody were made", len(open), crowd)
	}
	if r.count() < crashes {
		t.Errorf("factord crashed %d times only", r.count())
	}
	begun := time.Now()
	if status := l.pamtester(service, l.code()); status != 0 {
		t.Errorf("root, after the crashes: exit %d after %v", status, time.Since(begun))
	}
	for c := range open {
		c.Close()
	}
}

// greeted connects as root until factord has answered, or died of the crash that
// was meant for it.
func greeted(t *testing.T, socket string) {
	t.Helper()
	c, err := factordtest.Dial(socket, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	line, err := bufio.NewReader(c).ReadString('\n')
	if err == nil && !strings.HasPrefix(line, "OK factord") {
		t.Errorf("greeted with %q", line)
	}
}
