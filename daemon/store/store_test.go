package store

import (
	"context"
	"errors"
	"fmt"
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
		for user, r := range tx.Scope("alice", "yubico").(factor.Neighbours).Others() {
			all = append(all, user+":"+r.ID+"="+string(r.Value))
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
		if got := others(tx); got != "alice2:yubico-1=B bob:yubico-2=D" {
			t.Errorf("others: %s", got)
		}
		return nil
	})
	mustUpdate(t, s, func(tx *Tx) error {
		err := errors.Join(tx.Scope("bob", "yubico").Delete("yubico-2"), tx.Scope("bob", "yubico").Put("yubico-3", []byte("E")),
			tx.change(bucketRecords, recordKey("alice2", "yubico", "yubico-1"), unreadable))
		if got := others(tx); got != "bob:yubico-3=E" {
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
