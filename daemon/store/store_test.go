package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/factord/factord/daemon/factor"
)

var ctx = context.Background()

// newStore makes a database in a folder of its own.
func newStore(t testing.TB, clock func() time.Time) (*Store, Config) {
	t.Helper()
	c := Config{Dir: t.TempDir(), Clock: clock}
	key, err := MakeKey(c.Dir)
	if err != nil {
		t.Fatal(err)
	}
	c.Key = key
	if err := Init(c.Dir, key); err != nil {
		t.Fatal(err)
	}
	return open(t, c), c
}

func open(t testing.TB, c Config) *Store {
	t.Helper()
	s, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func mustUpdate(t testing.TB, s *Store, fn func(*Tx) error) {
	t.Helper()
	if err := s.Update(ctx, fn); err != nil {
		t.Fatal(err)
	}
}

func TestRecordsSurviveAndAreScoped(t *testing.T) {
	s, c := newStore(t, nil)
	mustUpdate(t, s, func(tx *Tx) error {
		return errors.Join(tx.PutUser("alice", User{UID: 7, Tombstone: true}), tx.PutUser("alice2", User{}), tx.PutUser("alic", User{}),
			tx.Scope("alice", "totp").Put("totp-1", []byte("A")),
			tx.Scope("alice", "backup").Put("backup-1", []byte("B")),
			tx.Scope("alice2", "totp").Put("totp-1", []byte("C")),
			tx.Scope("alic", "totp").Put("totp-1", []byte("D")))
	})
	s.Close()
	s = open(t, c)
	err := s.View(func(tx *Tx) error {
		u, ok, all, err := tx.Load("alice")
		if got := fmt.Sprint(all); err != nil || got != "map[backup:[{backup-1 [66] <nil>}] totp:[{totp-1 [65] <nil>}]]" {
			t.Errorf("records: %s, %v", got, err)
		}
		if !ok || u.UID != 7 || !u.Tombstone || u.Records != 2 {
			t.Errorf("user: %+v %v", u, ok)
		}
		if _, ok, _ := tx.User("ali"); ok || tx.CountUsers() != 3 {
			t.Error("a user came from nowhere")
		}
		if err := tx.Scope("alice", "totp").Put("x", nil); !errors.Is(err, ErrReadOnly) {
			t.Errorf("writing in a view: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A factor sees what others have in it, to keep a key from having two owners, and
// nothing else: its own changes of this transaction included.
func TestOthers(t *testing.T) {
	s, _ := newStore(t, nil)
	others := func(tx *Tx) string {
		var all []string
		for r := range tx.Scope("alice", "yubico").(factor.Neighbours).Others() {
			all = append(all, r.ID+"="+string(r.Value))
		}
		return strings.Join(all, " ")
	}
	mustUpdate(t, s, func(tx *Tx) error {
		return errors.Join(tx.PutUser("alice", User{}), tx.PutUser("alice2", User{}), tx.PutUser("bob", User{}),
			tx.Scope("alice", "yubico").Put("yubico-1", []byte("A")),
			tx.Scope("alice2", "yubico").Put("yubico-1", []byte("B")),
			tx.Scope("bob", "totp").Put("totp-1", []byte("C")),
			tx.Scope("bob", "yubico").Put("yubico-2", []byte("D")))
	})
	s.View(func(tx *Tx) error {
		if got := others(tx); got != "yubico-1=B yubico-2=D" {
			t.Errorf("others: %s", got)
		}
		return nil
	})
	mustUpdate(t, s, func(tx *Tx) error {
		err := errors.Join(tx.Scope("bob", "yubico").Delete("yubico-2"), tx.Scope("bob", "yubico").Put("yubico-3", []byte("E")),
			tx.change(bucketRecords, recordKey("alice2", "yubico", "yubico-1"), unreadable))
		if got := others(tx); got != "yubico-3=E" {
			t.Errorf("others in the transaction: %s", got)
		}
		return err
	})
}

func TestUpdateSeesItsOwnChangesAndLeavesNoneBehindWhenItFails(t *testing.T) {
	s, _ := newStore(t, nil)
	mustUpdate(t, s, func(tx *Tx) error {
		return errors.Join(tx.PutUser("a", User{}), tx.Scope("a", "f").Put("1", []byte("old")))
	})
	broken := errors.New("broken")
	for name, end := range map[string]func() error{
		"error": func() error { return broken },
		"panic": func() error { panic("broken") },
	} {
		err := s.Update(ctx, func(tx *Tx) error {
			rs := tx.Scope("a", "f")
			rs.Put("1", []byte("new"))
			rs.Put("2", []byte("more"))
			list, _ := rs.List()
			if v, _, _ := rs.Get("1"); string(v) != "new" || len(list) != 2 {
				t.Errorf("own change not seen: %q, %v", v, list)
			}
			rs.Delete("2")
			if list, _ := rs.List(); len(list) != 1 {
				t.Errorf("own deletion not seen: %v", list)
			}
			tx.Audit(Event{Kind: "verdict"})
			return end()
		})
		if err == nil || !strings.Contains(err.Error(), "broken") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	s.View(func(tx *Tx) error {
		if v, _, err := tx.Scope("a", "f").Get("1"); string(v) != "old" || err != nil {
			t.Errorf("got %q, %v", v, err)
		}
		if n, _ := tx.LastEvent(); n != 0 {
			t.Errorf("%d audit records of failed updates", n)
		}
		return nil
	})
}

// A record that is lost, or lies under another name, is never "has none".
func TestLostRecordsAreNoticed(t *testing.T) {
	s, _ := newStore(t, nil)
	mustUpdate(t, s, func(tx *Tx) error {
		if err := tx.Scope("alice", "totp").Put("1", nil); !errors.Is(err, ErrNoEntry) {
			t.Errorf("a record without an entry: %v", err)
		}
		rs := tx.Scope("alice", "totp")
		return errors.Join(tx.PutUser("alice", User{}), rs.Put("1", []byte("A")), rs.Put("1", []byte("B")), rs.Put("2", []byte("C")), rs.Delete("2"), rs.Delete("3"))
	})
	load := func() (err error) {
		s.View(func(tx *Tx) error { _, _, _, err = tx.Load("alice"); return nil })
		return err
	}
	if err := load(); err != nil {
		t.Error(err)
	}
	s.db.Update(func(tx *bolt.Tx) error { return tx.Bucket(bucketRecords).Delete(recordKey("alice", "totp", "1")) })
	if err := load(); !errors.Is(err, ErrRecords) {
		t.Errorf("a lost record: %v", err)
	}
}

// Updates that share a transaction are still one after the other.
func TestCompareAndSwapUnderConcurrency(t *testing.T) {
	s, _ := newStore(t, nil)
	mustUpdate(t, s, func(tx *Tx) error { return tx.PutUser("alice", User{}) })
	var wg sync.WaitGroup
	won := make(chan int, 1000)
	for i := range 1000 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			err := s.Update(ctx, func(tx *Tx) error {
				rs := tx.Scope("alice", "totp")
				if _, spent, err := rs.Get(fmt.Sprint(i / 10)); spent || err != nil {
					return errors.Join(err, errors.New("spent"))
				}
				return rs.Put(fmt.Sprint(i/10), []byte{1})
			})
			if err == nil {
				won <- i / 10
			}
		}()
	}
	wg.Wait()
	close(won)
	times := map[int]int{}
	for i := range won {
		times[i]++
	}
	for i := range 100 {
		if times[i] != 1 {
			t.Errorf("code %d was accepted %d times", i, times[i])
		}
	}
}

func TestUpdateEndsWithItsContext(t *testing.T) {
	s, _ := newStore(t, nil)
	hold, held := make(chan struct{}), make(chan struct{})
	go s.Update(ctx, func(*Tx) error { close(held); <-hold; return nil })
	<-held
	short, cancel := context.WithCancel(ctx)
	ran := false
	done := make(chan error)
	go func() { done <- s.Update(short, func(*Tx) error { ran = true; return nil }) }()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(hold)
	mustUpdate(t, s, func(*Tx) error { return nil })
	if ran {
		t.Error("an update ran after its context had ended")
	}
	s.Close()
	if err := s.Update(ctx, func(*Tx) error { return nil }); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// A page that is damaged under a running factord refuses, and no more than that:
// what was promised before is kept.
func TestDamageInTheMiddleOfCommit(t *testing.T) {
	s, c := newStore(t, nil)
	mustUpdate(t, s, func(tx *Tx) error { return tx.PutUser("before", User{}) })
	clock := s.clock
	s.clock = func() time.Time { panic("page 7: invalid") }
	err := s.Update(t.Context(), func(tx *Tx) error { return tx.PutUser("mid", User{}) })
	if err == nil || !strings.Contains(err.Error(), "page 7") {
		t.Errorf("got %v", err)
	}
	s.clock = clock
	mustUpdate(t, s, func(tx *Tx) error { return tx.PutUser("after", User{}) })
	s.Close()
	if got := userNames(t, open(t, c)); !slices.Equal(got, []string{"after", "before"}) {
		t.Errorf("users: %v", got)
	}
}

func userNames(t *testing.T, s *Store) (all []string) {
	t.Helper()
	err := s.View(func(tx *Tx) error {
		return tx.Users(func(name string) error { all = append(all, name); return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestHighestTimeNeverFalls(t *testing.T) {
	now := time.Unix(2_000_000_000, 0)
	s, c := newStore(t, func() time.Time { return now })
	mustUpdate(t, s, func(tx *Tx) error { return tx.ClearBudget("x") })
	now = now.Add(-time.Hour)
	mustUpdate(t, s, func(tx *Tx) error { return tx.ClearBudget("x") })
	s.Close()
	if s = open(t, c); !s.Highest().Equal(time.Unix(2_000_000_000, 0)) {
		t.Errorf("highest time is %v", s.Highest())
	}
}

func TestOpenRefuses(t *testing.T) {
	damage := func(f func(tx *bolt.Tx) error) func(*testing.T, *Config) {
		return func(t *testing.T, c *Config) {
			db, err := bolt.Open(filepath.Join(c.Dir, DatabaseFile), 0o600, nil)
			if err == nil {
				err = errors.Join(db.Update(f), db.Close())
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	path := func(c *Config) string { return filepath.Join(c.Dir, DatabaseFile) }
	for name, tc := range map[string]struct {
		spoil func(*testing.T, *Config)
		want  string
	}{
		"another key":         {func(_ *testing.T, c *Config) { c.Key[0] ^= 1 }, "seal key does not open"},
		"missing":             {func(_ *testing.T, c *Config) { os.Remove(path(c)) }, "factord --init"},
		"empty file":          {func(_ *testing.T, c *Config) { os.Truncate(path(c), 0) }, ""},
		"cut":                 {func(_ *testing.T, c *Config) { os.Truncate(path(c), 5000) }, ""},
		"garbage":             {func(_ *testing.T, c *Config) { os.WriteFile(path(c), []byte(strings.Repeat("x", 1<<16)), 0o600) }, ""},
		"readable":            {func(_ *testing.T, c *Config) { os.Chmod(path(c), 0o644) }, "chmod 600"},
		"folder others write": {func(_ *testing.T, c *Config) { os.Chmod(c.Dir, 0o777) }, "chmod 700"},
		"a directory":         {func(_ *testing.T, c *Config) { os.Remove(path(c)); os.Mkdir(path(c), 0o700) }, "regular file"},
		"a link":              {func(_ *testing.T, c *Config) { os.Rename(path(c), path(c)+"x"); os.Symlink(path(c)+"x", path(c)) }, "regular file"},
		"a newer schema":      {damage(func(tx *bolt.Tx) error { return tx.Bucket(bucketMeta).Put(keySchema, []byte("3")) }), "another schema"},
		"no schema":           {damage(func(tx *bolt.Tx) error { return tx.Bucket(bucketMeta).Delete(keySchema) }), "another schema"},
		"a bucket is gone":    {damage(func(tx *bolt.Tx) error { return tx.DeleteBucket(bucketBudgets) }), "another schema"},
		"a changed state":     {damage(func(tx *bolt.Tx) error { return tx.Bucket(bucketMeta).Put(keyState, []byte("x")) }), "unseal"},
		"the state is gone":   {damage(func(tx *bolt.Tx) error { return tx.Bucket(bucketMeta).Delete(keyState) }), "unseal"},
	} {
		t.Run(name, func(t *testing.T) {
			s, c := newStore(t, nil)
			s.Close()
			tc.spoil(t, &c)
			s, err := Open(c)
			if err == nil {
				s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

// Root that starts factord by hand is told as whom to, and not to give the state to
// somebody else.
func TestStateOfAnother(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a folder away")
	}
	s, c := newStore(t, nil)
	s.Close()
	if err := os.Chown(c.Dir, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	_, err := Open(c)
	if err == nil || !strings.Contains(err.Error(), "belongs to uid 65534, and this is uid 0\nhint: start it as the owner: runuser -u nobody -- factord") || strings.Contains(err.Error(), "chown") {
		t.Error(err)
	}
}

func TestSecondDaemonIsRefused(t *testing.T) {
	_, c := newStore(t, nil)
	if _, err := Open(c); !errors.Is(err, ErrInUse) {
		t.Errorf("got %v", err)
	}
}

func TestInitKeepsWhatIsThere(t *testing.T) {
	s, c := newStore(t, nil)
	mustUpdate(t, s, func(tx *Tx) error { return tx.PutUser("alice", User{UID: 1}) })
	s.Close()
	if err := Init(c.Dir, c.Key); !errors.Is(err, ErrExists) {
		t.Errorf("second init: %v", err)
	}
	if key, err := MakeKey(c.Dir); err != nil || key != c.Key {
		t.Errorf("the key was replaced: %v", err)
	}
	open(t, c).View(func(tx *Tx) error {
		if _, ok, err := tx.User("alice"); !ok {
			t.Errorf("alice is gone: %v", err)
		}
		return nil
	})
}

func TestSealedValuesDoNotMove(t *testing.T) {
	s, c := newStore(t, nil)
	mustUpdate(t, s, func(tx *Tx) error {
		return errors.Join(tx.PutUser("mallory", User{}), tx.Scope("mallory", "totp").Put("totp-1", []byte("secret of mallory")))
	})
	s.Close()
	data, _ := os.ReadFile(filepath.Join(c.Dir, DatabaseFile))
	if strings.Contains(string(data), "secret of mallory") {
		t.Error("a record lies in the file in clear")
	}
	db, err := bolt.Open(filepath.Join(c.Dir, DatabaseFile), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	db.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketRecords)
		value := append([]byte(nil), b.Get(recordKey("mallory", "totp", "totp-1"))...)
		return errors.Join(b.Put(recordKey("root", "totp", "totp-1"), value), b.Put(recordKey("mallory", "backup", "totp-1"), value))
	})
	db.Close()
	s = open(t, c)
	s.View(func(tx *Tx) error {
		if _, _, _, err := tx.Load("root"); err == nil {
			t.Error("a record opened for another user")
		}
		if _, _, err := tx.Scope("mallory", "backup").Get("totp-1"); err == nil {
			t.Error("a record opened for another factor")
		}
		if _, ok, err := tx.Scope("mallory", "totp").Get("totp-1"); !ok || err != nil {
			t.Errorf("the record itself: %v %v", ok, err)
		}
		return nil
	})
}

func TestKeyFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, KeyFile)
	hexKey := strings.Repeat("ab", KeySize)
	for text, ok := range map[string]bool{hexKey: true, hexKey + "\n": true, strings.Repeat("k", KeySize): true,
		"": false, "ab": false, hexKey + "ab": false, strings.Repeat("zz", KeySize): false, strings.Repeat("a", 4096): false} {
		os.Remove(path)
		os.WriteFile(path, []byte(text), 0o600)
		if _, err := ReadKey(dir, ""); (err == nil) != ok {
			t.Errorf("key file %.20q…: %v", text, err)
		}
	}
	os.WriteFile(path, []byte(hexKey), 0o600)
	os.Chmod(path, 0o644)
	if _, err := ReadKey(dir, ""); err == nil {
		t.Error("a key that others can read was taken")
	}
	credentials := t.TempDir()
	os.WriteFile(filepath.Join(credentials, CredentialName), []byte(strings.Repeat("cd", KeySize)), 0o400)
	if key, err := ReadKey(dir, credentials); err != nil || key[0] != 0xcd {
		t.Errorf("the credential comes first: %v", err)
	}
	if _, err := ReadKey(t.TempDir(), ""); err == nil || !strings.Contains(err.Error(), "hint:") {
		t.Errorf("missing key: %v", err)
	}
	if got := fmt.Sprintf("%v %x %s %#v", Key{1}, Key{1}, Key{1}, Key{1}); strings.Contains(got, "1") {
		t.Errorf("a key prints as %q", got)
	}
}
