package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/factord/factord/daemon/store"
)

// noCoreDumps keeps secrets out of core files and away from debuggers of the
// same uid.
func noCoreDumps() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("forbidding core dumps: %w", err)
	}
	return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
}

// initialise makes the state of a new machine, with the rights of whom its
// directory belongs to.
func initialise(o options, stdout io.Writer) error {
	if err := os.MkdirAll(o.state, 0o700); err != nil {
		return err
	}
	key, credential, err := store.ReadCredential(os.Getenv("CREDENTIALS_DIRECTORY")) // root's to read
	if err != nil {
		return err
	}
	defer clear(key[:])
	err = asOwner(o.state, func() (err error) {
		if _, err := os.Lstat(filepath.Join(o.state, store.DatabaseFile)); err == nil {
			return store.ErrExists
		}
		if !credential {
			if key, err = store.MakeKey(o.state); err != nil {
				return err
			}
		}
		return store.Init(o.state, key)
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "made an empty database in %s\nKeep the seal key apart from backups: without it they can't be opened, with it they can be read.\n", o.state)
	return nil
}
