package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// nextFile is a database that is being made. It counts only once it has the name
// DatabaseFile; until then a crash leaves nothing but this file, which the next
// command removes.
const nextFile = DatabaseFile + ".next"

// batchBytes bounds what one transaction of a copy holds in memory.
const batchBytes = 4 << 20

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

// contents looks at everything in a database of this or an older schema.
func (s *sealer) contents(tx *bolt.Tx) (c Contents, err error) {
	meta := tx.Bucket(bucketMeta)
	if meta == nil {
		return c, ErrSchema
	}
	schema := string(meta.Get(keySchema))
	for _, name := range buckets {
		older := schema == memorylessSchema && bytes.Equal(name, bucketMemories)
		if schema != Schema && schema != memorylessSchema || tx.Bucket(name) == nil && !older {
			return c, ErrSchema
		}
	}
	if !s.opens(tx) {
		return c, ErrSealKey
	}
	var st state
	if err := s.openJSON(bucketMeta, keyState, meta.Get(keyState), &st); err != nil {
		return c, err
	}
	c = Contents{Highest: st.highest(), Generation: st.Generation, LastEvent: st.Last}
	c.Chain = (&Tx{store: &Store{seal: s}, bolt: tx}).VerifyAudit()
	return c, eachValue(tx, func(bucket, key, value []byte) error {
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

// copyDatabase makes a new database at path of what is in src. change says what
// becomes of a value; nil leaves it out.
func copyDatabase(path string, src *bolt.Tx, change func(bucket, key, value []byte) []byte) (err error) {
	if err := remove(path); err != nil {
		return err
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: lockTimeout, FreelistType: bolt.FreelistArrayType, NoFreelistSync: true,
		NoSync: true, // once, at the end
		OpenFile: func(name string, flag int, perm os.FileMode) (*os.File, error) {
			return os.OpenFile(name, flag|os.O_EXCL|unix.O_NOFOLLOW, perm)
		}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	f := filler{db: db}
	defer f.rollback()
	for _, name := range buckets {
		if err := f.bucket(name); err != nil {
			return err
		}
	}
	err = eachValue(src, func(bucket, key, value []byte) error {
		if value = change(bucket, key, value); value == nil {
			return nil
		}
		return f.put(bucket, key, value)
	})
	if err = errors.Join(err, f.commit()); err != nil {
		return err
	}
	return db.Sync()
}

// filler writes many values in transactions of a bounded size.
type filler struct {
	db      *bolt.DB
	tx      *bolt.Tx
	pending int // bytes
}

func (f *filler) begin() (err error) {
	if f.tx == nil {
		f.tx, err = f.db.Begin(true)
	}
	return err
}

func (f *filler) bucket(name []byte) error {
	if err := f.begin(); err != nil {
		return err
	}
	_, err := f.tx.CreateBucketIfNotExists(name)
	return err
}

func (f *filler) put(bucket, key, value []byte) error {
	if err := f.bucket(bucket); err != nil {
		return err
	}
	b := f.tx.Bucket(bucket)
	b.FillPercent = 0.9 // the keys come in order
	if err := b.Put(key, value); err != nil {
		return err
	}
	if f.pending += len(key) + len(value); f.pending < batchBytes {
		return nil
	}
	return f.commit()
}

func (f *filler) commit() (err error) {
	if f.tx != nil {
		err = f.tx.Commit()
		f.tx, f.pending = nil, 0
	}
	return err
}

func (f *filler) rollback() {
	if f.tx != nil {
		f.tx.Rollback()
	}
}
