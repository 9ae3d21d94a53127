package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor"
)

// unsettled opens a store whose promises stay in the redo log.
func unsettled(t *testing.T) (*Store, Config) {
	t.Helper()
	s, c := newStore(t, nil)
	s.settleIn = time.Hour
	return s, c
}

// crash returns a copy of the state directory as a crash would leave it.
func crash(t *testing.T, c Config) Config {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(c.Dir)); err != nil {
		t.Fatal(err)
	}
	for _, name := range entries(t, dir) {
		os.Chmod(filepath.Join(dir, name), 0o600)
	}
	c.Dir = dir
	return c
}

// addUser makes user n, with a record and an event.
func addUser(t *testing.T, s *Store, n int) {
	t.Helper()
	name := fmt.Sprintf("u%03d", n)
	mustUpdate(t, s, func(tx *Tx) error {
		tx.Audit(Event{Kind: "verdict", User: name})
		return errors.Join(tx.PutUser(name, User{UID: uint32(n)}), tx.Scope(name, "totp").Put("totp-1", []byte(name)), tx.ClearBudget("nobody"))
	})
}

// hasUsers checks that a store has n users, whole, and an audit chain that holds.
func hasUsers(t *testing.T, s *Store, n int) {
	t.Helper()
	names := userNames(t, s)
	if len(names) != n {
		t.Errorf("%d users, want %d", len(names), n)
	}
	for _, name := range names {
		if got := value(t, s, name, "totp", "totp-1"); got != name {
			t.Errorf("the record of %s is %q", name, got)
		}
	}
	if err := s.View(func(tx *Tx) error { return tx.VerifyAudit() }); err != nil {
		t.Error(err)
	}
	if got := len(events(t, s)); got != n {
		t.Errorf("%d events, want %d", got, n)
	}
}

func TestRedoAfterACrash(t *testing.T) {
	for _, n := range []int{1, 2, 40, 63, 64, 65, 200} { // one block each, 64 in the log
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			s, c := unsettled(t)
			for i := range n {
				addUser(t, s, i)
			}
			again := open(t, crash(t, c))
			hasUsers(t, again, n)
			addUser(t, again, n)
			hasUsers(t, again, n+1)
			hasUsers(t, s, n)
		})
	}
}

// A crash while the log is redone, or before it begins anew, changes nothing.
func TestRedoTwice(t *testing.T) {
	s, c := unsettled(t)
	for i := range 5 {
		addUser(t, s, i)
	}
	crashed := crash(t, c)
	left := readFile(t, filepath.Join(crashed.Dir, RedoFile))
	again := open(t, crashed)
	for range 2 {
		hasUsers(t, again, 5)
		again.Close()
		if err := os.WriteFile(filepath.Join(crashed.Dir, RedoFile), left, 0o600); err != nil {
			t.Fatal(err)
		}
		again = open(t, crashed)
	}
}

// A log that is not of this state of this database is none.
func TestRedoOfAnother(t *testing.T) {
	other, oc := unsettled(t)
	addUser(t, other, 100)
	foreign := readFile(t, filepath.Join(oc.Dir, RedoFile))

	s, c := unsettled(t)
	addUser(t, s, 0)
	older := readFile(t, filepath.Join(c.Dir, RedoFile))
	if err := s.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	addUser(t, s, 1)
	s.Close()
	for name, log := range map[string][]byte{
		"another database's": foreign, "an older one": older, "zeros": make([]byte, redoSize), "nothing": nil, "noise": bytes.Repeat([]byte{0, 0, 1, 7}, 9999),
		"a length beyond it": bytes.Repeat([]byte{255}, 64), "longer than a log": append(bytes.Clone(foreign), older...),
	} {
		crashed := crash(t, c)
		if err := os.WriteFile(filepath.Join(crashed.Dir, RedoFile), log, 0o600); err != nil {
			t.Fatal(err)
		}
		t.Log(name)
		hasUsers(t, open(t, crashed), 2)
	}
}

// An entry that did not get whole to the disk was promised to nobody; those before
// it were.
func TestRedoTorn(t *testing.T) {
	s, c := unsettled(t)
	for i := range 3 {
		addUser(t, s, i)
	}
	for _, at := range []int{0, 1, 3, 4, 5, 30, 400} {
		for block, want := range []int{0, 1, 2} {
			crashed := crash(t, c)
			path := filepath.Join(crashed.Dir, RedoFile)
			log := readFile(t, path)
			log[block*redoBlock+at] ^= 0x40
			if err := os.WriteFile(path, log, 0o600); err != nil {
				t.Fatal(err)
			}
			hasUsers(t, open(t, crashed), want)
		}
	}
	for _, size := range []int{0, 3, 4, 100, redoBlock, redoBlock + 100} {
		crashed := crash(t, c)
		if err := os.Truncate(filepath.Join(crashed.Dir, RedoFile), int64(size)); err != nil {
			t.Fatal(err)
		}
		hasUsers(t, open(t, crashed), size/redoBlock)
	}
}

// What the log has can't be told from a lost spend if it can't be read.
func TestRedoUnreadable(t *testing.T) {
	s, c := newStore(t, nil)
	s.Close()
	path := filepath.Join(c.Dir, RedoFile)
	for name, spoil := range map[string]func() error{
		"a folder":  func() error { return os.Mkdir(path, 0o700) },
		"a symlink": func() error { return os.Symlink("elsewhere", path) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if s, err := Open(c); err == nil || !strings.Contains(err.Error(), "hint: ") {
			t.Errorf("%s: %v", name, err)
			s.Close()
		}
		os.Remove(path)
	}
	open(t, c)
}

// A store that ends in good order leaves no log.
func TestRedoIsRemoved(t *testing.T) {
	s, c := unsettled(t)
	addUser(t, s, 0)
	s.Close()
	if left := entries(t, c.Dir); !slices.Equal(left, []string{DatabaseFile, KeyFile}) {
		t.Errorf("left: %v", left)
	}
	hasUsers(t, open(t, c), 1)
}

// One that somebody removes keeps nothing any more.
func TestRedoIsGone(t *testing.T) {
	s, c := unsettled(t)
	addUser(t, s, 0)
	if err := errors.Join(s.Settle(t.Context()), os.Remove(filepath.Join(c.Dir, RedoFile))); err != nil {
		t.Fatal(err)
	}
	addUser(t, s, 1)
	hasUsers(t, open(t, crash(t, c)), 2)
}

// A restore needs to know what the database that is there has seen.
func TestRestoreBesideAnUnreadableLog(t *testing.T) {
	s, c := unsettled(t)
	addUser(t, s, 0)
	s.Close()
	crashed := crash(t, c)
	os.Chmod(crashed.Dir, 0o700)
	if err := os.Symlink("elsewhere", filepath.Join(crashed.Dir, RedoFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := putBack(t, crashed, filepath.Join(c.Dir, DatabaseFile), all); err == nil || !strings.Contains(err.Error(), "hint: ") {
		t.Errorf("got %v", err)
	}
}

// Commands that work on a database whose factord crashed do not forget what was
// promised.
func TestOfflineAfterACrash(t *testing.T) {
	s, c := unsettled(t)
	addUser(t, s, 0)
	if err := s.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	settled := crash(t, c)
	base := filepath.Join(settled.Dir, DatabaseFile)
	addUser(t, s, 1)

	crashed := crash(t, c)
	var copied bytes.Buffer
	if found, _, err := Backup(crashed, &copied); err != nil || found.Users != 2 {
		t.Errorf("backup: %+v, %v", found, err)
	}

	crashed = crash(t, c)
	next := crashed
	next.Key = NewKey()
	if found, err := Rekey(crashed, next.Key, true); err != nil || found.Users != 2 {
		t.Errorf("rekey: %+v, %v", found, err)
	}
	if got := userNames(t, open(t, next)); len(got) != 2 {
		t.Errorf("after rekey: %v", got)
	}

	// The backup is the very state on which the log builds.
	crashed = crash(t, c)
	os.Chmod(crashed.Dir, 0o700)
	done, err := putBack(t, crashed, base, map[string]factor.Restorer{"totp": all["totp"]})
	if err != nil || !slices.ContainsFunc(done.Warnings, func(w string) bool { return strings.Contains(w, `"u001"`) }) {
		t.Errorf("restore: %+v, %v", done, err)
	}
	if got := userNames(t, open(t, crashed)); len(got) != 1 {
		t.Errorf("after restore: %v", got)
	}
}

func FuzzChanges(f *testing.F) {
	f.Add(appendChanges(nil, []change{{[]byte("a"), []byte("k"), []byte("v")}, {[]byte("b"), nil, nil}, {nil, []byte("x"), []byte{}}}))
	f.Add([]byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, text []byte) {
		changes, err := decodeChanges(text)
		if err != nil {
			return
		}
		again, err := decodeChanges(appendChanges(nil, changes))
		if err != nil || len(again) != len(changes) {
			t.Fatalf("%d changes became %d, %v", len(changes), len(again), err)
		}
		for i, c := range changes {
			if a := again[i]; !bytes.Equal(a.bucket, c.bucket) || !bytes.Equal(a.key, c.key) || !bytes.Equal(a.value, c.value) || (a.value == nil) != (c.value == nil) {
				t.Fatalf("%q became %q", c, a)
			}
		}
	})
}
