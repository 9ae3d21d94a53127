package helper

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestTrusted(t *testing.T) {
	passwd := func() []byte {
		return []byte("root:x:0:0::/root:/bin/sh\nfactord-usb:x:996:996::/:/bin/false\nfactord:x:997:997::/:/bin/false\n")
	}
	none := func() []byte { return nil }
	tests := []struct {
		server, own uint32
		passwd      func() []byte
		want        bool
	}{
		{0, 0, none, true}, {0, 1000, none, true}, {1000, 1000, none, true},
		{997, 0, passwd, true}, {997, 1000, passwd, true},
		{997, 0, none, false}, {996, 0, passwd, false}, {1000, 0, passwd, false}, {1001, 1000, passwd, false},
	}
	for _, tt := range tests {
		if got := trusted(tt.server, tt.own, tt.passwd); got != tt.want {
			t.Errorf("server %d, own %d: %v", tt.server, tt.own, got)
		}
	}
}

// openDir returns a folder that every user may enter.
func openDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "factor-helper")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// listenAs makes a socket whose SO_PEERCRED names uid: the kernel notes who
// called listen.
func listenAs(t *testing.T, uid int) (net.Listener, string) {
	t.Helper()
	path := filepath.Join(openDir(t), "s")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread() // the raw call changes this thread alone
	keep := ^uintptr(0)
	syscall.RawSyscall(syscall.SYS_SETRESUID, keep, uintptr(uid), keep)
	err = syscall.Listen(fd, 8)
	syscall.RawSyscall(syscall.SYS_SETRESUID, keep, 0, keep)
	runtime.UnlockOSThread()
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), path)
	defer file.Close()
	l, err := net.FileListener(file)
	if err != nil {
		t.Fatal(err)
	}
	return l, path
}

// A server that is neither root nor factord hears nothing at all.
func TestWrongServer(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to serve as somebody else")
	}
	l, socket := listenAs(t, 65534)
	serveOn(t, l, func(p *peer) {
		p.put(greeting)
		p.expect("EOF")
	})
	got := call{args: []string{"pam", "--socket", socket}, env: login(), stdin: piped(t, "123456")}.run(t)
	if got.code != exitUnavailable || !strings.Contains(got.stderr, "uid 65534") {
		t.Errorf("exit %d, stderr %q", got.code, got.stderr)
	}
}

func TestNoServer(t *testing.T) {
	dir := t.TempDir()
	stale := filepath.Join(dir, "stale")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	for path, want := range map[string]string{
		filepath.Join(dir, "none"): "no such file", stale: "connection refused", dir: "connection refused",
		filepath.Join(stale, "x"): "not a directory",
	} {
		got := call{args: []string{"pam", "--socket", path}, env: login()}.run(t)
		if got.code != exitUnavailable || !strings.Contains(got.stderr, want) || strings.Contains(got.stdout, dir) {
			t.Errorf("%s: exit %d, stdout %q, stderr %q", path, got.code, got.stdout, got.stderr)
		}
	}
}

// A daemon that does not accept must not hold up the login for longer than the
// deadline; connect(2) itself would block.
func TestFullBacklog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	filler, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer filler.Close()
	start := time.Now()
	got := call{args: []string{"pam", "--socket", path}, env: login(), deadline: 200 * time.Millisecond}.run(t)
	if d := time.Since(start); got.code != exitUnavailable || got.stdout != "Timed out.\n" || d > time.Second {
		t.Errorf("exit %d after %v, stdout %q", got.code, d, got.stdout)
	}
}
