package store

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
)

// sealedBuckets are those whose values are all sealed; of bucketMeta some are.
var sealedBuckets = [][]byte{bucketUsers, bucketUIDs, bucketRecords, bucketBudgets, bucketMemories}

func isSealed(bucket, key []byte) bool {
	if bytes.Equal(bucket, bucketMeta) {
		return bytes.Equal(key, keyCheck) || bytes.Equal(key, keyState)
	}
	return slices.ContainsFunc(sealedBuckets, func(b []byte) bool { return bytes.Equal(b, bucket) })
}

// unreadable takes the place of a value that does not unseal, or that must not be
// believed. No key opens it, so what is damaged stays damaged: a value that is
// gone could make its user look like one who never had a factor.
var unreadable = []byte{0}

// Contents are what a database holds.
type Contents struct {
	Users, Records int
	Highest        time.Time
	Generation     uint64
	LastEvent      uint64 // number of the newest audit record
	// Chain is why the audit chain does not verify; nil: it does.
	Chain error
	// Damaged names the values that do not unseal: bucket, user, factor, id.
	Damaged []string
}

// state reads the state of a database of this or an older schema, which need not
// be open as a store.
func (s *sealer) state(tx *bolt.Tx) (st state, err error) {
	meta := tx.Bucket(bucketMeta)
	if meta == nil {
		return st, ErrSchema
	}
	schema := string(meta.Get(keySchema))
	if schema != Schema && schema != memorylessSchema {
		return st, ErrSchema
	}
	for _, name := range buckets {
		if tx.Bucket(name) == nil && !(schema == memorylessSchema && bytes.Equal(name, bucketMemories)) {
			return st, ErrSchema
		}
	}
	if !s.opens(tx) {
		return st, ErrSealKey
	}
	err = s.openJSON(bucketMeta, keyState, meta.Get(keyState), &st)
	return st, err
}

// contents looks at everything in a database.
func (s *sealer) contents(tx *bolt.Tx) (c Contents, err error) {
	st, err := s.state(tx)
	if err != nil {
		return c, err
	}
	c = Contents{Highest: st.highest(), Generation: st.Generation, LastEvent: st.Last}
	c.Chain = (&Tx{store: &Store{seal: s}, bolt: tx}).VerifyAudit()
	err = eachValue(tx, func(bucket, key, value []byte) error {
		switch {
		case bytes.Equal(bucket, bucketUsers):
			c.Users++
		case bytes.Equal(bucket, bucketRecords):
			c.Records++
		}
		if !isSealed(bucket, key) {
			return nil
		}
		if _, err := s.open(bucket, key, value); err != nil {
			c.Damaged = append(c.Damaged, place(bucket, key))
		}
		return nil
	})
	return c, err
}

// place names a value for a person.
func place(bucket, key []byte) string {
	return fmt.Sprintf("%s %q", bucket, bytes.ReplaceAll(key, []byte{0}, []byte("/")))
}

// eachValue calls fn for every value, in order, until it fails.
func eachValue(tx *bolt.Tx, fn func(bucket, key, value []byte) error) error {
	return tx.ForEach(func(bucket []byte, b *bolt.Bucket) error {
		return b.ForEach(func(key, value []byte) error { return fn(bucket, key, value) })
	})
}
