// Package store keeps what factord must not forget: who has which factor, which
// codes are spent, who has to wait, and what was decided.
//
// Everything is in one bbolt file, with a redo log before it (see redo.go). A login
// changes it in one update that spends the code, takes the budget and appends the
// audit record; logins that arrive while the disk is busy share the next write, and
// with it its fsync. A change that is not on disk did not happen, and whoever asked
// for it is refused.
//
// Values are sealed with a key that is not in the file (see seal.go), so a copy
// of the file is no collection of secrets, and a record moved to another user
// does not open.
package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// Schema is the version of the database's layout that this package reads.
const Schema = "2"

// memorylessSchema is the layout before memories; Open adds what it lacks.
const memorylessSchema = "1"

// File names in the state directory.
const (
	DatabaseFile = "factord.db"
	RedoFile     = "factord.redo" // what a crash may have kept from the database
	KeyFile      = "seal.key"
	nextKeyFile  = KeyFile + ".next"
)

// lockTimeout bounds the wait for another factord to let go of the database.
const lockTimeout = 2 * time.Second

// Buckets of the database.
var (
	bucketMeta     = []byte("meta")     // schema, check value, state
	bucketUsers    = []byte("users")    // name -> User
	bucketUIDs     = []byte("uids")     // uid, name -> nothing: the names of a uid
	bucketRecords  = []byte("records")  // name NUL factor NUL id -> a factor's record
	bucketBudgets  = []byte("budgets")  // subject -> failures and waits
	bucketAudit    = []byte("audit")    // seq -> Event, a ring
	bucketTail     = []byte("tail")     // seq -> Event, the ring's newest end
	bucketRefusals = []byte("refusals") // minute, uid -> Refusals, a ring
	bucketMemories = []byte("memories") // name NUL of what -> a proof that is remembered
	buckets        = [][]byte{bucketMeta, bucketUsers, bucketUIDs, bucketRecords, bucketBudgets, bucketAudit, bucketTail, bucketRefusals, bucketMemories}
)

var (
	keySchema = []byte("schema")
	keyCheck  = []byte("check")
	keyState  = []byte("state")
)

// checkText is sealed under keyCheck: a key that opens it is the right one.
const checkText = "factord seal check"

// Errors of opening. Their texts have the hint for the admin.
var (
	ErrSealKey = errors.New("the seal key does not open this database\n" +
		"hint: seal.key or the credential seal-key must be the one that factord --init or --rekey had made by then; put that one in place, or restore a backup made with this one")
	ErrSchema = errors.New("the database has another schema\nhint: it was written by another version of factord; install that one, or restore a backup of this one's")
	ErrInUse  = errors.New("the database is in use\nhint: another factord runs on the same state directory; stop it first; with systemd: systemctl stop factord.service (the next login starts it again)")
	ErrExists = errors.New("the database exists already\nhint: factord --init only makes a new one; to start anew, move the old state directory away")
)

// Config says where the state is.
type Config struct {
	// Dir is the state directory.
	Dir string
	// Key is the seal key, see ReadKey.
	Key Key
	// Clock is the time; nil means time.Now.
	Clock func() time.Time
	// Committed is told of the audit records of each commit, in their order,
	// before those who asked for them hear of it. If it fails, they are told
	// so: the change is kept, and yet a login is refused. It may be nil.
	Committed func([]Record) error
}

// Store is an open database.
type Store struct {
	db    *bolt.DB
	seal  *sealer
	clock func() time.Time
	told  func([]Record) error // Config.Committed

	committer committer
	stale     bool // a commit failed, and the state has to be read again; the committer's
	redo      *redoLog
	settleIn  time.Duration // settleTime, but in tests
	tx        *writeTx      // begun, and not committed; the committer's
	owed      *writeTx      // promised, and not in the database; the committer's
	ahead     atomic.Pointer[ahead]
	refusals  refusalBuffer
	closing   sync.Once
	unlock    func() // lets go of the directory; nil if it was not taken

	mu    sync.Mutex
	state state // as committed
}

// state is the one value that every transaction changes; it is sealed, so the
// ring's ends and the highest time can't be turned back without the key.
type state struct {
	Highest    int64  `json:"highest"`    // Unix nanoseconds, never falls
	Generation uint64 `json:"generation"` // raised by a restore
	First      uint64 `json:"first"`      // oldest audit record
	FirstPrev  []byte `json:"first_prev"` // the hash it refers to
	Last       uint64 `json:"last"`       // newest audit record; First-1 when there is none
	Moved      uint64 `json:"moved"`      // newest one that has left the tail
	LastHash   []byte `json:"last_hash"`
}

// Init makes a new database in dir, which it creates with mode 0700.
func Init(dir string, key Key) error {
	path := filepath.Join(dir, DatabaseFile)
	if _, err := os.Lstat(path); err == nil {
		return ErrExists
	}
	temp := path + ".new"
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	db, err := bolt.Open(temp, 0o600, &bolt.Options{Timeout: lockTimeout,
		OpenFile: func(name string, flag int, perm os.FileMode) (*os.File, error) {
			return os.OpenFile(name, flag|os.O_EXCL|unix.O_NOFOLLOW, perm)
		}})
	if err != nil {
		return fmt.Errorf("creating the database: %w", err)
	}
	err = db.Update(func(tx *bolt.Tx) error { return layOut(tx, key) })
	if err = errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("creating the database: %w", err)
	}
	if err := os.Link(temp, path); err != nil { // unlike rename, never replaces
		return fmt.Errorf("creating the database: %w", err)
	}
	return errors.Join(os.Remove(temp), syncDir(dir))
}

func layOut(tx *bolt.Tx, key Key) error {
	for _, name := range buckets {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	seal, err := newSealer(key)
	if err != nil {
		return err
	}
	meta := tx.Bucket(bucketMeta)
	first := state{First: 1}
	encoded, err := seal.sealJSON(bucketMeta, keyState, first)
	return errors.Join(err, meta.Put(keyState, encoded),
		meta.Put(keySchema, []byte(Schema)),
		meta.Put(keyCheck, seal.seal(bucketMeta, keyCheck, []byte(checkText))))
}

// Open opens the database that Init made. A missing or damaged one is an
// error: an empty start would forget who is enrolled and what is spent.
func Open(c Config) (*Store, error) {
	unlock, err := shareDir(c.Dir)
	if err != nil {
		return nil, err
	}
	s, err := openDatabase(c)
	if err != nil {
		unlock()
		return nil, err
	}
	s.unlock = unlock
	s.redo, _ = openRedo(c.Dir, s.seal) // without it all goes on, slower
	return s, nil
}

// openDatabase is Open for who has the directory already.
func openDatabase(c Config) (*Store, error) {
	path := filepath.Join(c.Dir, DatabaseFile)
	s, err := openFile(path, c)
	if err != nil {
		return nil, err
	}
	redone, err := s.seal.redo(s.db, c.Dir)
	if err == nil && redone {
		err = s.db.View(s.load)
	}
	if err != nil {
		s.db.Close()
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	return s, nil
}

// openFile opens a file that need not be the database.
func openFile(path string, c Config) (*Store, error) {
	if err := checkFile(path); err != nil {
		return nil, err
	}
	seal, err := newSealer(c.Key)
	if err != nil {
		return nil, err
	}
	db, err := openBolt(path)
	if err != nil {
		return nil, err
	}
	s := &Store{db: db, seal: seal, clock: c.Clock, told: c.Committed, settleIn: settleTime}
	s.ahead.Store(&ahead{})
	if s.clock == nil {
		s.clock = time.Now
	}
	if err := errors.Join(upgrade(db), db.View(s.load)); err != nil {
		db.Close()
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	return s, nil
}

// upgrade brings an older layout to the present one.
func upgrade(db *bolt.DB) error {
	older := false
	err := db.View(func(tx *bolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		older = meta != nil && string(meta.Get(keySchema)) == memorylessSchema
		return nil
	})
	if err != nil || !older {
		return err
	}
	return db.Update(func(tx *bolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(bucketMemories)
		return errors.Join(err, tx.Bucket(bucketMeta).Put(keySchema, []byte(Schema)))
	})
}

// checkDir refuses a folder in which others could put a database of theirs.
func checkDir(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	owner, others := info.Sys().(*syscall.Stat_t).Uid, info.Mode().Perm()&0o022 != 0
	foreign := owner != 0 && owner != uint32(os.Geteuid())
	if foreign && !others {
		return fmt.Errorf("%s belongs to uid %d, and this is uid %d\nhint: start it as the owner: %s factord --state %s", dir, owner, os.Geteuid(), becoming(owner), dir)
	}
	if foreign || others {
		return fmt.Errorf("%s: mode is %v, owner is uid %d; only root and the user of factord may write there\nhint: chown and chmod 700 it after looking who could have changed it", dir, info.Mode(), owner)
	}
	return nil
}

// becoming begins a command that runs with the rights of an account.
func becoming(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return "runuser -u " + u.Username + " --"
	}
	return "setpriv --reuid " + id + " --clear-groups --"
}

// checkFile refuses a database that others could have read or written.
func checkFile(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w\nhint: a new machine needs \"factord --init\" once; on an old one the database is lost, restore a backup", err)
	}
	if err != nil {
		return err
	}
	if info.Size() == 0 { // bbolt would make a new database of it
		return fmt.Errorf("%s: the file is empty\nhint: the file is damaged; restore a backup", path)
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s: mode is %v, it must be a regular file that only its owner can reach\nhint: chmod 600 it after looking who could have changed it", path, info.Mode())
	}
	return nil
}

// load checks schema, key and layout, and reads the state.
func (s *Store) load(tx *bolt.Tx) error {
	for _, name := range buckets {
		if tx.Bucket(name) == nil {
			return ErrSchema
		}
	}
	meta := tx.Bucket(bucketMeta)
	if string(meta.Get(keySchema)) != Schema {
		return ErrSchema
	}
	if !s.seal.opens(tx) {
		return ErrSealKey
	}
	s.refusals.count = tx.Bucket(bucketRefusals).Stats().KeyN
	return s.seal.openJSON(bucketMeta, keyState, meta.Get(keyState), &s.state)
}

// opens reports whether a database was sealed with this key.
func (s *sealer) opens(tx *bolt.Tx) bool {
	meta := tx.Bucket(bucketMeta)
	if meta == nil {
		return false
	}
	text, err := s.open(bucketMeta, keyCheck, meta.Get(keyCheck))
	return err == nil && string(text) == checkText
}

// Close ends the store. Updates that wait are refused. A second call does
// nothing.
func (s *Store) Close() (err error) {
	s.closing.Do(func() {
		err = s.Flush(context.Background())
		s.committer.close()
		settled := s.settle()
		// The log first: the next factord, which waits for the database, makes its own.
		err = errors.Join(err, settled, s.redo.close(settled == nil && s.owed == nil), s.db.Close())
		if s.unlock != nil {
			s.unlock()
		}
	})
	return err
}

// Highest returns the highest time the store has committed. A clock that is
// behind it has been set back, or has not been set yet.
func (s *Store) Highest() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.highest()
}

func (st state) highest() time.Time { return time.Unix(0, st.Highest) }

// Size returns the database file's size in bytes.
func (s *Store) Size() (n int64) {
	s.db.View(func(tx *bolt.Tx) error { n = tx.Size(); return nil })
	return n
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
