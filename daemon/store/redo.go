package store

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// bbolt needs the disk twice for a commit, one time after the other, and each for a
// handful of scattered pages. The redo log needs it once, for one place: what an
// update changes is appended there, and with that it is durable. Who asked hears of
// it then. bbolt's own commit follows a little later, for all that came meanwhile,
// and the log begins anew.
//
// An entry is sealed to what it builds on: the first to the database's state, which
// has a random nonce, and each further one to the entry before it. So what a crash
// has left is done again exactly where it is missing, and an entry that is torn,
// older, or of another database is none.
//
// The log only ever saves time. Without it, or when it is full, bbolt's commit
// comes before the answer.

// redoSize is the log's size in bytes. It never changes, since a file that grows
// costs the disk more.
const redoSize = 256 << 10

// redoBlock is where entries begin: no write touches a block of an entry that
// counts already. A login's fits in one.
const redoBlock = 4 << 10

// redoHead is the size of what comes before an entry's sealed text: its length.
const redoHead = 4

// bucketRedo is no bucket: entries are sealed under this name.
var bucketRedo = []byte("redo")

// errRedo is an entry that seals well and says nothing sensible.
var errRedo = errors.New("the redo log can't be understood\nhint: it was written by another version of factord; start that one once")

// link is what an entry builds on.
type link [sha256.Size]byte

// stateLink is that of an entry which builds on what tx sees.
func stateLink(tx *bolt.Tx) link {
	return sha256.Sum256(tx.Bucket(bucketMeta).Get(keyState))
}

// redoLog is an open log. A nil one keeps nothing.
type redoLog struct {
	file *os.File
	seal *sealer
	used int64
	prev link
	// The last entry and what it sealed, for their room.
	entry, plain []byte
}

// openRedo makes a new log in dir, in place of one of which everything was done
// again. Where it can't, as on a full disk, there is none.
func openRedo(dir string, seal *sealer) (*redoLog, error) {
	f, err := os.OpenFile(filepath.Join(dir, RedoFile), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	// Zeros, and not only a length: a block's first write changes the file's layout.
	_, err = f.WriteAt(make([]byte, redoSize), 0)
	if err = errors.Join(err, f.Truncate(redoSize), f.Sync(), syncDir(dir)); err != nil {
		return nil, errors.Join(err, f.Close(), remove(f.Name()))
	}
	return &redoLog{file: f, seal: seal}, nil
}

// close ends the log, and removes it if nobody needs it any more.
func (l *redoLog) close(settled bool) error {
	if l == nil {
		return nil
	}
	err := l.file.Close()
	if settled {
		err = errors.Join(err, remove(l.file.Name()))
	}
	return err
}

// begin empties the log for entries that build on a state.
func (l *redoLog) begin(on link) {
	if l != nil {
		l.used, l.prev = 0, on
	}
}

// keep makes changes durable and reports whether it has. A log that somebody has
// removed keeps nothing.
func (l *redoLog) keep(changes []change) bool {
	if l == nil {
		return false
	}
	l.plain = appendChanges(l.plain[:0], changes)
	l.entry = l.seal.appendSealed(append(l.entry[:0], make([]byte, redoHead)...), bucketRedo, l.prev[:], l.plain)
	size := int64(len(l.entry))
	if l.used+size > redoSize || !names(l.file.Name(), l.file) {
		l.entry, l.plain = nil, nil
		return false
	}
	text := l.entry[redoHead:]
	binary.BigEndian.PutUint32(l.entry, uint32(len(text)))
	if _, err := l.file.WriteAt(l.entry, l.used); err != nil {
		return false
	}
	if unix.Fdatasync(int(l.file.Fd())) != nil {
		return false
	}
	l.used += (size + redoBlock - 1) / redoBlock * redoBlock
	l.prev = sha256.Sum256(text)
	return true
}

// redo does again what the log in dir has and db has not, and reports whether
// there was something. All that db shows then is on the disk, so that the log is of
// no more use.
func (s *sealer) redo(db *bolt.DB, dir string) (done bool, err error) {
	log, err := readRedo(dir)
	if err == nil && log != nil {
		if err := harden(db); err != nil {
			return false, err
		}
	}
	if err != nil {
		return false, fmt.Errorf("%w\nhint: it may hold the last codes that were spent; mend what keeps it from being read (without it one of them could be accepted again)", err)
	}
	var on link
	if err := db.View(func(tx *bolt.Tx) error { on = stateLink(tx); return nil }); err != nil {
		return false, err
	}
	changes, err := s.entries(log, on)
	if err != nil || len(changes) == 0 {
		return false, err
	}
	return true, db.Update(func(tx *bolt.Tx) error { return apply(tx, changes) })
}

// settleRedo is for who reads the database alone: with a log that a crash has left,
// it writes first what that has.
func settleRedo(c Config) error {
	if _, err := os.Lstat(filepath.Join(c.Dir, RedoFile)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	s, err := openDatabase(c)
	if err != nil {
		return err
	}
	return s.db.Close()
}

// readRedo returns what the log in dir holds.
func readRedo(dir string) ([]byte, error) {
	f, err := os.OpenFile(filepath.Join(dir, RedoFile), os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, redoSize))
}

// entries returns the changes of a log's entries that build on a state.
func (s *sealer) entries(log []byte, on link) (changes []change, err error) {
	for len(log) > redoHead {
		n := uint64(binary.BigEndian.Uint32(log))
		if n > uint64(len(log)-redoHead) {
			break
		}
		text := log[redoHead : redoHead+n]
		plain, err := s.open(bucketRedo, on[:], text)
		if err != nil {
			break // torn, or of another state
		}
		entry, err := decodeChanges(plain)
		if err != nil {
			return nil, err
		}
		changes = append(changes, entry...)
		on = sha256.Sum256(text)
		log = log[min((redoHead+int(n)+redoBlock-1)/redoBlock*redoBlock, len(log)):]
	}
	return changes, nil
}
