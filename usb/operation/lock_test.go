package operation

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire/agent"
	"github.com/factord/factord/usb/hid"
	"github.com/factord/factord/usb/virtual/fido"
)

// locks makes a directory for locks that others could reach, but for its own mode.
func locks(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(factordtest.OpenDir(t), "locks")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestLock(t *testing.T) {
	m := Machine{Locks: locks(t)}
	unlock, err := m.lock("1-1")
	if err != nil {
		t.Fatal(err)
	}
	for name, lock := range map[string]func(string) (func(), error){"again": m.lock, "to repair": m.LockForRepair} {
		if _, err := lock("1-1"); !errors.Is(err, hid.ErrBusy) {
			t.Errorf("%s: %v", name, err)
		}
		other, err := lock("1-1.2")
		if err != nil {
			t.Fatalf("%s: another key: %v", name, err)
		}
		other()
	}
	unlock()
	if unlock, err = m.LockForRepair("1-1"); err != nil {
		t.Fatal(err)
	}
	if _, err := m.lock("1-1"); !errors.Is(err, hid.ErrBusy) {
		t.Errorf("while it is repaired: %v", err)
	}
	unlock()
	unlock, err = m.LockForRepair("2-1") // whose file would be root's
	if _, made := os.Lstat(filepath.Join(m.Locks, "port-2-1")); err != nil || !errors.Is(made, fs.ErrNotExist) {
		t.Errorf("%v, %v", err, made)
	}
	unlock()
}

// A lock that others could take would let anybody who is logged in lock everybody out.
func TestLockOfAStranger(t *testing.T) {
	factordtest.NeedRoot(t)
	ts, key := newTokens(), fido.New(fido.Options{})
	ts.plug("1-1", key)
	id, _ := enrol(t, ts, agent.CreateRequest{}, "")
	m := Machine{Hidraw: ts, Locks: locks(t)}
	unlock, err := m.lock("1-1")
	if err != nil {
		t.Fatal(err)
	}
	unlock()
	for _, path := range []string{m.Locks, filepath.Join(m.Locks, "port-1-1")} {
		nobody := exec.Command("/bin/sh", "-c", `exec 9<"$0"`, path)
		nobody.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		if err := nobody.Run(); !errors.As(err, new(*exec.ExitError)) {
			t.Errorf("nobody opens %s: %v", path, err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	q := agent.AssertRequest{Common: waits(limit), RPID: rpID, ClientHash: clientHash, UP: true, Credentials: []agent.Credential{id}}
	if _, err := m.Assert(ctx, q, &talk{}); err != nil {
		t.Error(err)
	}
}

// In a directory that is not this user's alone nothing is locked, and no key asked.
func TestLocksOfOthers(t *testing.T) {
	open := locks(t)
	if err := os.Chmod(open, 0o710); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(locks(t), link); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{open, link, filepath.Join(open, "none")} {
		if _, err := (Machine{Locks: dir}).lock("1-1"); codeIn(err) != agent.NoAccess {
			t.Errorf("%s: %v", dir, err)
		}
	}
}
