package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"iter"
	"strings"
	"time"

	"github.com/factord/factord/daemon/factor"
)

// User is what the store knows of a user beside the factors' records.
type User struct {
	// UID is the user id at enrolment. A name that comes back with another
	// one is somebody else until root says otherwise.
	UID uint32
	// Tombstone: the user has had a factor, so an enrolment in mid-login is
	// not for them any more.
	Tombstone bool
	Created   time.Time
	// Records is how many records the factors keep for the user. A record
	// that has got lost must not make the user look like one without it.
	Records int
	// Revision rises whenever a record comes or goes, so that who has proven
	// a factor can be told that it is gone.
	Revision uint64
}

// Errors of a user's records.
var (
	// ErrRecords: what is there is not what was kept.
	ErrRecords = errors.New("records are missing: the database was damaged or changed")
	// ErrNoEntry: a record needs its user's entry first.
	ErrNoEntry = errors.New("user has no entry")
)

// userSize is the size of an entry as it is kept: uid, records, revision, time of
// creation in Unix nanoseconds, all big endian, and a byte for the tombstone.
const userSize = 4 + 4 + 8 + 8 + 1

func (u User) encode() []byte {
	b := make([]byte, 0, userSize)
	b = binary.BigEndian.AppendUint32(b, u.UID)
	b = binary.BigEndian.AppendUint32(b, uint32(u.Records))
	b = binary.BigEndian.AppendUint64(b, u.Revision)
	b = binary.BigEndian.AppendUint64(b, uint64(u.Created.UnixNano()))
	return append(b, map[bool]byte{true: 1}[u.Tombstone])
}

func decodeUser(b []byte) (User, error) {
	if len(b) != userSize || b[userSize-1] > 1 {
		return User{}, ErrRecords
	}
	return User{
		UID: binary.BigEndian.Uint32(b), Records: int(binary.BigEndian.Uint32(b[4:])), Revision: binary.BigEndian.Uint64(b[8:]),
		Created: time.Unix(0, int64(binary.BigEndian.Uint64(b[16:]))).UTC(), Tombstone: b[24] == 1,
	}, nil
}

// User returns the user's entry and whether there is one.
func (t *Tx) User(name string) (User, bool, error) {
	plain, err := t.get(bucketUsers, []byte(name))
	if err != nil || plain == nil {
		return User{}, false, err
	}
	u, err := decodeUser(plain)
	return u, err == nil, err
}

// PutUser keeps the user's entry.
func (t *Tx) PutUser(name string, u User) error {
	return errors.Join(t.put(bucketUsers, []byte(name), u.encode()), t.put(bucketUIDs, uidKey(u.UID, name), nil))
}

// uidKey lists a name among those of its uid; where the name's entry has another
// uid by now, that one holds.
func uidKey(uid uint32, name string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uid), name...)
}

// NameOf returns a name under which a uid has records, "" if it has none.
func (t *Tx) NameOf(uid uint32) (name string, err error) {
	err = t.names(uid, func(n string, u User) bool {
		if u.Records > 0 {
			name = n
		}
		return name == ""
	})
	return name, err
}

// Tombstone reports whether a uid has had a factor, under any of its names.
func (t *Tx) Tombstone(uid uint32) (had bool, err error) {
	err = t.names(uid, func(_ string, u User) bool {
		had = u.Tombstone
		return !had
	})
	return had, err
}

// names goes through the entries of a uid until see returns false. The list of names
// is a hint; the entries decide.
func (t *Tx) names(uid uint32, see func(name string, u User) bool) error {
	keys, _ := t.entries(bucketUIDs, uidKey(uid, ""))
	for _, key := range keys {
		name := string(key[len(uidKey(uid, "")):])
		u, found, err := t.User(name)
		if err != nil {
			return err
		}
		if found && u.UID == uid && !see(name, u) {
			return nil
		}
	}
	return nil
}

// Keys returns the factor and id of every record that lies under a user's name,
// readable or not.
func (t *Tx) Keys(user string) [][2]string {
	prefix := recordKey(user, "", "")[:len(user)+1]
	var keys [][2]string
	c := t.bolt.Bucket(bucketRecords).Cursor()
	for k, _ := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		factorName, id, _ := strings.Cut(string(k[len(prefix):]), "\x00")
		keys = append(keys, [2]string{factorName, id})
	}
	return keys
}

// Users calls fn for every user that has an entry, in order of name.
func (t *Tx) Users(fn func(name string) error) error {
	c := t.bolt.Bucket(bucketUsers).Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		if err := fn(string(k)); err != nil {
			return err
		}
	}
	return nil
}

// CountUsers returns how many users have an entry.
func (t *Tx) CountUsers() int { return t.bolt.Bucket(bucketUsers).Stats().KeyN }

// Load returns a user's entry and all records, by factor. With an error it
// returns those that can be read.
func (t *Tx) Load(name string) (u User, found bool, all map[string][]factor.Record, err error) {
	if u, found, err = t.User(name); err != nil {
		return u, found, nil, err
	}
	all = map[string][]factor.Record{}
	n := 0
	err = t.scan(bucketRecords, recordKey(name, "", "")[:len(name)+1], func(k, plain []byte) {
		_, rest, _ := bytes.Cut(k, []byte{0})
		factorName, id, _ := strings.Cut(string(rest), "\x00")
		all[factorName] = append(all[factorName], factor.Record{ID: id, Value: plain})
		n++
	})
	if err == nil && n != u.Records {
		err = ErrRecords
	}
	return u, found, all, err
}

// Scope returns what one factor keeps for one user. It can change nothing else; as
// factor.Neighbours it can read what the factor keeps for others.
func (t *Tx) Scope(user, factorName string) factor.Records {
	return scope{tx: t, user: user, factor: factorName}
}

// ScopeNoting is Scope with notes that are about a subject of the factor's own, and so
// the same for every user who is that one.
func (t *Tx) ScopeNoting(user, factorName, subject string) factor.Records {
	return scope{tx: t, user: user, factor: factorName, subject: subject}
}

type scope struct {
	tx           *Tx
	user, factor string
	subject      string // of notes; "": the user
}

var errRecordID = errors.New("record id is empty or has a NUL")

func recordKey(user, factorName, id string) []byte {
	return []byte(user + "\x00" + factorName + "\x00" + id)
}

// List implements factor.Records.
func (s scope) List() ([]factor.Record, error) {
	prefix := recordKey(s.user, s.factor, "")
	var list []factor.Record
	err := s.tx.scan(bucketRecords, prefix, func(k, plain []byte) {
		list = append(list, factor.Record{ID: string(k[len(prefix):]), Value: plain})
	})
	return list, err
}

// Get implements factor.Records.
func (s scope) Get(id string) ([]byte, bool, error) {
	value, err := s.tx.get(bucketRecords, recordKey(s.user, s.factor, id))
	return value, value != nil, err
}

// Others implements factor.Neighbours.
func (s scope) Others() iter.Seq2[string, factor.Record] {
	return func(yield func(string, factor.Record) bool) {
		keys, sealed := s.tx.entries(bucketRecords, nil)
		for _, key := range keys {
			user, rest, _ := strings.Cut(string(key), "\x00")
			holder, id, _ := strings.Cut(rest, "\x00")
			if user == s.user || holder != s.factor {
				continue
			}
			plain, err := s.tx.store.seal.open(bucketRecords, key, sealed[string(key)])
			if err != nil {
				continue
			}
			more := yield(user, factor.Record{ID: id, Value: plain})
			clear(plain)
			if !more {
				return
			}
		}
	}
}

// Put implements factor.Records.
func (s scope) Put(id string, value []byte) error {
	if id == "" || strings.ContainsRune(id, 0) {
		return errRecordID
	}
	key := recordKey(s.user, s.factor, id)
	if !s.tx.has(bucketRecords, key) {
		if err := s.count(1); err != nil {
			return err
		}
	}
	return s.tx.put(bucketRecords, key, value)
}

// count notes in the user's entry that there are n records more.
func (s scope) count(n int) error {
	u, found, err := s.tx.User(s.user)
	if err != nil {
		return err
	}
	if !found {
		return ErrNoEntry
	}
	u.Records += n
	u.Revision++
	return s.tx.PutUser(s.user, u)
}

// Delete implements factor.Records.
func (s scope) Delete(id string) error {
	key := recordKey(s.user, s.factor, id)
	if !s.tx.has(bucketRecords, key) {
		return nil
	}
	return errors.Join(s.count(-1), s.tx.remove(bucketRecords, key))
}
