package store

import (
	"errors"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
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
//
// The key beside it is read, and put in place, while no Rekey is at work: the next
// one's would take the place of the only key that opens the database.
func SettleKey(dir string) (settled bool, err error) {
	if _, err := os.Lstat(filepath.Join(dir, nextKeyFile)); err != nil || checkDir(dir) != nil {
		return false, nil // there is none; or Open says why
	}
	unlock, err := lockDir(dir)
	if errors.Is(err, ErrOffline) {
		err = ErrInUse
	}
	if err != nil {
		return false, err
	}
	defer unlock()
	path := filepath.Join(dir, DatabaseFile)
	next, err := readKeyFile(filepath.Join(dir, nextKeyFile))
	if err != nil || checkFile(path) != nil {
		return false, nil // none that could be of use; or Open says why
	}
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return false, nil
	}
	defer file.Close()
	db, err := openReader(path, file)
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
	if !names(path, file) {
		return false, ErrInUse
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
