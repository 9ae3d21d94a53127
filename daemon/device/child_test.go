package device

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/key"
	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire/agent"
)

// waitsForever is a job whose key never comes.
func waitsForever(said func(key.Progress)) key.Job {
	return key.Job{Verb: agent.HMAC, Queue: "1", Say: said, Reply: &agent.HMACReply{},
		Request: &agent.HMACRequest{Serial: 4294967295, Slot: 2, Challenge: []byte(strings.Repeat("x", 32))}}
}

// children are the processes that this one has started and not waited for, but those of
// other tests.
func children(t *testing.T, program string) (pids []int) {
	t.Helper()
	tasks, _ := filepath.Glob("/proc/self/task/*/children")
	for _, file := range tasks {
		text, _ := os.ReadFile(file)
		for _, word := range strings.Fields(string(text)) {
			pid, err := strconv.Atoi(word)
			if err != nil {
				t.Fatal(err)
			}
			name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
			if strings.TrimSpace(string(name)) == filepath.Base(program) {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

func openFiles(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

// start begins a job that waits for a key, and returns when the program says so.
func startWaiting(t *testing.T, b *Broker) (pid int, cancel context.CancelFunc, done chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context30(t))
	said := newSteps()
	done = make(chan error, 1)
	go func() { done <- b.Do(ctx, waitsForever(said.of("it"))) }()
	said.await(t, "it", key.Progress{State: agent.Absent})
	pids := children(t, b.Program)
	if len(pids) != 1 {
		t.Fatalf("%d processes", len(pids))
	}
	return pids[0], cancel, done
}

// The real program as a child: it has the connection and nothing else of ours, and is
// gone when its operation is.
func TestChild(t *testing.T) {
	b := New(Config{Socket: filepath.Join(t.TempDir(), "none"), Program: factordtest.USB(t), Private: filepath.Join(t.TempDir(), "usb")})
	var reply agent.KeysReply
	if err := b.Do(context30(t), key.Job{Verb: agent.Keys, Request: &agent.KeysRequest{}, Reply: &reply, Wait: -1}); err != nil {
		t.Fatal(err)
	}
	inherited, err := syscall.Open("/etc/passwd", syscall.O_RDONLY, 0) // as by a careless parent: without close-on-exec
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(inherited)
	t.Setenv("FACTORD_TEST_SECRET", "x")
	before := openFiles(t)
	pid, cancel, done := startWaiting(t, b)
	if root := os.Geteuid() == 0; root {
		files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			to, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, f.Name()))
			own := strings.HasPrefix(to, "anon_inode:[event") || strings.HasPrefix(to, "/sys/fs/cgroup/") // the Go runtime's
			if to != "/dev/null" && !strings.HasPrefix(to, "socket:") && !own {
				t.Errorf("file %s is %s", f.Name(), to)
			}
		}
		if environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid)); err != nil || string(environ) != "RUNTIME_DIRECTORY="+b.Private+"\x00" {
			t.Errorf("environment %q, %v", environ, err)
		}
	}
	if group, err := syscall.Getpgid(pid); err != nil || group != pid {
		t.Errorf("is in process group %d, %v", group, err)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	await(t, "the process and its files are gone", func() bool {
		return len(children(t, b.Program)) == 0 && openFiles(t) == before
	})
}

// A process that is killed in the middle is an outage, and a frozen one holds nobody up.
func TestChildKilled(t *testing.T) {
	b := New(Config{Program: factordtest.USB(t), Private: filepath.Join(t.TempDir(), "usb")})
	pid, _, done := startWaiting(t, b)
	syscall.Kill(pid, syscall.SIGKILL)
	if err := <-done; !errors.Is(err, factor.ErrUnavailable) || !strings.Contains(err.Error(), "ended in the middle") {
		t.Errorf("killed: %v", err)
	}
	pid, cancel, done := startWaiting(t, b)
	syscall.Kill(pid, syscall.SIGSTOP)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("frozen: %v", err)
	}
	await(t, "the frozen one is gone", func() bool { return !slices.Contains(children(t, b.Program), pid) })
}

// The real program waits as long as the context lasts, and says then what was missing.
func TestChildGivesUp(t *testing.T) {
	b := New(Config{Program: factordtest.USB(t), Private: filepath.Join(t.TempDir(), "usb")})
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	err := b.Do(ctx, waitsForever(nil))
	var e *agent.Error
	if !errors.As(err, &e) || e.Code != agent.Gone {
		t.Errorf("came to %v", err)
	}
}

// await waits for something to become true.
func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}
