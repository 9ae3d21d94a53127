package store

import (
	"errors"
	"io/fs"
	"os"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// nextFile is a database that is being made. It counts only once it has the name
// DatabaseFile; until then a crash leaves nothing but this file, which the next
// command removes.
const nextFile = DatabaseFile + ".next"

// batchBytes bounds what one transaction of a copy holds in memory.
const batchBytes = 4 << 20

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

// remove removes a file that need not be there.
func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
