package backup

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor"
)

// memory is factor.Records without a store.
type memory struct {
	values map[string][]byte
	fail   string // the call that fails
}

var errDisk = errors.New("disk full")

func newMemory() *memory { return &memory{values: make(map[string][]byte)} }

func (m *memory) List() ([]factor.Record, error) {
	if m.fail == "list" {
		return nil, errDisk
	}
	var list []factor.Record
	for _, id := range slices.Sorted(maps.Keys(m.values)) {
		list = append(list, factor.Record{ID: id, Value: bytes.Clone(m.values[id])})
	}
	return list, nil
}

func (m *memory) Get(id string) ([]byte, bool, error) {
	v, ok := m.values[id]
	return bytes.Clone(v), ok, nil
}

func (m *memory) Put(id string, value []byte) error {
	if m.fail == "put" {
		return errDisk
	}
	m.values[id] = bytes.Clone(value)
	return nil
}

func (m *memory) Delete(id string) error {
	if m.fail == "delete" {
		return errDisk
	}
	delete(m.values, id)
	return nil
}

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// counting is a source of randomness that does not repeat soon.
type counting struct{ n uint32 }

func (c *counting) Read(p []byte) (int, error) {
	for i := range p {
		c.n = c.n*1664525 + 1013904223
		p[i] = byte(c.n >> 24)
	}
	return len(p), nil
}

func login(m *memory, now time.Time) factor.Login {
	list, _ := m.List()
	return factor.Login{User: "alice", Now: now, Highest: now, Records: list}
}

// answer gives an answer to a factor and returns what is found; an answer that
// is not the factor's own is an error.
func answer(t testing.TB, f factor.Factor, m *memory, l factor.Login, text string) (factor.Finding, error) {
	t.Helper()
	c, err := f.Verify(t.Context(), l, factor.Secret(text))
	if err != nil {
		return factor.Finding{}, err
	}
	if c.Guessable {
		t.Errorf("%q is guessable", text)
	}
	found, err := c.Settle(m)
	if err != nil {
		return found, fmt.Errorf("settling: %w", err)
	}
	return found, nil
}

func want(t testing.TB, f factor.Factor, m *memory, l factor.Login, text string, outcome factor.Outcome) factor.Finding {
	t.Helper()
	found, err := answer(t, f, m, l, text)
	if err != nil || found.Outcome != outcome {
		t.Errorf("%q: %+v, %v, want outcome %d", text, found, err, outcome)
	}
	return found
}

func (m *memory) Note() ([]byte, error)      { return nil, nil }
func (m *memory) PutNote(value []byte) error { return nil }
