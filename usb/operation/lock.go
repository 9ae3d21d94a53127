package operation

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/factord/factord/daemon/wire/agent"
	"github.com/factord/factord/usb/hid"
)

// lock keeps other processes of factord-usb off a key, all its interfaces: a key that is
// asked for an OTP and an assertion at once answers neither. It ends with the process. A
// lock that is taken is hid.ErrBusy.
//
// Whoever may open a file, to read it alone, may lock it. So the file is not one of the
// key's, which others can open, but one in a directory that nobody else can enter.
func (m Machine) lock(port string) (unlock func(), err error) {
	return m.lockFile(port, os.O_CREATE)
}

// lockFile is lock with a file that is made, or only opened.
func (m Machine) lockFile(port string, create int) (unlock func(), err error) {
	if m.Locks == "" || strings.Contains(port, "/") { // a device that a test has named
		return func() {}, nil
	}
	if err := m.private(); err != nil {
		return nil, failuref(agent.NoAccess, "locking the key: %v", err)
	}
	f, err := os.OpenFile(filepath.Join(m.Locks, "port-"+port), os.O_RDONLY|create|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = fmt.Errorf("%w: factord itself, for another login", hid.ErrBusy)
		}
		return nil, err
	}
	return func() { f.Close() }, nil
}

// private makes sure that nobody else can lock what is in the directory. Root, who repairs,
// comes to that of the user that keys are asked as.
func (m Machine) private() error {
	info, err := os.Lstat(m.Locks)
	if err != nil {
		return err
	}
	owner, self := info.Sys().(*syscall.Stat_t).Uid, os.Geteuid()
	if !info.IsDir() || info.Mode().Perm()&0o077 != 0 || self != 0 && int(owner) != self {
		return fmt.Errorf("%q is no directory that is this user's alone", m.Locks)
	}
	return nil
}

// LockForRepair is the lock for who gives keyboards back: a key that is in use is left alone, since
// who uses it may have taken its interface from the kernel, and not yet for itself. Root
// leaves no file behind that the others can't open: a key without one was never taken.
func (m Machine) LockForRepair(port string) (unlock func(), err error) {
	unlock, err = m.lockFile(port, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return func() {}, nil
	}
	return unlock, err
}
