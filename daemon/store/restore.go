package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/factord/factord/daemon/factor"
)

// errBackup is what a file is that can't be restored.
var errBackup = errors.New("not a backup that can be restored\nhint: take another one; nothing has been changed")

// Restoration says what a restore did.
type Restoration struct {
	Contents          // of the backup
	Generation uint64 // of the database now
	// Clock is what the clock said. Seen is the time up to which everything
	// counts as used: the clock, or the highest that a database had seen.
	Clock, Seen time.Time
	// Kept is where the database is that was there before, if there was one.
	Kept string
	// Warnings are for the admin, a line each.
	Warnings []string
}

// clockAhead is how far a clock may have been ahead of ours without mention.
const clockAhead = 10 * time.Minute

// Ahead: a clock was ahead once, and until that time no code counts that rests on
// the time.
func (d *Restoration) Ahead() bool { return d.Seen.Sub(d.Clock) > clockAhead }

// Restore puts a backup in the place of the database. The backup itself is only
// read. What was there before is kept under another name.
//
// A code that was spent after the backup was made is not spent in it. So every
// factor is told: restorers, by scope, void what may have been spent since. They
// are told always, even if the database that is there ends with the same audit
// record as the backup: it may itself be an old copy that somebody put there by
// hand, so nothing in it can tell that nothing has been forgotten. What it knows to
// be spent they are told too: spent it stays.
//
// All changes go into a new file, which takes the database's name in one step;
// kill -9 leaves the old database or the new one.
func Restore(c Config, from *os.File, restorers map[string]factor.Restorer) (done Restoration, err error) {
	unlock, err := lockDir(c.Dir)
	if err != nil {
		return done, err
	}
	defer unlock()
	r := restore{Config: c, restorers: restorers, path: filepath.Join(c.Dir, DatabaseFile), next: filepath.Join(c.Dir, nextFile)}
	if r.seal, err = newSealer(c.Key); err != nil {
		return done, err
	}
	if names(r.path, from) {
		return done, fmt.Errorf("%s is the database itself\nhint: name a backup", from.Name())
	}
	backup, err := r.openBackup(from)
	if err != nil {
		return done, err
	}
	defer backup.Close()
	old, err := r.hold()
	if err != nil {
		return done, err
	}
	defer old.close()
	defer func() { err = errors.Join(err, remove(r.next)) }()
	if err := r.build(backup, old); err != nil {
		return r.done, err
	}
	return r.done, r.replace(old)
}

// restore is one restore at work.
type restore struct {
	Config
	restorers  map[string]factor.Restorer
	seal       *sealer
	path, next string // of the database; of the one that is being made
	done       Restoration
}

func (r *restore) warn(format string, args ...any) {
	r.done.Warnings = append(r.done.Warnings, fmt.Sprintf(format, args...))
}

// openBackup opens the file after it has been looked at as a whole.
func (r *restore) openBackup(from *os.File) (db *bolt.DB, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", from.Name(), err)
		}
	}()
	info, err := from.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() == 0 { // bbolt would make a new database of it
		return nil, errBackup
	}
	db, err = openReader(from.Name(), from)
	if errors.Is(err, errDamaged) {
		return nil, fmt.Errorf("%w: %w", err, errBackup)
	}
	if err != nil {
		return nil, openError(from.Name(), err)
	}
	err = db.View(func(tx *bolt.Tx) (err error) {
		r.done.Contents, err = r.seal.contents(tx)
		return err
	})
	if errors.Is(err, errSealed) {
		err = fmt.Errorf("%w: %w", err, errBackup)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if r.done.Chain != nil {
		r.warn("the backup's audit chain is broken: %v", r.done.Chain)
	}
	for _, damaged := range r.done.Damaged {
		r.warn("damaged, and restored so: %s", damaged)
	}
	return db, nil
}

// build makes the new database: a copy of the backup without its memories, in
// which nothing is accepted that may have been spent since.
func (r *restore) build(backup *bolt.DB, old *present) error {
	err := backup.View(func(tx *bolt.Tx) error {
		r.missing(tx, old)
		return copyDatabase(r.next, tx, func(bucket, _, value []byte) []byte {
			if string(bucket) == string(bucketMemories) {
				return nil
			}
			return value
		})
	})
	if err != nil {
		return fmt.Errorf("making the new database: %w", err)
	}
	s, err := openFile(r.next, Config{Key: r.Key, Clock: r.Clock})
	if err != nil {
		return err
	}
	defer s.Close()
	s.state.Generation = max(s.state.Generation, old.state.Generation) + 1
	r.done.Clock = s.clock()
	s.state.Highest = max(s.state.Highest, old.state.Highest, r.done.Clock.UnixNano())
	r.done.Seen = s.state.highest()
	r.doubtClock(old)
	r.done.Generation = s.state.Generation
	if err := r.void(s, old); err != nil {
		return fmt.Errorf("voiding what may have been spent: %w", err)
	}
	err = s.Update(context.Background(), func(tx *Tx) error {
		tx.Audit(Event{Kind: "restore", PeerUID: uint32(os.Getuid()), PeerPID: int32(os.Getpid()), Log: fmt.Sprintf(
			"generation %d; of a backup whose last time is %s and last audit record %d", r.done.Generation, r.done.Highest.UTC().Format(time.RFC3339), r.done.LastEvent)})
		return nil
	})
	return errors.Join(err, s.Close())
}

// doubtClock warns where the clock can't be believed, or decides alone.
func (r *restore) doubtClock(old *present) {
	clock, seen := r.done.Clock.UTC().Format(time.RFC3339), r.done.Seen.UTC().Format(time.RFC3339)
	if r.done.Ahead() {
		r.warn("this clock says %s, and the database has seen %s: until then no TOTP code of the tokens in the backup is accepted. If this clock is right, "+
			"it was ahead once: remove those tokens and enrol new ones; if it is behind, set it", clock, seen)
	}
	if old.db == nil {
		r.warn("no database is there that knows when codes were used last, so this clock decides alone, and it must be right: it says %s. "+
			"If it is behind, used TOTP codes work again: set it, and restore once more", clock)
	}
}

// maxNamed bounds how many users one warning names.
const maxNamed = 10

// missing warns of users whom only the database that is replaced knows: to rules
// of mode "enrolled" they are people without a factor.
func (r *restore) missing(backup *bolt.Tx, old *present) {
	var lost []string
	more := 0
	old.users(func(name []byte) {
		switch {
		case backup.Bucket(bucketUsers).Get(name) != nil:
		case len(lost) < maxNamed:
			lost = append(lost, fmt.Sprintf("%q", name))
		default:
			more++
		}
	})
	if len(lost) == 0 {
		return
	}
	and := ""
	if more > 0 {
		and = fmt.Sprintf(" and %d more", more)
	}
	r.warn("not in the backup, and so without any factor now: %s%s", strings.Join(lost, ", "), and)
}
