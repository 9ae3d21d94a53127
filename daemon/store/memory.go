package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"
)

// Memory is a proof that is remembered for a while. What it holds for is in its
// key, which is kept as a hash.
type Memory struct {
	Made  time.Time `json:"made"`
	Until time.Time `json:"until"`
	// Revision is that of the user's factors then.
	Revision uint64 `json:"revision"`
	// Factor and ID are what was proven.
	Factor string `json:"factor"`
	ID     string `json:"id,omitempty"`
	// Presence: the rule demanded that a person is there.
	Presence bool `json:"presence,omitempty"`
	// Trust is the factor's: a token of whoever decided outside.
	Trust []byte `json:"trust,omitempty"`
}

// MaxMemories is how many proofs of one user are remembered; the one that ends
// first makes room.
const MaxMemories = 32

func memoryPrefix(user string) []byte { return append([]byte(user), 0) }

func memoryKey(user string, what [32]byte) []byte { return append(memoryPrefix(user), what[:]...) }

// Memory returns what is remembered of a user, and whether anything is.
func (t *Tx) Memory(user string, what [32]byte) (m Memory, found bool, err error) {
	found, err = t.getJSON(bucketMemories, memoryKey(user, what), &m)
	return m, found, err
}

// Remember keeps a memory, in the place of one that is there.
func (t *Tx) Remember(user string, what [32]byte, m Memory) error {
	kept := map[string]time.Time{}
	damaged := t.scan(bucketMemories, memoryPrefix(user), func(key, plain []byte) {
		var have Memory
		if json.Unmarshal(plain, &have) == nil {
			kept[string(key)] = have.Until
		}
	})
	if damaged != nil { // a memory spares an answer and no more
		if _, err := t.Forget(user); err != nil {
			return err
		}
		clear(kept)
	}
	key := memoryKey(user, what)
	delete(kept, string(key))
	for len(kept) >= MaxMemories {
		first := ""
		for k, until := range kept {
			if first == "" || until.Before(kept[first]) {
				first = k
			}
		}
		delete(kept, first)
		if err := t.remove(bucketMemories, []byte(first)); err != nil {
			return err
		}
	}
	return t.putJSON(bucketMemories, key, m)
}

// Forget drops all memories of a user, readable or not, and returns how many
// there were.
func (t *Tx) Forget(user string) (n int, err error) {
	keys, _ := t.entries(bucketMemories, memoryPrefix(user))
	for _, key := range keys {
		err = errors.Join(err, t.remove(bucketMemories, bytes.Clone(key)))
	}
	return len(keys), err
}
