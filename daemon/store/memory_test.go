package store

import (
	"context"
	"errors"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

// older makes the database of a schema that had no memories.
func older(tx *bolt.Tx) error {
	return errors.Join(tx.DeleteBucket(bucketMemories), tx.Bucket(bucketMeta).Put(keySchema, []byte(memorylessSchema)))
}

func TestUpgrade(t *testing.T) {
	s, c := newStore(t, nil)
	mustUpdate(t, s, func(tx *Tx) error { tx.Audit(Event{Kind: "before"}); return nil })
	if err := s.db.Update(older); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	mustUpdate(t, s, func(tx *Tx) error { return tx.Remember("alice", [32]byte{1}, Memory{Factor: "totp"}) })
	s.View(func(tx *Tx) error {
		if last, err := tx.LastEvent(); last != 1 || err != nil {
			t.Errorf("last event is %d, %v", last, err)
		}
		return nil
	})
}

func TestMemoriesOfAUser(t *testing.T) {
	s, _ := newStore(t, nil)
	at := func(i int) Memory { return Memory{Until: time.Unix(int64(1000-i), 0).UTC()} }
	mustUpdate(t, s, func(tx *Tx) error {
		var err error
		for i := range MaxMemories + 2 {
			err = errors.Join(err, tx.Remember("alice", [32]byte{byte(i)}, at(i)))
		}
		return errors.Join(err, tx.Remember("alice", [32]byte{3}, at(3)), tx.Remember("alicea", [32]byte{1}, at(1)))
	})
	found := func(user string, i int) (ok bool) {
		s.View(func(tx *Tx) (err error) { _, ok, err = tx.Memory(user, [32]byte{byte(i)}); return err })
		return ok
	}
	for i, want := range map[int]bool{0: true, 3: true, MaxMemories - 2: true, MaxMemories - 1: false, MaxMemories: false, MaxMemories + 1: true} {
		if found("alice", i) != want {
			t.Errorf("memory %d is kept: %v", i, !want)
		}
	}
	mustUpdate(t, s, func(tx *Tx) error {
		if n, err := tx.Forget("alice"); n != MaxMemories || err != nil {
			t.Errorf("forgot %d, %v", n, err)
		}
		return nil
	})
	if found("alice", 0) || !found("alicea", 1) {
		t.Error("forgot too little, or another user's")
	}
}

func TestCommittedIsTold(t *testing.T) {
	var told []Record
	fails := error(nil)
	s, c := newStore(t, nil)
	s.Close()
	c.Committed = func(r []Record) error { told = append(told, r...); return fails }
	s, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	mustUpdate(t, s, func(tx *Tx) error { tx.Audit(Event{Kind: "one"}); tx.Audit(Event{Kind: "two"}); return nil })
	if len(told) != 2 || told[0].Kind != "one" || told[1].Seq != 2 || len(told[1].Prev) != 32 {
		t.Fatalf("told %+v", told)
	}
	fails = errors.New("full")
	err = s.Update(context.Background(), func(tx *Tx) error { tx.Audit(Event{Kind: "three"}); return nil })
	if !errors.Is(err, ErrNotCopied) || !errors.Is(err, fails) || len(told) != 3 {
		t.Errorf("got %v, told %d", err, len(told))
	}
	if err := s.Update(context.Background(), func(tx *Tx) error { return tx.ClearBudget("alice") }); err != nil {
		t.Errorf("a change without a record: %v", err)
	}
}
