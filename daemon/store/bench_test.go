package store

import (
	"testing"

	bolt "go.etcd.io/bbolt"
)

// BenchmarkUpdate is the store's part of a lone login.
func BenchmarkUpdate(b *testing.B) {
	s, _ := newStore(b, nil)
	mustUpdate(b, s, func(tx *Tx) error { return tx.PutUser("alice", User{}) })
	value := make([]byte, 300)
	for b.Loop() {
		mustUpdate(b, s, func(tx *Tx) error {
			tx.Audit(Event{Kind: "verdict", User: "alice", Service: "sudo", Verdict: "allow", Basis: "factor", Factor: "totp", Rule: "any"})
			return tx.Scope("alice", "totp").Put("totp-1", value)
		})
	}
}

// BenchmarkBolt is the floor below it.
func BenchmarkBolt(b *testing.B) {
	db, err := bolt.Open(b.TempDir()+"/db", 0o600, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	db.Update(func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("b")); return err })
	for b.Loop() {
		db.Update(func(tx *bolt.Tx) error { return tx.Bucket([]byte("b")).Put([]byte("k"), make([]byte, 300)) })
	}
}
