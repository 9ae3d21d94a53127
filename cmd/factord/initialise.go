package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

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

// initialise makes the state of a new machine.
func initialise(o options, stdout io.Writer) error {
	if err := os.MkdirAll(o.state, 0o700); err != nil {
		return err
	}
	if _, err := os.Lstat(o.state + "/" + store.DatabaseFile); err == nil {
		return store.ErrExists
	}
	key, err := store.ReadKey(o.state, os.Getenv("CREDENTIALS_DIRECTORY"))
	if errors.Is(err, fs.ErrNotExist) {
		key, err = store.MakeKey(o.state)
	}
	if err != nil {
		return err
	}
	if err := store.Init(o.state, key); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "made an empty database in %s\nKeep the seal key apart from backups: without it they can't be opened, with it they can be read.\n", o.state)
	return nil
}
