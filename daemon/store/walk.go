package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"runtime/debug"
	"strconv"
	"syscall"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
	"golang.org/x/sys/unix"
)

var (
	errDamaged = errors.New("a page can't be read")
	errMoved   = errors.New("the file has been replaced")
)

// maxMoved is how often a database is opened anew that was replaced meanwhile.
const maxMoved = 3

// openBolt opens the file for writing. Who has waited for a restore to end holds
// the file that it has moved away: what is decided there would be forgotten.
func openBolt(path string) (*bolt.DB, error) {
	for range maxMoved {
		db, err := openWritable(path)
		switch {
		case errors.Is(err, errMoved):
			continue
		case err != nil:
			return nil, openError(path, err)
		}
		return db, nil
	}
	return nil, ErrInUse
}

func openError(path string, err error) error {
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return ErrInUse
	case errors.Is(err, errDamaged):
		return fmt.Errorf("opening %s: %w\nhint: the file is damaged; restore a backup", path, err)
	}
	if info, stat := os.Lstat(path); stat == nil && errors.Is(err, fs.ErrPermission) && info.Sys().(*syscall.Stat_t).Uid != uint32(os.Geteuid()) {
		return fmt.Errorf("opening %s: %w\nhint: chown %s %s", path, err, ourselves(), path)
	}
	return fmt.Errorf("opening %s: %w", path, err)
}

// ourselves is the account of this process for chown.
func ourselves() string {
	id := strconv.Itoa(os.Geteuid())
	u, err := user.LookupId(id)
	if err != nil {
		return id
	}
	return u.Username + ":"
}

// openWritable opens the file after a walk through it that changes nothing: bbolt
// panics on some damaged files, in a goroutine of its own when it opens them for
// writing.
func openWritable(path string) (*bolt.DB, error) {
	reader, err := openReader(path, nil)
	if err == nil {
		err = reader.Close()
	}
	if err != nil {
		return nil, err
	}
	var file *os.File
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: lockTimeout, FreelistType: bolt.FreelistArrayType,
		NoFreelistSync: true, // one page less per login
		OpenFile: func(name string, flag int, perm os.FileMode) (_ *os.File, err error) {
			file, err = os.OpenFile(name, flag&^os.O_CREATE, perm)
			return file, err
		}})
	if err != nil {
		return nil, err
	}
	if !names(path, file) {
		db.Close()
		return nil, errMoved
	}
	return db, nil
}

// names reports whether path is the name of an open file.
func names(path string, file *os.File) bool {
	here, err1 := os.Lstat(path)
	open, err2 := file.Stat()
	return err1 == nil && err2 == nil && os.SameFile(here, open)
}

// openReader opens a file, or one that is open already, for reading alone, and
// walks through every page that is in use. Until it is closed nobody writes there.
func openReader(path string, from *os.File) (db *bolt.DB, err error) {
	// A page number beyond the file is a fault in the mapped memory.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	var file *os.File
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errDamaged, r)
			if db != nil {
				db.Close()
			}
			file.Close() // with it goes the lock
			db = nil
		}
	}()
	db, err = bolt.Open(path, 0o600, &bolt.Options{Timeout: lockTimeout, ReadOnly: true,
		OpenFile: func(name string, flag int, perm os.FileMode) (_ *os.File, err error) {
			if file, err = duplicate(from); from == nil {
				file, err = os.OpenFile(name, flag, perm)
			}
			return file, err
		}})
	var noFile *fs.PathError
	if errors.Is(err, bolterrors.ErrTimeout) || errors.As(err, &noFile) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errDamaged, err)
	}
	if err := db.View(func(tx *bolt.Tx) error { return walk(file, tx) }); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func duplicate(file *os.File) (*os.File, error) {
	if file == nil {
		return nil, nil
	}
	fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	return os.NewFile(uintptr(fd), file.Name()), err
}

// walk reads every page that is in use, as it stands and as bbolt sees it.
func walk(file *os.File, tx *bolt.Tx) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if err := checkPages(file, info.Size(), tx); err != nil {
		return err
	}
	return tx.ForEach(func(_ []byte, b *bolt.Bucket) error {
		return b.ForEach(func(_, _ []byte) error { return nil })
	})
}
