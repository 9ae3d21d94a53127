package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// What was promised is seen at once, by both kinds of reading.
func TestLookSeesPromises(t *testing.T) {
	s, _ := unsettled(t)
	addUser(t, s, 0)
	addUser(t, s, 1)
	mustUpdate(t, s, func(tx *Tx) error { return tx.Scope("u001", "totp").Delete("totp-1") })
	look := func(tx *Tx) error {
		if _, found, _ := tx.User("u000"); !found {
			t.Error("the user is not seen")
		}
		if v, _, _ := tx.Scope("u000", "totp").Get("totp-1"); string(v) != "u000" {
			t.Errorf("the record is %q", v)
		}
		if _, found, _ := tx.Scope("u001", "totp").Get("totp-1"); found {
			t.Error("a record is seen that was removed")
		}
		if _, _, records, err := tx.Load("u000"); err != nil || len(records["totp"]) != 1 {
			t.Errorf("loaded %v, %v", records, err)
		}
		if name, err := tx.NameOf(1); err != nil || name != "" {
			t.Errorf("uid 1 is %q, %v", name, err)
		}
		if err := tx.ClearBudget("x"); err != ErrReadOnly {
			t.Errorf("writing: %v", err)
		}
		return nil
	}
	if err := s.Look(look); err != nil {
		t.Error(err)
	}
	if s.ahead.Load().changes == nil {
		t.Error("looking has settled")
	}
	if err := s.View(look); err != nil {
		t.Error(err)
	}
	if s.ahead.Load().changes != nil {
		t.Error("viewing has not settled")
	}
	if err := s.Look(look); err != nil {
		t.Error(err)
	}
}

// Nobody sees an older value than one that somebody was told of before.
func TestLookNeverGoesBack(t *testing.T) {
	s, _ := newStore(t, nil)
	s.settleIn = 0 // all the time
	mustUpdate(t, s, func(tx *Tx) error { return tx.PutUser("alice", User{}) })
	put := func(n uint64) {
		mustUpdate(t, s, func(tx *Tx) error {
			return tx.Scope("alice", "hotp").Put("1", binary.BigEndian.AppendUint64(nil, n))
		})
	}
	get := func(read func(func(*Tx) error) error) (n uint64) {
		err := read(func(tx *Tx) error {
			v, _, err := tx.Scope("alice", "hotp").Get("1")
			n = binary.BigEndian.Uint64(v)
			return err
		})
		if err != nil {
			t.Error(err)
		}
		return n
	}
	put(0)
	ctx, cancel := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for _, read := range []func(func(*Tx) error) error{s.Look, s.Look, s.View} {
		readers.Go(func() {
			for last := uint64(0); ctx.Err() == nil; {
				now := get(read)
				if now < last {
					t.Errorf("%d after %d", now, last)
				}
				last = now
			}
		})
	}
	for n := range uint64(2000) {
		put(n + 1)
		if got := get(s.Look); got != n+1 {
			t.Errorf("looked and saw %d, want %d", got, n+1)
		}
	}
	cancel()
	readers.Wait()
}

// Nobody sees promises over a state that has them and more: the user's entry and the
// records would not agree.
func TestLookMixesNothing(t *testing.T) {
	s, _ := unsettled(t)
	mustUpdate(t, s, func(tx *Tx) error {
		return errors.Join(tx.PutUser("alice", User{UID: 1}), tx.Scope("alice", "totp").Put("totp-1", []byte("x")))
	})
	s.redo.used = redoSize // so that the next is committed, and not promised
	looked := false
	mustUpdate(t, s, func(tx *Tx) error {
		tx.bolt.OnCommit(func() {
			looked = true
			if err := s.Look(func(tx *Tx) error { _, _, _, err := tx.Load("alice"); return err }); err != nil {
				t.Error(err)
			}
		})
		return tx.Scope("alice", "totp").Put("totp-2", []byte("y"))
	})
	if !looked {
		t.Error("nobody looked")
	}
}

// A database that can't be written any more, as on a full disk, keeps what was
// promised, takes nothing further, and goes on once it can.
func TestSettleFails(t *testing.T) {
	s, c := unsettled(t)
	addUser(t, s, 0)
	if err := s.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.db.MaxSize = int(s.Size())
	large := bytes.Repeat([]byte{7}, 1_000_000)
	addUser(t, s, 1)
	if err := s.Update(t.Context(), func(tx *Tx) error { return tx.Scope("u000", "totp").Put("big", large) }); err == nil {
		t.Error("a change was taken that has no room")
	}
	if s.owed == nil {
		t.Fatal("nothing is owed")
	}
	crashed := crash(t, c)
	if v := s.View(func(*Tx) error { return nil }); v != nil {
		t.Errorf("what is owed fits, and yet: %v", v)
	}
	addUser(t, s, 2)
	hasUsers(t, s, 3)
	hasUsers(t, open(t, crashed), 2)
}

// The same while not even what was promised can be written.
func TestOwedCannotBeWritten(t *testing.T) {
	s, c := unsettled(t)
	addUser(t, s, 0)
	addUser(t, s, 1)
	s.tx.Rollback() // so that its commit fails
	if err := s.Settle(t.Context()); err == nil {
		t.Fatal("it was settled")
	}
	good := s.owed.made
	s.owed.made = append([]change{{bucket: []byte("no such bucket")}}, good...)
	s.owed.promised++
	for range 2 {
		if err := s.Update(t.Context(), func(*Tx) error { return nil }); err == nil {
			t.Error("an update was taken")
		}
		if err := s.View(func(*Tx) error { return nil }); err == nil {
			t.Error("a view does not tell")
		}
		if err := s.Ping(t.Context()); err == nil {
			t.Error("the store says that it is well")
		}
	}
	s.Look(func(tx *Tx) error {
		if _, found, _ := tx.User("u001"); !found {
			t.Error("a promise is not seen")
		}
		return nil
	})
	hasUsers(t, open(t, crash(t, c)), 2)
	s.owed.made, s.owed.promised = good, len(good)
	addUser(t, s, 2)
	hasUsers(t, s, 3)
}

// Without a log everything works, only slower.
func TestWithoutRedoLog(t *testing.T) {
	s, c := unsettled(t)
	s.redo.close(true)
	s.redo = nil
	for i := range 3 {
		addUser(t, s, i)
	}
	hasUsers(t, open(t, crash(t, c)), 3)
}

// Whatever comes while a store closes gets an answer, and what was told is kept.
func TestCloseAmongOthers(t *testing.T) {
	for range 20 {
		s, c := newStore(t, nil)
		s.settleIn = 0
		mustUpdate(t, s, func(tx *Tx) error { return tx.PutBudget("n", 0) })
		var all sync.WaitGroup
		var told atomic.Int64
		for range 4 {
			all.Go(func() {
				for {
					n := 0
					err := s.Update(t.Context(), func(tx *Tx) error {
						if _, err := tx.Budget("n", &n); err != nil {
							return err
						}
						n++
						return tx.PutBudget("n", n)
					})
					if err != nil {
						return
					}
					for have := told.Load(); have < int64(n) && !told.CompareAndSwap(have, int64(n)); have = told.Load() {
					}
				}
			})
		}
		for _, read := range []func(func(*Tx) error) error{s.View, s.Look} {
			all.Go(func() {
				for read(func(*Tx) error { return nil }) == nil {
				}
			})
		}
		for told.Load() < 10 {
			runtime.Gosched()
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		all.Wait()
		n := 0
		again := open(t, c)
		again.View(func(tx *Tx) error { _, err := tx.Budget("n", &n); return err })
		if int64(n) != told.Load() {
			t.Errorf("%d is kept, %d was told", n, told.Load())
		}
		again.Close()
	}
}

// A promise is settled soon, though nobody asks.
func TestSettlesByItself(t *testing.T) {
	s, _ := newStore(t, nil)
	addUser(t, s, 0)
	for end := time.Now().Add(10 * time.Second); s.ahead.Load().changes != nil; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it was never settled")
		}
	}
}
