package store

import (
	"context"
	"fmt"
	"maps"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Between two commits of bbolt's there is one open transaction, into which the
// committer writes one batch after the other. What the redo log has of it is
// promised: those who asked have heard that it is kept. Settling is bbolt's commit.

// settleTime is how long after its first promise a transaction is settled. A login
// program has ended by then, and bbolt's commit is in nobody's way.
const settleTime = 2 * time.Millisecond

// writeTx is a transaction that knows what it has changed.
type writeTx struct {
	*bolt.Tx
	base     link
	made     []change
	promised int // of made
}

func (w *writeTx) put(bucket, key, value []byte) error {
	w.made = append(w.made, change{bucket, key, value})
	return w.Bucket(bucket).Put(key, value)
}

func (w *writeTx) remove(bucket, key []byte) error {
	w.made = append(w.made, change{bucket, key, nil})
	return w.Bucket(bucket).Delete(key)
}

// open begins a transaction if none is open.
func (s *Store) open() error {
	if s.owed != nil {
		if err := s.payOwed(); err != nil {
			return err
		}
	}
	if s.tx != nil {
		return nil
	}
	if s.stale {
		if err := harden(s.db); err != nil {
			return err
		}
	}
	tx, err := s.db.Begin(true)
	if err != nil {
		return err
	}
	s.tx = &writeTx{Tx: tx}
	err = guard(func() error { s.tx.base = stateLink(tx); return nil })
	if err != nil {
		s.abandon()
		return err
	}
	s.redo.begin(s.tx.base)
	return nil
}

// harden commits nothing, durably. After a failed commit, or one of a process that
// was killed, what the kernel shows may not be on the disk, and what builds on that
// would fit nothing after a power loss. Syncing alone does not help: the kernel may
// have given up writing those pages.
func harden(db *bolt.DB) error { return db.Update(func(*bolt.Tx) error { return nil }) }

// promise makes what was written last durable, in the redo log, and reports
// whether it has.
func (s *Store) promise() bool {
	tx := s.tx
	if !s.redo.keep(tx.made[tx.promised:]) {
		return false
	}
	if tx.promised == 0 {
		time.AfterFunc(s.settleIn, func() { s.Settle(context.Background()) })
	}
	s.ahead.Store(s.ahead.Load().with(tx.base, tx.made[tx.promised:]))
	tx.promised = len(tx.made)
	return true
}

// settle commits the open transaction. If that fails, what was promised is owed.
func (s *Store) settle() error {
	if s.tx == nil {
		return nil
	}
	err := guard(s.tx.Commit)
	if err != nil {
		s.abandon()
		return err
	}
	s.tx = nil
	s.ahead.Store(s.ahead.Load().settled())
	return nil
}

// abandon gives the open transaction up, but nothing that was promised.
func (s *Store) abandon() {
	guard(s.tx.Rollback) // after a failed commit there is nothing left to roll back
	if s.tx.promised > 0 {
		s.owed = s.tx
	}
	s.tx = nil
}

// payOwed writes what is owed. Until that is done nothing else is written, and the
// redo log keeps it.
func (s *Store) payOwed() error {
	err := guard(func() error {
		return s.db.Update(func(tx *bolt.Tx) error {
			if stateLink(tx) != s.owed.base { // the failed commit has reached the disk
				return nil
			}
			return apply(tx, s.owed.made[:s.owed.promised])
		})
	})
	if err == nil {
		s.owed, s.stale = nil, true
		s.ahead.Store(s.ahead.Load().settled())
	}
	return err
}

// guard calls fn. A damaged page is an error and no panic: the next batch must
// find the committer at work.
func guard(fn func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("database: %v", r)
		}
	}()
	return fn()
}

// Settle has everything that was promised written into the database.
func (s *Store) Settle(ctx context.Context) error {
	return s.ask(&update{ctx: ctx, settle: true, done: make(chan error, 1)})
}

// ahead is what was promised and is not in the database. It is not changed once
// it is made.
type ahead struct {
	round   uint64 // raised by each commit of bbolt's
	base    link   // of the state that lacks it
	changes changes
}

func (a *ahead) settled() *ahead { return &ahead{round: a.round + 1} }

// with returns a with more changes.
func (a *ahead) with(base link, more []change) *ahead {
	next := &ahead{a.round, base, maps.Clone(a.changes)}
	if next.changes == nil {
		next.changes = changes{}
	}
	fresh := map[string]bool{}
	for _, c := range more {
		bucket := string(c.bucket)
		if !fresh[bucket] {
			fresh[bucket] = true
			if next.changes[bucket] = maps.Clone(next.changes[bucket]); next.changes[bucket] == nil {
				next.changes[bucket] = map[string][]byte{}
			}
		}
		next.changes[bucket][string(c.key)] = c.value
	}
	return next
}

// View runs fn in a read-only transaction.
func (s *Store) View(fn func(*Tx) error) error {
	if s.ahead.Load().changes != nil {
		if err := s.Settle(context.Background()); err != nil {
			return err
		}
	}
	return s.db.View(func(tx *bolt.Tx) error {
		return fn(&Tx{store: s, bolt: tx, highest: s.Highest(), reading: true})
	})
}

// Look is a View that waits for nobody. What it sees of users, their records,
// budgets and memories is as new; lists and the audit log it may not have whole.
func (s *Store) Look(fn func(*Tx) error) error {
	for {
		before := s.ahead.Load()
		tx, err := s.db.Begin(false)
		if err != nil {
			return err
		}
		now := s.ahead.Load()
		if now.round != before.round { // the one is older than the other
			tx.Rollback()
			continue
		}
		defer tx.Rollback()
		if now.changes != nil && stateLink(tx) != now.base { // bbolt has it by now, and maybe more
			now = &ahead{}
		}
		return fn(&Tx{store: s, bolt: tx, highest: s.Highest(), changes: now.changes, reading: true})
	}
}
