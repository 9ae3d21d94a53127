package main

import (
	"errors"
	"log/slog"

	"github.com/factord/factord/daemon/audit"
	"github.com/factord/factord/daemon/store"
)

// openStore opens the database. One that the key does not open may have been given
// another since the key was read, by a --rekey at work: the key is read once more.
func openStore(o options, copies *audit.Copies, log *slog.Logger) (*store.Store, error) {
	for again := false; ; again = true {
		key, err := sealKey(o, func() { log.Warn(keySettled) })
		if err != nil {
			return nil, err
		}
		db, err := store.Open(store.Config{Dir: o.state, Key: key, Committed: copies.Committed})
		clear(key[:])
		if again || !errors.Is(err, store.ErrSealKey) {
			return db, err
		}
	}
}
