package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// A code that is spent in a file that was moved away would be good again in the one
// that takes its place.
func TestRestoreWhileTheServedDatabaseWasMovedAway(t *testing.T) {
	t.Parallel()
	s, c := peopled(t, nil)
	path, _ := backup(t, s, c)
	os.Chmod(c.Dir, 0o700)
	s = open(t, c)
	moved, db := filepath.Join(t.TempDir(), "moved"), filepath.Join(c.Dir, DatabaseFile)
	if err := os.Rename(db, moved); err != nil {
		t.Fatal(err)
	}
	if _, err := putBack(t, c, path, all); !errors.Is(err, ErrInUse) {
		t.Errorf("restore: %v", err)
	}
	if _, err := Rekey(c, NewKey(), true); !errors.Is(err, ErrInUse) {
		t.Errorf("rekey: %v", err)
	}
	if left := entries(t, c.Dir); !slices.Equal(left, []string{RedoFile, KeyFile}) {
		t.Errorf("left: %v", left)
	}
	s.Close()
	mustPutBack(t, c, path)
	open(t, c)
}

// Nobody opens a database in a directory where one is being replaced; but a user
// who can only read the directory keeps no factord from starting.
func TestOpenWhileFilesAreReplaced(t *testing.T) {
	t.Parallel()
	s, c := newStore(t, nil)
	s.Close()
	unlock, err := lockDir(c.Dir)
	if err != nil {
		t.Fatal(err)
	}
	os.Chmod(c.Dir, 0o700)
	if _, err := Open(c); !errors.Is(err, ErrInUse) {
		t.Errorf("mode 0700: %v", err)
	}
	os.Chmod(c.Dir, 0o755)
	open(t, c).Close()
	os.Chmod(c.Dir, 0o700)
	unlock()
	s = open(t, c)
	if _, err := lockDir(c.Dir); !errors.Is(err, ErrInUse) {
		t.Errorf("while one serves: %v", err)
	}
	s.Close()
	if unlock, err = lockDir(c.Dir); err != nil {
		t.Error(err)
	}
	unlock()
}

// A factord that starts beside a rekey waits for it, and looks only then which key
// lies beside the database's. What it saw before may be the only one that opens it.
func TestSettleKeyBesideARekey(t *testing.T) {
	t.Parallel()
	s, c := newStore(t, nil)
	s.Close()
	file, next := filepath.Join(c.Dir, KeyFile), filepath.Join(c.Dir, nextKeyFile)
	good := readFile(t, file)
	os.WriteFile(next, good, 0o600)
	os.WriteFile(file, bytes.Repeat([]byte("3"), 64), 0o600)
	unlock, err := lockDir(c.Dir)
	if err != nil {
		t.Fatal(err)
	}
	type result struct {
		settled bool
		err     error
	}
	done := make(chan result)
	go func() { settled, err := SettleKey(c.Dir); done <- result{settled, err} }()
	select {
	case r := <-done:
		t.Fatalf("did not wait: %+v", r)
	case <-time.After(lockTimeout / 10):
	}
	if err := promote(c.Dir); err != nil { // the rekey ends, and the next begins
		t.Fatal(err)
	}
	os.WriteFile(next, bytes.Repeat([]byte("4"), 64), 0o600)
	unlock()
	if r := <-done; r.settled || r.err != nil {
		t.Errorf("got %+v", r)
	}
	if !bytes.Equal(readFile(t, file), good) {
		t.Error("the key is lost")
	}
	if unlock, err = lockDir(c.Dir); err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if _, err := SettleKey(c.Dir); !errors.Is(err, ErrInUse) {
		t.Errorf("while a rekey goes on: %v", err)
	}
}
