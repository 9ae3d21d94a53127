package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"github.com/factord/factord/daemon/factor"
)

// keptInfix is in the name of a database that a restore has kept.
const keptInfix = ".before-restore-"

// KeptPattern matches those names.
const KeptPattern = DatabaseFile + keptInfix + "*"

// present is the database that is there when another one takes its place. While
// it is held no factord opens it. The zero value is none.
type present struct {
	db    *bolt.DB // nil if it can't be read
	lock  *os.File // instead of db
	state state    // zero if it is not known
}

func (p *present) close() {
	if p.db != nil {
		p.db.Close()
	}
	if p.lock != nil {
		p.lock.Close()
	}
}

func (p *present) exists() bool { return p.db != nil || p.lock != nil }

// users calls fn with the users it knows.
func (p *present) users(fn func(name []byte)) {
	if p.db == nil {
		return
	}
	p.db.View(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketUsers).ForEach(func(name, _ []byte) error { fn(name); return nil })
	})
}

// records are what it has of a user for one factor, as far as they can be read.
func (p *present) records(seal *sealer, o ownedScope) (list []factor.Record) {
	if p.db == nil {
		return nil
	}
	p.db.View(func(tx *bolt.Tx) (err error) {
		list, err = (&Tx{store: &Store{seal: seal}, bolt: tx}).Scope(o.user, o.factor).List()
		return err
	})
	return list
}

// hold takes the database that is there, readable or not.
func (r *restore) hold() (*present, error) {
	info, err := os.Lstat(r.path)
	if errors.Is(err, fs.ErrNotExist) {
		return &present{}, nil
	}
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file\nhint: look what it is, and move it away", r.path)
	}
	if err != nil {
		return nil, err
	}
	p := &present{}
	err = errDamaged
	if info.Size() > 0 { // bbolt would make a new database of it
		p.db, err = openBolt(r.path)
	}
	if errors.Is(err, ErrInUse) {
		return nil, err
	}
	if err == nil {
		if err = p.db.View(r.stateOf(p)); err != nil {
			p.db.Close()
		} else if err := r.catchUp(p); err != nil {
			return nil, errors.Join(err, p.db.Close())
		}
	}
	if err != nil {
		reason, _, _ := strings.Cut(err.Error(), "\n")
		r.warn("the database that was there can't be read, so its time and generation are not known: %s", reason)
		p.db, p.state = nil, state{}
		p.lock, err = lockFile(r.path)
	}
	return p, err
}

// catchUp does in the database that is there what a crash has left undone.
func (r *restore) catchUp(p *present) error {
	redone, err := r.seal.redo(p.db, r.Dir)
	if err != nil || !redone {
		return err
	}
	return p.db.View(r.stateOf(p))
}

// stateOf reads the state of a database.
func (r *restore) stateOf(p *present) func(*bolt.Tx) error {
	return func(tx *bolt.Tx) (err error) { p.state, err = r.seal.state(tx); return err }
}

// replace gives the new database its name, after the old one got another. Unlike
// a rename, a link replaces nothing.
func (r *restore) replace(old *present) error {
	if !old.exists() {
		if err := os.Link(r.next, r.path); err != nil {
			return err
		}
		return syncDir(r.Dir)
	}
	kept := r.path + keptInfix + time.Now().UTC().Format("20060102T150405.000Z")
	if err := os.Link(r.path, kept); err != nil {
		return err
	}
	r.done.Kept = kept
	if err := os.Rename(r.next, r.path); err != nil {
		return errors.Join(err, os.Remove(kept))
	}
	return syncDir(r.Dir)
}

// lockFile locks a file that bbolt can't open as bbolt would.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	err = lock(f, unix.LOCK_EX)
	if errors.Is(err, unix.EWOULDBLOCK) || err == nil && !names(path, f) {
		err = ErrInUse
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
