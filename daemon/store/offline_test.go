package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/factord/factord/daemon/factor"
)

// peopled is a store with two users, three records, a memory, a budget, a refusal
// and an audit chain.
func peopled(t testing.TB, clock func() time.Time) (*Store, Config) {
	t.Helper()
	s, c := newStore(t, clock)
	mustUpdate(t, s, func(tx *Tx) error {
		return errors.Join(tx.PutUser("alice", User{UID: 7, Tombstone: true}), tx.PutUser("bob", User{UID: 8}),
			tx.Scope("alice", "totp").Put("totp-1", []byte("A")), tx.Scope("alice", "backup").Put("backup-1", []byte("B")),
			tx.Scope("bob", "totp").Put("totp-1", []byte("C")),
			tx.PutBudget("alice", 3), tx.Remember("alice", [32]byte{1}, Memory{Factor: "totp"}))
	})
	appendEvents(t, s, tailSize+3)
	if _, err := s.Refuse(ctx, Event{PeerUID: 5, Reason: "protocol"}); err != nil {
		t.Fatal(err)
	}
	return s, c
}

// backup writes a backup of a store that it closes.
func backup(t testing.TB, s *Store, c Config) (path string, found Contents) {
	t.Helper()
	s.Close()
	path = filepath.Join(t.TempDir(), "backup")
	err := WriteNew(path, func(w io.Writer) (err error) { found, _, err = Backup(c, w); return err })
	if err != nil {
		t.Fatal(err)
	}
	return path, found
}

// restorer notes in each record when it was told, and what the replaced database
// had where that differs.
type restorer struct{ fail error }

func (r restorer) Restored(rs factor.Records, present []factor.Record, now time.Time) error {
	list, err := rs.List()
	if errors.Is(err, factor.ErrDamaged) {
		err = nil
	}
	for _, have := range list {
		value := fmt.Appendf(nil, "%s void at %d", have.Value, now.Unix())
		for _, p := range present {
			if !bytes.Equal(p.Value, have.Value) {
				value = fmt.Appendf(value, ", there %s=%s", p.ID, p.Value)
			}
		}
		err = errors.Join(err, rs.Put(have.ID, value))
	}
	return errors.Join(err, r.fail)
}

var all = map[string]factor.Restorer{"totp": restorer{}, "backup": restorer{}}

func putBack(t testing.TB, c Config, path string, factors map[string]factor.Restorer) (Restoration, error) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return Restore(c, f, factors)
}

func mustPutBack(t testing.TB, c Config, path string) Restoration {
	t.Helper()
	done, err := putBack(t, c, path, all)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// dump is everything in a store that a restore or a rekeying must keep, unsealed.
func dump(t testing.TB, s *Store) string {
	t.Helper()
	var text strings.Builder
	s.View(func(tx *Tx) error {
		for _, bucket := range [][]byte{bucketUsers, bucketUIDs, bucketRecords, bucketBudgets, bucketMemories} {
			err := tx.scan(bucket, nil, func(key, plain []byte) { fmt.Fprintf(&text, "%s %q %q\n", bucket, key, plain) })
			if err != nil {
				fmt.Fprintf(&text, "%s damaged\n", bucket)
			}
		}
		return errors.Join(tx.VerifyAudit(), tx.Refusals(func(r Refusals) error { fmt.Fprintln(&text, r); return nil }))
	})
	return text.String()
}

func events(t testing.TB, s *Store) (all []Event) {
	t.Helper()
	s.View(func(tx *Tx) error {
		if err := tx.VerifyAudit(); err != nil {
			t.Errorf("the chain: %v", err)
		}
		return tx.Events(0, func(e Event) error { all = append(all, e); return nil })
	})
	return all
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// entries are the names in a state directory.
func entries(t testing.TB, dir string) (names []string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

// spoilRecord makes one record such that it does not unseal.
func spoilRecord(t testing.TB, s *Store, bucket, key []byte) {
	t.Helper()
	err := s.db.Update(func(tx *bolt.Tx) error {
		value := bytes.Clone(tx.Bucket(bucket).Get(key))
		value[len(value)-1] ^= 1
		return tx.Bucket(bucket).Put(key, value)
	})
	if err != nil {
		t.Fatal(err)
	}
}
