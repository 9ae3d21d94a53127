package store

import (
	"bytes"
	"errors"
	"strings"
	"time"

	"github.com/factord/factord/daemon/factor"
)

// User is what the store knows of a user beside the factors' records.
type User struct {
	// UID is the user id at enrolment. A name that comes back with another
	// one is somebody else until root says otherwise.
	UID uint32 `json:"uid"`
	// Tombstone: the user has had a factor, so an enrolment in mid-login is
	// not for them any more.
	Tombstone bool      `json:"tombstone"`
	Created   time.Time `json:"created"`
}

// User returns the user's entry and whether there is one.
func (t *Tx) User(name string) (User, bool, error) {
	var u User
	ok, err := t.getJSON(bucketUsers, []byte(name), &u)
	return u, ok, err
}

// PutUser keeps the user's entry.
func (t *Tx) PutUser(name string, u User) error { return t.putJSON(bucketUsers, []byte(name), u) }

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

// Records returns all records of a user, by factor.
func (t *Tx) Records(user string) (map[string][]factor.Record, error) {
	all := map[string][]factor.Record{}
	err := t.scan(bucketRecords, recordKey(user, "", "")[:len(user)+1], func(k, plain []byte) {
		_, rest, _ := bytes.Cut(k, []byte{0})
		name, id, _ := strings.Cut(string(rest), "\x00")
		all[name] = append(all[name], factor.Record{ID: id, Value: plain})
	})
	return all, err
}

// Scope returns what one factor keeps for one user; it can reach nothing else.
func (t *Tx) Scope(user, factorName string) factor.Records {
	return scope{tx: t, user: user, factor: factorName}
}

type scope struct {
	tx           *Tx
	user, factor string
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

// Put implements factor.Records.
func (s scope) Put(id string, value []byte) error {
	if id == "" || strings.ContainsRune(id, 0) {
		return errRecordID
	}
	return s.tx.put(bucketRecords, recordKey(s.user, s.factor, id), value)
}

// Delete implements factor.Records.
func (s scope) Delete(id string) error {
	return s.tx.remove(bucketRecords, recordKey(s.user, s.factor, id))
}

// Budget decodes the budget of a subject into v and reports whether there is
// one. Its form is the session's.
func (t *Tx) Budget(subject string, v any) (bool, error) {
	return t.getJSON(bucketBudgets, []byte(subject), v)
}

// PutBudget keeps the budget of a subject.
func (t *Tx) PutBudget(subject string, v any) error {
	return t.putJSON(bucketBudgets, []byte(subject), v)
}

// ClearBudget forgets the budget of a subject.
func (t *Tx) ClearBudget(subject string) error { return t.remove(bucketBudgets, []byte(subject)) }
