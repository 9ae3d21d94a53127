package store

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
)

// maxBatch bounds how many updates share one transaction, so that the first of
// them does not wait long for the last.
const maxBatch = 128

// ErrClosed is what an update gets when the store ends before its turn.
var ErrClosed = errors.New("the store is closing")

// ErrNotCopied is what an update gets that was committed, but whose audit record
// Config.Committed did not take.
var ErrNotCopied = errors.New("the audit record was not copied")

// update is one change that waits for its transaction.
type update struct {
	ctx  context.Context
	fn   func(*Tx) error
	done chan error // buffered: the committer never waits for the asker
}

// committer takes updates in turn. The first of them to find nobody committing
// writes them itself, so that a lone update pays for no handing over; those that
// come meanwhile queue up and share the next transaction.
type committer struct {
	mu         sync.Mutex
	queue      []*update
	committing bool
	closed     bool
	open       sync.WaitGroup // updates that have not been answered
}

// enter queues u and reports whether its asker is to commit.
func (c *committer) enter(u *update) (lead bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false, ErrClosed
	}
	c.open.Add(1)
	c.queue = append(c.queue, u)
	lead, c.committing = !c.committing, true
	return lead, nil
}

// next returns what is to be committed now, nothing if the committing ends.
func (c *committer) next() []*update {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := min(len(c.queue), maxBatch)
	batch := c.queue[:n:n]
	c.queue = c.queue[n:]
	c.committing = n > 0
	return batch
}

// more reports whether updates wait; if none does, the committing has ended.
func (c *committer) more() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.committing = len(c.queue) > 0
	return c.committing
}

// close refuses updates from now on and waits for those that are open.
func (c *committer) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.open.Wait()
}

// Update runs fn in a transaction and returns when its changes are on disk. The
// transaction may be shared, but fn sees it as its own: if fn fails, nothing of
// it is kept. If Update fails, the change may or may not be kept; whoever asked
// is to be refused.
func (s *Store) Update(ctx context.Context, fn func(*Tx) error) error {
	u := &update{ctx: ctx, fn: fn, done: make(chan error, 1)}
	lead, err := s.committer.enter(u)
	if err != nil {
		return err
	}
	if lead {
		s.commit(s.committer.next())
		if s.committer.more() {
			go s.commitRest()
		}
		return <-u.done
	}
	select {
	case err := <-u.done:
		return err
	case <-ctx.Done(): // who waits for others must not wait beyond the deadline
		return context.Cause(ctx)
	}
}

// commitRest commits until nobody waits. Under load it lets the others run first,
// so that more of them share the next transaction.
func (s *Store) commitRest() {
	for {
		runtime.Gosched()
		batch := s.committer.next()
		if len(batch) == 0 {
			return
		}
		s.commit(batch)
	}
}

// View runs fn in a read-only transaction.
func (s *Store) View(fn func(*Tx) error) error {
	return s.db.View(func(tx *bolt.Tx) error {
		return fn(&Tx{store: s, bolt: tx, highest: s.Highest()})
	})
}

// commit writes a batch in one transaction and tells each update its outcome,
// after the disk has it.
func (s *Store) commit(batch []*update) {
	results := make([]error, len(batch))
	var next state
	var records []Record
	var refusals int
	buffered := s.refusals.take()
	err := s.transact(func(tx *bolt.Tx) (err error) {
		if next, err = s.begin(tx); err != nil {
			return err
		}
		var kept bool
		if kept, records, err = s.runAll(tx, &next, batch, results); err != nil {
			return err
		}
		if !kept && len(buffered) == 0 {
			return errNothing
		}
		if refusals, err = s.putRefusals(tx, buffered); err != nil {
			return err
		}
		return s.finish(tx, &next)
	})
	switch err {
	case errNothing:
		err = nil
	case nil:
		s.mu.Lock()
		s.state = next
		s.mu.Unlock()
		s.stale = false
		s.refusals.count = refusals
		if err = s.tell(records); err != nil {
			err = fmt.Errorf("%w: %w", ErrNotCopied, err)
		}
	default:
		s.stale = true // it may have reached the disk, or not
		s.refusals.giveBack(buffered)
	}
	for i, u := range batch {
		if err != nil && results[i] == nil {
			results[i] = fmt.Errorf("committing: %w", err)
		}
		u.done <- results[i]
		s.committer.open.Done()
	}
}

// begin returns the state on which a transaction builds.
func (s *Store) begin(tx *bolt.Tx) (next state, err error) {
	next = s.state
	if s.stale {
		err = s.seal.openJSON(bucketMeta, keyState, tx.Bucket(bucketMeta).Get(keyState), &next)
	}
	return next, err
}

// tell hands on what has been committed.
func (s *Store) tell(records []Record) error {
	if s.told == nil || len(records) == 0 {
		return nil
	}
	return s.told(records)
}

// runAll runs a batch's updates one after the other, reports whether any is to be
// kept, and returns the audit records they made. An error is of the transaction:
// nobody's change is kept then.
func (s *Store) runAll(tx *bolt.Tx, next *state, batch []*update, results []error) (kept bool, records []Record, err error) {
	now := s.clock()
	next.Highest = max(next.Highest, now.UnixNano())
	for i, u := range batch {
		var view *Tx
		if view, results[i] = s.run(tx, next, u, now); results[i] != nil {
			continue
		}
		if err := view.write(next); err != nil {
			return false, nil, err // half written
		}
		kept, records = true, append(records, view.records...)
	}
	return kept, records, nil
}

// finish writes the state with which a transaction ends.
func (s *Store) finish(tx *bolt.Tx, next *state) error {
	if err := next.fold(tx); err != nil {
		return err
	}
	sealed, err := s.seal.sealJSON(bucketMeta, keyState, next)
	if err != nil {
		return err
	}
	return tx.Bucket(bucketMeta).Put(keyState, sealed)
}

// transact is bbolt's Update, in which a damaged page is an error and no panic:
// the next batch must find the committer at work.
func (s *Store) transact(fn func(*bolt.Tx) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("database: %v", r)
		}
	}()
	return s.db.Update(fn)
}

// errNothing rolls back a transaction of which nothing is to be kept.
var errNothing = errors.New("nothing to keep")

// errPing is the outcome of the update that Ping asks for.
var errPing = errors.New("ping")

// Ping returns nil if the store serves updates; it writes nothing.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.Update(ctx, func(*Tx) error { return errPing }); err != errPing {
		return err
	}
	return nil
}

// run calls one update's function on a view of its own, so that a failure, or a
// panic, leaves nothing of it behind.
func (s *Store) run(tx *bolt.Tx, st *state, u *update, now time.Time) (view *Tx, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("update panicked: %v\n%s", r, debug.Stack())
		}
	}()
	if err := u.ctx.Err(); err != nil {
		return nil, err
	}
	view = &Tx{store: s, bolt: tx, highest: st.highest(), now: now, changes: changes{}}
	return view, u.fn(view)
}
