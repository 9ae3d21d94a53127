package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// ErrFileExists: a backup never replaces one.
var ErrFileExists = errors.New("the file exists already\nhint: a backup replaces nothing; give another name, or remove the old one first")

// Backup writes a copy of the database to w: all of it as it was committed last,
// sealed as it is. A broken audit chain and damaged values are told, not refused:
// who has those needs a backup more than others. size is in bytes.
func Backup(c Config, w io.Writer) (found Contents, size int64, err error) {
	path := filepath.Join(c.Dir, DatabaseFile)
	if err := checkDir(c.Dir); err != nil {
		return found, size, err
	}
	if err := checkFile(path); err != nil {
		return found, size, err
	}
	seal, err := newSealer(c.Key)
	if err != nil {
		return found, size, err
	}
	if err := settleRedo(c); err != nil {
		return found, size, err
	}
	db, err := openReader(path, nil)
	if err != nil {
		return found, size, openError(path, err)
	}
	defer db.Close()
	err = db.View(func(tx *bolt.Tx) error {
		if found, err = seal.contents(tx); err != nil {
			return fmt.Errorf("opening %s: %w", path, err)
		}
		size, err = tx.WriteTo(w)
		return err
	})
	return found, size, err
}

// WriteNew makes a file that only its owner can read and that write fills. It has
// its name only when it is whole and on disk, and it replaces nothing.
func WriteNew(path string, write func(io.Writer) error) (err error) {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s: %w", path, ErrFileExists)
	}
	dir := filepath.Dir(path)
	temp, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove(temp.Name())) }()
	err = write(temp)
	if err == nil {
		err = temp.Sync()
	}
	if err = errors.Join(err, temp.Close()); err != nil {
		return err
	}
	if err := nameNew(temp.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// nameNew gives a file another name, which must be free.
func nameNew(temp, path string) error {
	err := unix.Renameat2(unix.AT_FDCWD, temp, unix.AT_FDCWD, path, unix.RENAME_NOREPLACE)
	if err != nil && !errors.Is(err, fs.ErrExist) { // a file system that can't, such as NFS
		err = os.Link(temp, path)
	}
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s: %w", path, ErrFileExists)
	}
	return err
}
