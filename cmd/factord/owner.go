package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/factord/factord/daemon/store"
)

const keySettled = "a change of the seal key that had been cut off is complete: the new key is in place"

// sealKey returns the key of the state directory. settled is called if a --rekey
// that was cut off had to be ended first.
func sealKey(o options, settled func()) (store.Key, error) {
	done, err := store.SettleKey(o.state)
	if err != nil {
		return store.Key{}, err
	}
	if done {
		settled()
	}
	key, err := store.ReadKey(o.state, os.Getenv("CREDENTIALS_DIRECTORY"))
	if err != nil {
		err = fmt.Errorf("reading the seal key: %w", err)
	}
	return key, err
}

// onState runs fn on the state directory with the rights of its owner. What it
// makes there is theirs then, whoever runs it, and a factord that somebody has
// captured can't lay a link that leads root elsewhere. credential says that the
// key is a systemd credential.
func onState(o options, fn func(c store.Config, credential bool) error) error {
	key, credential, err := store.ReadCredential(os.Getenv("CREDENTIALS_DIRECTORY")) // root's to read
	if err != nil {
		return fmt.Errorf("reading the seal key: %w", err)
	}
	return asOwner(o.state, func() (err error) {
		if !credential {
			key, err = sealKey(o, func() { fmt.Fprintln(os.Stderr, "factord: "+keySettled) })
		}
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w\nhint: if factord.service has the key as a credential, run this with "+withStore+", or if it is encrypted with "+withSystemd, err)
		}
		if err != nil {
			return err
		}
		defer clear(key[:])
		return fn(store.Config{Dir: o.state, Key: key}, credential)
	})
}

// asOwner runs fn as the owner of a folder, which only root and the owner can.
func asOwner(dir string, fn func() error) (err error) {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w\nhint: systemd-tmpfiles --create makes it for the units; elsewhere it is a folder of mode 0700 of the user who runs factord", err)
	}
	if err != nil {
		return err
	}
	owner, self := info.Sys().(*syscall.Stat_t), os.Geteuid()
	if int(owner.Uid) == self {
		return fn()
	}
	if self != 0 {
		return fmt.Errorf("%s belongs to uid %d, and this is uid %d\nhint: run it as root", dir, owner.Uid, self)
	}
	if err := become(int(owner.Uid), int(owner.Gid)); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, become(0, os.Getgid())) }()
	return fn()
}

// become changes whose rights all threads of this process have. The uid comes
// last on the way down and first on the way back.
func become(uid, gid int) error {
	setUID := func() error { return syscall.Setresuid(-1, uid, -1) }
	setGID := func() error { return errors.Join(syscall.Setgroups([]int{gid}), syscall.Setresgid(-1, gid, -1)) }
	first, second := setGID, setUID
	if uid == 0 {
		first, second = setUID, setGID
	}
	if err := first(); err != nil {
		return fmt.Errorf("taking the rights of uid %d: %w", uid, err)
	}
	if err := second(); err != nil {
		return fmt.Errorf("taking the rights of uid %d: %w", uid, err)
	}
	return noCoreDumps() // the kernel forgets it at each change
}
