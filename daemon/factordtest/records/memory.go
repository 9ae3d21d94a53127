// Package records has records without a store, for tests of factors.
package records

import (
	"bytes"
	"iter"
	"maps"
	"slices"

	"github.com/factord/factord/daemon/factor"
)

// Memory is what a factor keeps for one user. It implements factor.Neighbours.
type Memory struct {
	Values map[string][]byte
	Puts   int                // how often something was put
	Users  map[string]*Memory // the other users
}

var _ factor.Neighbours = (*Memory)(nil)

// List implements factor.Records.
func (m *Memory) List() ([]factor.Record, error) {
	var list []factor.Record
	for _, id := range slices.Sorted(maps.Keys(m.Values)) {
		list = append(list, factor.Record{ID: id, Value: bytes.Clone(m.Values[id])})
	}
	return list, nil
}

// Get implements factor.Records.
func (m *Memory) Get(id string) ([]byte, bool, error) {
	v, ok := m.Values[id]
	return bytes.Clone(v), ok, nil
}

// Put implements factor.Records.
func (m *Memory) Put(id string, value []byte) error {
	if m.Values == nil {
		m.Values = make(map[string][]byte)
	}
	m.Values[id] = bytes.Clone(value)
	m.Puts++
	return nil
}

// Delete implements factor.Records.
func (m *Memory) Delete(id string) error {
	delete(m.Values, id)
	return nil
}

// Note implements factor.Records.
func (m *Memory) Note() ([]byte, error) { return nil, nil }

// PutNote implements factor.Records.
func (m *Memory) PutNote([]byte) error { return nil }

// Others implements factor.Neighbours.
func (m *Memory) Others() iter.Seq2[string, factor.Record] {
	return func(yield func(string, factor.Record) bool) {
		for user, other := range m.Users {
			list, _ := other.List()
			for _, r := range list {
				if !yield(user, r) {
					return
				}
			}
		}
	}
}
