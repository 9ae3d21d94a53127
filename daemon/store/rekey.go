package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
)

// ErrSameKey: sealing anew with the key that is there would retire nothing.
var ErrSameKey = errors.New("the new key is the one that seals the database now\nhint: name a file that does not exist; it is made with a new key")

// Rekey seals everything in the database with another key and returns what it
// holds. Values that do not unseal stay so; Contents.Damaged names them. Codes that
// are spent stay spent, and the audit chain goes on.
//
// Budgets of names that nobody has are kept under a pseudonym made with the key
// (see Store.Pseudonym), so those begin anew.
//
// With keyFile the new key also takes the place of the key file. Two files can't
// be renamed in one step: the new key is written beside the old one first, then
// the database changes, and then the key. What a crash leaves in between is put
// right by SettleKey. Without keyFile the caller keeps the key, durably, before.
func Rekey(c Config, next Key, keyFile bool) (found Contents, err error) {
	unlock, err := lockDir(c.Dir)
	if err != nil {
		return found, err
	}
	defer unlock()
	if next == c.Key {
		return found, ErrSameKey
	}
	s, err := openDatabase(c)
	if err != nil {
		return found, err
	}
	defer s.Close()
	k := rekeying{Config: c, next: next, keyFile: keyFile, path: filepath.Join(c.Dir, DatabaseFile), file: filepath.Join(c.Dir, nextFile),
		keyNext: filepath.Join(c.Dir, nextKeyFile)}
	defer func() { err = errors.Join(err, k.clean()) }()
	if keyFile {
		if err := k.writeNextKey(); err != nil {
			return found, err
		}
	}
	if found, err = k.build(s); err != nil {
		return found, fmt.Errorf("making the new database: %w", err)
	}
	defer k.store.Close() // held until the key is in place, so that nobody settles it before
	if err := os.Rename(k.file, k.path); err != nil {
		return found, err
	}
	k.swapped = true
	if err = syncDir(c.Dir); err == nil && keyFile {
		err = promote(c.Dir)
	}
	if err != nil {
		err = fmt.Errorf("%w\nhint: the database has its new key already; what is left to do, factord does when it starts", err)
	}
	return found, err
}

// rekeying is one Rekey at work.
type rekeying struct {
	Config
	next       Key
	keyFile    bool
	path, file string // of the database; of the one that is being made
	keyNext    string // of the key that takes the old one's place
	store      *Store // the new database
	swapped    bool
}

// clean removes what a Rekey that came to nothing has made.
func (k *rekeying) clean() (err error) {
	if k.swapped {
		return nil
	}
	if err = remove(k.file); k.keyFile {
		err = errors.Join(err, remove(k.keyNext))
	}
	return err
}

// writeNextKey writes the new key beside the old one, in place of one that an
// earlier Rekey left before it came to anything.
func (k *rekeying) writeNextKey() error {
	if err := remove(k.keyNext); err != nil {
		return err
	}
	f, err := os.OpenFile(k.keyNext, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = writeKey(f, k.next)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return syncDir(k.Dir)
}

// build makes the new database.
func (k *rekeying) build(s *Store) (found Contents, err error) {
	seal, err := newSealer(k.next)
	if err != nil {
		return found, err
	}
	err = s.db.View(func(tx *bolt.Tx) error {
		if found, err = s.seal.contents(tx); err != nil {
			return err
		}
		return copyDatabase(k.file, tx, func(bucket, key, value []byte) []byte {
			if !isSealed(bucket, key) {
				return value
			}
			plain, err := s.seal.open(bucket, key, value)
			if err != nil {
				return unreadable
			}
			defer clear(plain)
			return seal.seal(bucket, key, plain)
		})
	})
	if err != nil {
		return found, err
	}
	if k.store, err = openFile(k.file, Config{Key: k.next, Clock: k.Clock}); err != nil {
		return found, err
	}
	err = k.store.Update(context.Background(), func(tx *Tx) error {
		tx.Audit(Event{Kind: "rekey", PeerUID: uint32(os.Getuid()), PeerPID: int32(os.Getpid()),
			Log: fmt.Sprintf("%d users and %d records sealed with another key, %d values damaged", found.Users, found.Records, len(found.Damaged))})
		return nil
	})
	if err != nil {
		k.store.Close()
	}
	return found, err
}
