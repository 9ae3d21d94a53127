package store

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// ErrOffline: two commands that replace files would take each other's.
var ErrOffline = errors.New("another factord --restore or --rekey is at work\nhint: wait until it has ended")

// lockDir keeps the state directory for one command that replaces files in it. No
// factord serves meanwhile, not even on a database that was moved away: what it
// accepted would be forgotten.
func lockDir(dir string) (unlock func(), err error) {
	d, err := openDir(dir)
	if err != nil {
		return nil, err
	}
	if err := lock(d, unix.LOCK_EX); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = ErrOffline
			if unix.Flock(int(d.Fd()), unix.LOCK_SH|unix.LOCK_NB) == nil { // so does who serves
				err = ErrInUse
			}
		}
		d.Close()
		return nil, err
	}
	return func() { d.Close() }, nil
}

// shareDir keeps those commands away while a factord serves. In a directory that
// others can open it does not, since any of them could keep factord from starting
// with such a lock; the database's own lock is all there is then.
func shareDir(dir string) (unlock func(), err error) {
	d, err := openDir(dir)
	if err != nil {
		return nil, err
	}
	info, err := d.Stat()
	if err == nil && info.Mode().Perm()&0o077 == 0 {
		err = lock(d, unix.LOCK_SH)
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = ErrInUse
	}
	if err != nil {
		d.Close()
		return nil, err
	}
	return func() { d.Close() }, nil
}

func openDir(dir string) (*os.File, error) {
	if err := checkDir(dir); err != nil {
		return nil, err
	}
	return os.Open(dir)
}

// lock locks an open file, for which it waits no longer than lockTimeout.
func lock(f *os.File, how int) error {
	for end := time.Now().Add(lockTimeout); ; time.Sleep(lockTimeout / 40) {
		err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) || time.Now().After(end) {
			return err
		}
	}
}
