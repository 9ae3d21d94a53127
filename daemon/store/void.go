package store

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// voidBatch is how many scopes share one transaction.
const voidBatch = 256

// ownedScope is what one factor keeps for one user, by name.
type ownedScope struct{ user, factor string }

// void lets every factor forget what may have been spent since the backup. What no
// factor answers for is made unreadable: a factord that knows it would accept it.
func (r *restore) void(s *Store, old *present) error {
	unknown := map[string]bool{}
	for batch := range slices.Chunk(s.ownedScopes(), voidBatch) {
		err := s.Update(context.Background(), func(tx *Tx) error {
			for _, o := range batch {
				f := r.restorers[o.factor]
				if f == nil {
					unknown[o.factor] = true
				} else if err := f.Restored(tx.Scope(o.user, o.factor), old.records(r.seal, o), tx.highest); err != nil {
					r.warn("%q of %q can't be restored and will be refused: %v", o.factor, o.user, err)
				} else {
					continue
				}
				if err := tx.spoil(o); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(unknown)) {
		r.warn("records of %q can't be restored and will be refused: this factord does not know what of them may have been used since. Restore with the one that made them, or remove them and enrol anew", name)
	}
	return nil
}

// ownedScopes are the scopes that have records, readable or not.
func (s *Store) ownedScopes() (all []ownedScope) {
	s.View(func(tx *Tx) error {
		c := tx.bolt.Bucket(bucketRecords).Cursor()
		for k, _ := c.First(); k != nil; k, _ = c.Next() {
			user, rest, _ := strings.Cut(string(k), "\x00")
			name, _, _ := strings.Cut(rest, "\x00")
			if o := (ownedScope{user, name}); len(all) == 0 || all[len(all)-1] != o {
				all = append(all, o)
			}
		}
		return nil
	})
	return all
}

// spoil makes the records of a scope such that nobody reads them. They still
// count: their user has a factor, which can't be used until root removes it.
func (t *Tx) spoil(o ownedScope) error {
	keys, _ := t.entries(bucketRecords, recordKey(o.user, o.factor, ""))
	for _, key := range keys {
		if err := t.change(bucketRecords, bytes.Clone(key), unreadable); err != nil {
			return fmt.Errorf("%s: %w", place(bucketRecords, key), err)
		}
	}
	return nil
}
