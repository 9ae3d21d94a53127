package helper

import (
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// childMode, in the environment, makes the test's own binary the helper, so
// that sessions, terminals, parents and signals can be real.
const childMode = "FACTOR_HELPER_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(childMode) {
	case "":
		os.Exit(m.Run())
	case "old-kernel":
		runtime.LockOSThread()
		if err := denyPidfd(); err != nil {
			os.Exit(99)
		}
	}
	os.Exit(Run(Config{Args: os.Args[1:], Getenv: syscall.Getenv, Environ: syscall.Environ, Stdin: 0, Stdout: 1, Stderr: 2}))
}

// child returns the command that runs the helper as a process of its own.
func child(t *testing.T, mode string, env []string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(env, childMode+"="+mode)
	return cmd
}

// denyPidfd makes pidfd_open fail with ENOSYS for this thread, as before Linux
// 5.3 (seccomp(2): load the call's number; if it is 434, return an errno).
func denyPidfd() error {
	filter := []syscall.SockFilter{
		{Code: syscall.BPF_LD | syscall.BPF_W | syscall.BPF_ABS, K: 0},
		{Code: syscall.BPF_JMP | syscall.BPF_JEQ | syscall.BPF_K, Jf: 1, K: sysPidfdOpen},
		{Code: syscall.BPF_RET | syscall.BPF_K, K: 0x00050000 | uint32(syscall.ENOSYS)},
		{Code: syscall.BPF_RET | syscall.BPF_K, K: 0x7fff0000},
	}
	prog := syscall.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	const setNoNewPrivs, setSeccomp, modeFilter = 38, 22, 2
	if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, setNoNewPrivs, 1, 0, 0, 0, 0); errno != 0 {
		return errno
	}
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, setSeccomp, modeFilter, uintptr(unsafe.Pointer(&prog))); errno != 0 {
		return errno
	}
	return nil
}

// call is one run of the helper inside the test's process.
type call struct {
	args     []string
	env      map[string]string
	stdin    *os.File // nil is /dev/null
	deadline time.Duration
	grace    time.Duration
	became   *session // where what ssh becomes is left
}

type outcome struct {
	code           int
	stdout, stderr string
}

func (c call) run(t *testing.T) outcome {
	t.Helper()
	stdin := c.stdin
	if stdin == nil {
		stdin = open(t, os.DevNull)
	}
	if c.deadline == 0 {
		c.deadline = 10 * time.Second
	}
	stdout, readOut := pipe(t)
	stderr, readErr := pipe(t)
	code := Run(Config{
		Args: c.args, Deadline: c.deadline, grace: c.grace,
		Getenv:  func(k string) (string, bool) { v, ok := c.env[k]; return v, ok },
		Environ: func() []string { return environ(c.env) },
		Stdin:   int(stdin.Fd()), Stdout: int(stdout.Fd()), Stderr: int(stderr.Fd()),
		exec: func(path string, argv, _ []string) error { *c.became = session{path, argv}; return nil },
	})
	return outcome{code, readOut(), readErr()}
}

// pipe returns a pipe's writing end, and what closes it and reads the rest.
func pipe(t *testing.T) (*os.File, func() string) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return w, func() string {
		w.Close()
		data, _ := io.ReadAll(r)
		return string(data)
	}
}

// piped returns a pipe that holds text and has been closed for writing.
func piped(t *testing.T, text string) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	if _, err := w.WriteString(text); err != nil {
		t.Fatal(err)
	}
	w.Close()
	return r
}

func open(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// promptly fails the test unless what attempt measures is within the 200 ms in
// which a cancelled attempt must end. A loaded machine gets three tries.
func promptly(t *testing.T, attempt func() time.Duration) {
	t.Helper()
	const limit = 200 * time.Millisecond
	var took []time.Duration
	for range 3 {
		d := attempt()
		if took = append(took, d); d <= limit {
			return
		}
	}
	t.Errorf("it took %v, more than %v", took, limit)
}

// login is what pam_exec sets for an ordinary login.
func login(more ...string) map[string]string {
	env := map[string]string{"PAM_TYPE": "auth", "PAM_USER": "alice", "PAM_SERVICE": "sshd"}
	for _, kv := range more {
		k, v, _ := strings.Cut(kv, "=")
		env[k] = v
	}
	return env
}

// environ is env as a process gets it.
func environ(env map[string]string) []string {
	var list []string
	for k, v := range env {
		list = append(list, k+"="+v)
	}
	return list
}
