package store

import (
	"errors"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
)

// promote puts the new key in the place of the old one.
func promote(dir string) error {
	if err := os.Rename(filepath.Join(dir, nextKeyFile), filepath.Join(dir, KeyFile)); err != nil {
		return err
	}
	return syncDir(dir)
}

// SettleKey ends a Rekey that was cut off between its two renames, and reports
// whether it was: the key file does not open the database, and the one beside it
// does. One that a Rekey left before it changed the database is left alone.
func SettleKey(dir string) (settled bool, err error) {
	next, err := readKeyFile(filepath.Join(dir, nextKeyFile))
	if err != nil {
		return false, nil // there is none, or none that could be of use
	}
	path := filepath.Join(dir, DatabaseFile)
	if checkDir(dir) != nil || checkFile(path) != nil {
		return false, nil // Open says why
	}
	db, err := openReader(path, nil)
	if err != nil && errors.Is(openError(path, err), ErrInUse) {
		return false, ErrInUse
	}
	if err != nil {
		return false, nil
	}
	defer db.Close()
	if now, err := readKeyFile(filepath.Join(dir, KeyFile)); err == nil && opensDatabase(db, now) || !opensDatabase(db, next) {
		return false, nil
	}
	return true, promote(dir)
}

func opensDatabase(db *bolt.DB, key Key) (opens bool) {
	seal, err := newSealer(key)
	if err != nil {
		return false
	}
	db.View(func(tx *bolt.Tx) error { opens = seal.opens(tx); return nil })
	return opens
}
