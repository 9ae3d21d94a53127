package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
)

// changes are what one update has written so far: bucket, key, sealed value; a
// nil value is a deletion.
type changes map[string]map[string][]byte

// Tx is one transaction: what was committed before it, plus its own changes. It
// is valid only inside the function it was given to.
type Tx struct {
	store   *Store
	bolt    *bolt.Tx
	highest time.Time
	now     time.Time
	changes changes
	reading bool // and not writing
	events  []Event
	records []Record // the events, once they are written
}

// ErrReadOnly is a write in a View.
var ErrReadOnly = errors.New("transaction is read-only")

// Highest returns the highest time seen, this transaction included.
func (t *Tx) Highest() time.Time { return t.highest }

// Audit appends an event to the audit ring when the transaction is committed.
func (t *Tx) Audit(e Event) { t.events = append(t.events, e) }

// get returns the unsealed value of key, nil if there is none.
func (t *Tx) get(bucket, key []byte) ([]byte, error) {
	sealed, changed := t.changes[string(bucket)][string(key)]
	if !changed {
		sealed = t.bolt.Bucket(bucket).Get(key)
	}
	if sealed == nil {
		return nil, nil
	}
	return t.store.seal.open(bucket, key, sealed)
}

// has reports whether key has a value, readable or not.
func (t *Tx) has(bucket, key []byte) bool {
	sealed, changed := t.changes[string(bucket)][string(key)]
	if !changed {
		sealed = t.bolt.Bucket(bucket).Get(key)
	}
	return sealed != nil
}

func (t *Tx) put(bucket, key, plain []byte) error {
	return t.change(bucket, key, t.store.seal.seal(bucket, key, plain))
}

func (t *Tx) remove(bucket, key []byte) error { return t.change(bucket, key, nil) }

func (t *Tx) change(bucket, key, sealed []byte) error {
	if t.reading {
		return ErrReadOnly
	}
	if len(key) > bolt.MaxKeySize {
		return errors.New("key is too long")
	}
	m := t.changes[string(bucket)]
	if m == nil {
		m = map[string][]byte{}
		t.changes[string(bucket)] = m
	}
	m[string(key)] = sealed
	return nil
}

// getJSON decodes the value of key into v and reports whether there is one.
func (t *Tx) getJSON(bucket, key []byte, v any) (bool, error) {
	plain, err := t.get(bucket, key)
	if err != nil || plain == nil {
		return false, err
	}
	return true, json.Unmarshal(plain, v)
}

func (t *Tx) putJSON(bucket, key []byte, v any) error {
	plain, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return t.put(bucket, key, plain)
}

// scan calls fn with the unsealed values whose keys begin with prefix, in order,
// and returns an error if there were others that do not unseal.
func (t *Tx) scan(bucket, prefix []byte, fn func(key, plain []byte)) error {
	keys, sealed := t.entries(bucket, prefix)
	var damaged error
	for _, k := range keys {
		plain, err := t.store.seal.open(bucket, k, sealed[string(k)])
		if err != nil {
			damaged = err
			continue
		}
		fn(k, plain)
	}
	return damaged
}

// entries returns the keys that begin with prefix, in order, and their values as
// they are kept.
func (t *Tx) entries(bucket, prefix []byte) (keys [][]byte, sealed map[string][]byte) {
	changed := t.changes[string(bucket)]
	sealed = map[string][]byte{}
	c := t.bolt.Bucket(bucket).Cursor()
	for k, v := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
		if _, overlaid := changed[string(k)]; !overlaid {
			keys, sealed[string(k)] = append(keys, k), v
		}
	}
	for k, v := range changed {
		if v != nil && strings.HasPrefix(k, string(prefix)) {
			keys, sealed[k] = append(keys, []byte(k)), v
		}
	}
	if len(changed) > 0 {
		slices.SortFunc(keys, bytes.Compare)
	}
	return keys, sealed
}

// write moves the changes and events into the shared transaction.
func (t *Tx) write(into *writeTx, st *state) error {
	for bucket, m := range t.changes {
		for key, sealed := range m {
			var err error
			if sealed == nil {
				err = into.remove([]byte(bucket), []byte(key))
			} else {
				err = into.put([]byte(bucket), []byte(key), sealed)
			}
			if err != nil {
				return err
			}
		}
	}
	for _, e := range t.events {
		record, err := st.append(into, e, t.now)
		if err != nil {
			return err
		}
		t.records = append(t.records, record)
	}
	return nil
}
