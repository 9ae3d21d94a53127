package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/store"
)

// steps are the system calls by which a command changes what is on disk.
const steps = "pwrite64,write,fsync,fdatasync,ftruncate,linkat,renameat,renameat2,unlinkat"

// hold is how long strace holds each of them back before it begins: the time to
// kill the command between two of them.
const hold = "10000" // microseconds

var returned = regexp.MustCompile(`(?m)\) += -?[0-9]`)

// killAfter runs factord and kills it as soon as n of its steps are done. It
// reports whether it was killed before its end.
func killAfter(t *testing.T, n int, args ...string) (killed bool) {
	t.Helper()
	trace := filepath.Join(t.TempDir(), "strace")
	// -D: the process that is started here is factord, not strace.
	cmd := exec.Command("strace", append([]string{"-D", "-f", "-q", "-o", trace, "-e", "trace=" + steps,
		"-e", "inject=" + steps + ":delay_enter=" + hold, filepath.Join(factordtest.Build(t), "factord")}, args...)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			if err != nil {
				t.Fatalf("%v: %v", args, err)
			}
			return false
		case <-time.After(time.Millisecond):
		}
		if text, _ := os.ReadFile(trace); len(returned.FindAll(text, -1)) >= n {
			cmd.Process.Kill()
			return <-ended != nil
		}
	}
}

// template is a state with a record and a backup of it, beside which the database
// has gone on.
func template(t *testing.T) (dir, backup string) {
	t.Helper()
	factordtest.NeedRoot(t)
	factordtest.NeedProgram(t, "strace")
	dir, backup = t.TempDir(), filepath.Join(t.TempDir(), "backup")
	key, err := store.MakeKey(dir)
	if err := errors.Join(err, store.Init(dir, key)); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "old")
	c := store.Config{Dir: dir, Key: key}
	if err := store.WriteNew(backup, func(w io.Writer) error { _, _, err := store.Backup(c, w); return err }); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "new")
	return dir, backup
}

// put keeps a record that totp can't read, and so leaves as it is in a restore.
func put(t *testing.T, dir, value string) {
	t.Helper()
	s := opened(t, dir)
	defer s.Close()
	err := s.Update(t.Context(), func(tx *store.Tx) error {
		tx.Audit(store.Event{Kind: "enroll"})
		_, found, err := tx.User("alice")
		if !found {
			err = errors.Join(err, tx.PutUser("alice", store.User{}))
		}
		return errors.Join(err, tx.Scope("alice", "totp").Put("totp-1", []byte(value)))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// opened opens a state as factord does when it starts.
func opened(t *testing.T, dir string) *store.Store {
	t.Helper()
	key, err := sealKey(options{state: dir}, func() { t.Log("the key was settled") })
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(store.Config{Dir: dir, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// holds returns the record of a state and how its audit chain ends, nothing if it
// has no database.
func holds(t *testing.T, dir string) (value, last string) {
	t.Helper()
	if _, err := os.Lstat(filepath.Join(dir, store.DatabaseFile)); errors.Is(err, fs.ErrNotExist) {
		return "", ""
	}
	s := opened(t, dir)
	defer s.Close()
	err := s.View(func(tx *store.Tx) error {
		v, _, err := tx.Scope("alice", "totp").Get("totp-1")
		value = string(v)
		return errors.Join(err, tx.VerifyAudit(), tx.Events(0, func(e store.Event) error { last = e.Kind; return nil }))
	})
	if err != nil {
		t.Fatal(err)
	}
	return value, last
}

// atEveryStep kills a command after each of its steps. What is there then is the
// old or the new, never back from new to old, and the command works when it is
// run again.
func atEveryStep(t *testing.T, dir string, old, new [2]string, args ...string) {
	seenNew := false
	for n := 1; ; n++ {
		state := filepath.Join(t.TempDir(), "state")
		if out, err := exec.Command("cp", "-a", dir, state).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		command := append([]string{"--state", state}, args...)
		killed := killAfter(t, n, command...)
		value, last := holds(t, state)
		switch got := [2]string{value, last}; {
		case got == new:
			seenNew = true
		case got != old || seenNew || !killed:
			t.Fatalf("killed after %d steps: %v: %q", n, killed, got)
		}
		if !killed {
			t.Logf("%d steps", n-1)
			return
		}
		if out, err := exec.Command(filepath.Join(factordtest.Build(t), "factord"), command...).CombinedOutput(); err != nil {
			t.Fatalf("killed after %d steps and run again: %v\n%s", n, err, out)
		}
		if value, last := holds(t, state); [2]string{value, last} != new {
			t.Fatalf("killed after %d steps and run again: %q, %q", n, value, last)
		}
	}
}

func TestKillRestoreAtEveryStep(t *testing.T) {
	t.Parallel()
	dir, backup := template(t)
	atEveryStep(t, dir, [2]string{"new", "enroll"}, [2]string{"old", "restore"}, "--restore", backup)
}

func TestKillRestoreOnANewMachineAtEveryStep(t *testing.T) {
	t.Parallel()
	dir, backup := template(t)
	if err := os.Remove(filepath.Join(dir, store.DatabaseFile)); err != nil {
		t.Fatal(err)
	}
	atEveryStep(t, dir, [2]string{}, [2]string{"old", "restore"}, "--restore", backup)
}

func TestKillRekeyAtEveryStep(t *testing.T) {
	t.Parallel()
	dir, _ := template(t)
	atEveryStep(t, dir, [2]string{"new", "enroll"}, [2]string{"new", "rekey"}, "--rekey")
}
