// Package record is what records have in common of which a user can have several:
// tokens, keys. Each has a number of its own, in its id, and a name by which the
// user knows it; it is kept as JSON and read completely or not at all.
package record

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/factord/factord/daemon/factor"
)

// Head is what such a record begins with.
type Head struct {
	ID      string    `json:"-"` // such as "hotp-2"
	Version int       `json:"v"`
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	Used    time.Time `json:"used,omitzero"`
}

// Base implements a part of Entry.
func (h *Head) Base() *Head { return h }

// Entry is a record: a Head with what the factor adds to it.
type Entry interface {
	Base() *Head
	// Kind is what the ids of such records begin with.
	Kind() string
	// Check holds for the rest of every record that is kept.
	Check() error
}

// In is a pointer to a T that is an Entry.
type In[T any] interface {
	*T
	Entry
}

// Decode reads one record.
func Decode[T any, E In[T]](r factor.Record) (E, error) {
	e := E(new(T))
	e.Base().ID = r.ID
	err := r.Decode(e)
	if err == nil {
		err = Check(e)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %q: %v", r.ID, err)
	}
	return e, nil
}

// Check holds for every record that is kept.
func Check(e Entry) error {
	if number(e) == 0 {
		return fmt.Errorf("%q is not the id of a record of the kind %q", e.Base().ID, e.Kind())
	}
	if err := factor.CheckName(e.Base().Name); err != nil {
		return err
	}
	return e.Check()
}

func number(e Entry) uint64 { return factor.Number(e.Base().ID, e.Kind()) }

// Put keeps a record as it is now.
func Put(rs factor.Records, e Entry) error {
	value, err := json.Marshal(e)
	if err != nil {
		return err
	}
	defer clear(value)
	return rs.Put(e.Base().ID, value)
}

// DecodeAll reads all records of a user, in the order of their numbers. One that
// can't be read is an error: what it would have said of an answer is not known.
func DecodeAll[T any, E In[T]](list []factor.Record) ([]E, error) {
	entries := make([]E, 0, len(list))
	for i := range list {
		e, ok := list[i].Decoded.(E)
		if !ok {
			var err error
			if e, err = Decode[T, E](list[i]); err != nil {
				return nil, err
			}
			list[i].Decoded = e
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b E) int {
		return cmp.Or(cmp.Compare(number(a), number(b)), cmp.Compare(a.Base().ID, b.Base().ID))
	})
	return entries, nil
}

// List is DecodeAll for what a user has now.
func List[T any, E In[T]](rs factor.Records) ([]E, error) {
	list, err := rs.List()
	if err != nil {
		return nil, err
	}
	return DecodeAll[T, E](list)
}

// Find reads the record that somebody has named.
func Find[T any, E In[T]](rs factor.Records, id string) (E, error) {
	value, ok, err := rs.Get(id)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("there is no %q\nhint: factorctl list shows the ids", id)
	}
	defer clear(value)
	return Decode[T, E](factor.Record{ID: id, Value: value})
}

// Change lets change look at each record that can be read, and keeps those of which
// it says that it has changed them. One that can't be read stays as it is: nothing is
// accepted while it is there, and it must not keep the others from being put right.
func Change[T any, E In[T]](rs factor.Records, change func(E) bool) error {
	list, err := rs.List()
	if err != nil && !errors.Is(err, factor.ErrDamaged) {
		return err
	}
	for _, e := range Readable[T, E](list) {
		if !change(e) {
			continue
		}
		if err := Put(rs, e); err != nil {
			return err
		}
	}
	return nil
}

// Readable are those records of a list that can be read.
func Readable[T any, E In[T]](list []factor.Record) (entries []E) {
	for _, r := range list {
		if e, err := Decode[T, E](r); err == nil {
			entries = append(entries, e)
		}
	}
	return entries
}

// Stamp is a time as it is kept: UTC, whole seconds.
func Stamp(now time.Time) time.Time { return now.UTC().Truncate(time.Second) }
