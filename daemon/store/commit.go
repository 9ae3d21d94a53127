package store

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
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
	// settle: the database's own commit is asked for.
	settle bool
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
	return s.ask(&update{ctx: ctx, fn: fn, done: make(chan error, 1)})
}

// ask has an update committed and waits for its outcome.
func (s *Store) ask(u *update) error {
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
	case <-u.ctx.Done(): // who waits for others must not wait beyond the deadline
		return context.Cause(u.ctx)
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

// commit writes a batch and tells each update its outcome, after the disk has it.
func (s *Store) commit(batch []*update) {
	c := commitment{batch: batch, results: make([]error, len(batch)), buffered: s.refusals.take()}
	err := s.write(&c)
	settle := slices.ContainsFunc(batch, func(u *update) bool { return u.settle })
	if err == nil && !settle {
		settle = !s.promise()
	}
	if settle && (err == nil || err == errNothing) {
		if failed := s.settle(); failed != nil {
			err = failed
		}
	}
	s.answer(&c, err)
}

// commitment is a batch and what it leaves behind.
type commitment struct {
	batch    []*update
	results  []error // of each
	buffered map[refusalKey]*Refusals
	next     state
	records  []Record
	refusals int // records in their ring
}

// write writes a batch into the open transaction. If that fails, nothing of the
// batch is kept.
func (s *Store) write(c *commitment) error {
	if err := s.open(); err != nil {
		return err
	}
	err := guard(func() (err error) {
		if c.next, err = s.begin(s.tx); err != nil {
			return err
		}
		var kept bool
		if kept, err = s.runAll(s.tx, c); err != nil {
			return err
		}
		if !kept && len(c.buffered) == 0 {
			return errNothing
		}
		if c.refusals, err = s.putRefusals(s.tx, c.buffered); err != nil {
			return err
		}
		return s.finish(s.tx, &c.next)
	})
	if err != nil && (err != errNothing || len(s.tx.made) == 0) {
		s.abandon()
	}
	return err
}

// answer takes over what a batch leaves behind and tells each update.
func (s *Store) answer(c *commitment, err error) {
	switch err {
	case errNothing:
		err = nil
	case nil:
		s.mu.Lock()
		s.state = c.next
		s.mu.Unlock()
		s.stale = false
		s.refusals.count = c.refusals
		if err = s.tell(c.records); err != nil {
			err = fmt.Errorf("%w: %w", ErrNotCopied, err)
		}
	default:
		s.stale = true // it may have reached the disk, or not
		s.refusals.giveBack(c.buffered)
	}
	for i, u := range c.batch {
		if err != nil && c.results[i] == nil {
			c.results[i] = fmt.Errorf("committing: %w", err)
		}
		u.done <- c.results[i]
		s.committer.open.Done()
	}
}

// begin returns the state on which a transaction builds.
func (s *Store) begin(tx *writeTx) (next state, err error) {
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

// runAll runs a batch's updates one after the other and reports whether any is to
// be kept. An error is of the transaction: nobody's change is kept then.
func (s *Store) runAll(tx *writeTx, c *commitment) (kept bool, err error) {
	var now time.Time // of what changes something
	for i, u := range c.batch {
		if u.settle {
			continue
		}
		if now.IsZero() {
			now = s.clock()
			c.next.Highest = max(c.next.Highest, now.UnixNano())
		}
		var view *Tx
		if view, c.results[i] = s.run(tx.Tx, &c.next, u, now); c.results[i] != nil {
			continue
		}
		if err := view.write(tx, &c.next); err != nil {
			return false, err // half written
		}
		kept, c.records = true, append(c.records, view.records...)
	}
	return kept, nil
}

// finish writes the state with which a transaction ends.
func (s *Store) finish(tx *writeTx, next *state) error {
	if err := next.fold(tx); err != nil {
		return err
	}
	sealed, err := s.seal.sealJSON(bucketMeta, keyState, next)
	if err != nil {
		return err
	}
	return tx.put(bucketMeta, keyState, sealed)
}

// errNothing is the outcome of a batch of which nothing is to be kept.
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
