package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/factord/factord/daemon/factor"
)

// value is a record of a store, "unreadable" if it does not unseal.
func value(t testing.TB, s *Store, user, factor, id string) (text string) {
	t.Helper()
	s.View(func(tx *Tx) error {
		v, found, err := tx.Scope(user, factor).Get(id)
		if text = string(v); err != nil {
			text = "unreadable"
		} else if !found {
			text = "missing"
		}
		return nil
	})
	return text
}

func TestRestoreVoidsWhatMayHaveBeenSpent(t *testing.T) {
	now := time.Unix(2_000_000_000, 0)
	clock := func() time.Time { return now }
	s, c := peopled(t, clock)
	path, _ := backup(t, s, c)
	data := readFile(t, path)

	s = open(t, c) // after the backup: time passes, dora enrols
	now = now.Add(time.Hour)
	mustUpdate(t, s, func(tx *Tx) error {
		return errors.Join(tx.PutUser("dora", User{UID: 9}), tx.Scope("bob", "totp").Put("totp-1", []byte("CC")))
	})
	s.state.Generation = 41
	appendEvents(t, s, 1)
	s.Close()
	now = now.Add(-2 * time.Hour) // and the clock is set back

	done := mustPutBack(t, c, path)
	if done.Generation != 42 || done.Users != 2 || len(done.Warnings) != 2 || !strings.Contains(done.Warnings[0], `"dora"`) || !done.Ahead() {
		t.Errorf("done: %+v", done)
	}
	s = open(t, c)
	for where, want := range map[[3]string]string{
		{"alice", "totp", "totp-1"}:     "A void at 2000003600", // what the replaced one had seen
		{"alice", "backup", "backup-1"}: "B void at 2000003600",
		{"bob", "totp", "totp-1"}:       "C void at 2000003600, there totp-1=CC",
	} {
		if got := value(t, s, where[0], where[1], where[2]); got != want {
			t.Errorf("%v is %q, want %q", where, got, want)
		}
	}
	if s.state.Generation != 42 || s.Highest().Unix() != 2_000_003_600 {
		t.Errorf("state %+v", s.state)
	}
	all := events(t, s)
	last := all[len(all)-1]
	if len(all) != tailSize+4 || last.Kind != "restore" || !strings.Contains(last.Log, "generation 42; of a backup") {
		t.Errorf("%d events, the last is %+v", len(all), last)
	}
	s.View(func(tx *Tx) error {
		u, _, records, err := tx.Load("alice")
		_, remembered, _ := tx.Memory("alice", [32]byte{1})
		failures := 0
		tx.Budget("alice", &failures)
		if err != nil || u.UID != 7 || !u.Tombstone || len(records) != 2 || remembered || failures != 3 {
			t.Errorf("alice: %+v %v %v, remembered %v, failures %d", u, records, err, remembered, failures)
		}
		return nil
	})
	if !bytes.Equal(readFile(t, path), data) {
		t.Error("the backup was changed")
	}
	s.Close()
	kept, err := openFile(done.Kept, c)
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	if kept.state.Generation != 41 {
		t.Errorf("kept: %+v", kept.state)
	}
	if left := entries(t, c.Dir); len(left) != 3 {
		t.Errorf("left: %v", left)
	}
	if info, err := os.Stat(filepath.Join(c.Dir, DatabaseFile)); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// What was kept aside comes back as any backup does, above all generations.
func TestRestoreTwice(t *testing.T) {
	s, c := peopled(t, nil)
	path, _ := backup(t, s, c)
	first := mustPutBack(t, c, path)
	second := mustPutBack(t, c, first.Kept)
	if first.Generation != 1 || second.Generation != 2 || first.Kept == second.Kept {
		t.Errorf("%+v\n%+v", first, second)
	}
	events(t, open(t, c))
}

func TestRestoreWhereNothingIs(t *testing.T) {
	s, c := peopled(t, nil)
	path, _ := backup(t, s, c)
	c.Dir = t.TempDir()
	done := mustPutBack(t, c, path)
	if done.Kept != "" || done.Generation != 1 || len(done.Warnings) != 1 || !strings.Contains(done.Warnings[0], "this clock decides alone") {
		t.Errorf("done: %+v", done)
	}
	if got := value(t, open(t, c), "bob", "totp", "totp-1"); !strings.HasPrefix(got, "C void") {
		t.Errorf("got %q", got)
	}
}

func TestRestoreOverADatabaseThatCantBeRead(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"garbage": func(path string) error { return os.WriteFile(path, bytes.Repeat([]byte("x"), 1<<16), 0o600) },
		"empty":   func(path string) error { return os.Truncate(path, 0) },
		"cut":     func(path string) error { return os.Truncate(path, 5000) },
		"another key": func(path string) error {
			dir, err := os.MkdirTemp(filepath.Dir(path), "")
			return errors.Join(err, Init(dir, Key{1}), os.Rename(filepath.Join(dir, DatabaseFile), path), os.Remove(dir))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, c := peopled(t, nil)
			path, _ := backup(t, s, c)
			if err := spoil(filepath.Join(c.Dir, DatabaseFile)); err != nil {
				t.Fatal(err)
			}
			was := readFile(t, filepath.Join(c.Dir, DatabaseFile))
			done := mustPutBack(t, c, path)
			if len(done.Warnings) != 2 || !strings.Contains(done.Warnings[0], "can't be read") || !strings.Contains(done.Warnings[1], "this clock decides alone") || !bytes.Equal(readFile(t, done.Kept), was) {
				t.Errorf("done: %+v", done)
			}
			open(t, c)
		})
	}
}

func TestRestoreOfAnOlderSchema(t *testing.T) {
	s, c := peopled(t, nil)
	if err := s.db.Update(older); err != nil {
		t.Fatal(err)
	}
	path, _ := backup(t, s, c)
	mustPutBack(t, c, path)
	events(t, open(t, c))
}

// A clock that was ahead once has spent all codes until then; that is said, and so
// is how far this clock is believed.
func TestRestoreAfterAClockWasAhead(t *testing.T) {
	right := time.Unix(2_000_000_000, 0)
	for ahead, want := range map[time.Duration]bool{0: false, -time.Hour: false, clockAhead: false, clockAhead + time.Second: true, 365 * 24 * time.Hour: true} {
		for _, where := range []string{"backup", "database"} {
			now := right
			s, c := peopled(t, func() time.Time { return now })
			now = right.Add(ahead)
			if where == "backup" {
				appendEvents(t, s, 1)
			}
			path, _ := backup(t, s, c)
			if where == "database" {
				s = open(t, c)
				appendEvents(t, s, 1)
				s.Close()
			}
			now = right
			done := mustPutBack(t, c, path)
			if done.Ahead() != want || !done.Clock.Equal(right) || !done.Seen.Equal(right.Add(max(ahead, 0))) || (len(done.Warnings) > 0) != want {
				t.Errorf("%v in the %s: %+v", ahead, where, done)
			}
			if want && !strings.Contains(done.Warnings[0], "the database has seen "+done.Seen.UTC().Format(time.RFC3339)) {
				t.Errorf("warned %q", done.Warnings)
			}
		}
	}
}

// A factor that can't tell makes its records unusable; so are those that nobody
// answers for. Neither makes a user look like one without a factor.
func TestRestoreOfWhatNoFactorAnswersFor(t *testing.T) {
	s, c := peopled(t, nil)
	mustUpdate(t, s, func(tx *Tx) error { return tx.Scope("alice", "totp").Put("totp-2", []byte("AA")) })
	spoilRecord(t, s, bucketRecords, recordKey("alice", "totp", "totp-1"))
	path, _ := backup(t, s, c)
	done := mustPutBack(t, c, path)
	s = open(t, c)
	if got := value(t, s, "alice", "totp", "totp-2"); !strings.HasPrefix(got, "AA void") || value(t, s, "alice", "totp", "totp-1") != "unreadable" {
		t.Errorf("beside a damaged record: %q", got)
	}
	if text := fmt.Sprint(done.Warnings); !strings.Contains(text, `damaged, and restored so: records "alice/totp/totp-1"`) {
		t.Errorf("warnings: %s", text)
	}
	s.Close()

	only := map[string]factor.Restorer{"totp": restorer{fail: errors.New("version 9 is unknown")}}
	done, err := putBack(t, c, path, only)
	text := strings.Join(done.Warnings, "\n")
	if err != nil || !strings.Contains(text, `"totp" of "alice" can't be restored and will be refused: version 9`) || !strings.Contains(text, `records of "backup" can't be restored and will be refused`) {
		t.Errorf("%v, warnings: %s", err, text)
	}
	s = open(t, c)
	if value(t, s, "bob", "totp", "totp-1") != "unreadable" || value(t, s, "alice", "backup", "backup-1") != "unreadable" {
		t.Error("records that nobody answers for are still good, or gone")
	}
	s.View(func(tx *Tx) error {
		if u, found, _, err := tx.Load("bob"); !found || u.Records != 1 || err == nil {
			t.Errorf("bob: %+v %v %v", u, found, err)
		}
		return nil
	})
}

func TestRestoreRefuses(t *testing.T) {
	s, c := peopled(t, nil)
	path, _ := backup(t, s, c)
	db := filepath.Join(c.Dir, DatabaseFile)
	was, good, names := readFile(t, db), readFile(t, path), entries(t, c.Dir)
	for name, tc := range map[string]struct {
		data  []byte
		spoil func(*Config)
		want  error
	}{
		"empty":       {data: nil, want: errBackup},
		"garbage":     {data: bytes.Repeat([]byte("x"), 1<<16), want: errBackup},
		"cut":         {data: good[:len(good)-4096], want: errBackup},
		"another key": {data: good, spoil: func(c *Config) { c.Key[3] ^= 1 }, want: ErrSealKey},
		"no folder":   {data: good, spoil: func(c *Config) { c.Dir += "/x" }, want: os.ErrNotExist},
	} {
		t.Run(name, func(t *testing.T) {
			bad, other := filepath.Join(t.TempDir(), "bad"), c
			os.WriteFile(bad, tc.data, 0o600)
			if tc.spoil != nil {
				tc.spoil(&other)
			}
			if _, err := putBack(t, other, bad, all); !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
			if !bytes.Equal(readFile(t, bad), tc.data) || !bytes.Equal(readFile(t, db), was) || fmt.Sprint(entries(t, c.Dir)) != fmt.Sprint(names) {
				t.Error("something was changed")
			}
		})
	}
	if _, err := putBack(t, c, db, all); err == nil || !strings.Contains(err.Error(), "the database itself") {
		t.Errorf("itself: %v", err)
	}
	if _, err := putBack(t, c, c.Dir, all); !errors.Is(err, errBackup) {
		t.Errorf("a folder: %v", err)
	}
	unlock, err := lockDir(c.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := putBack(t, c, path, all); !errors.Is(err, ErrOffline) {
		t.Errorf("two at once: %v", err)
	}
	unlock()
	open(t, c)
	if _, err := putBack(t, c, path, all); !errors.Is(err, ErrInUse) {
		t.Errorf("in use: %v", err)
	}
}

// A newer factord's backup is not half understood.
func TestRestoreRefusesAnotherSchema(t *testing.T) {
	s, c := peopled(t, nil)
	s.db.Update(func(tx *bolt.Tx) error { return tx.Bucket(bucketMeta).Put(keySchema, []byte("3")) })
	s.Close()
	path := filepath.Join(t.TempDir(), "newer")
	os.Rename(filepath.Join(c.Dir, DatabaseFile), path)
	if _, err := putBack(t, c, path, all); !errors.Is(err, ErrSchema) || len(entries(t, c.Dir)) != 1 {
		t.Errorf("got %v, left %v", err, entries(t, c.Dir))
	}
}
