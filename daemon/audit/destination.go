package audit

import (
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/factord/factord/daemon/store"
)

// maxWaiting is how many records may wait for one destination; those of a commit
// that comes when there are as many are lost.
const maxWaiting = 4096

// gatherTime is how long a worker lets records gather: the processor is for who
// waits for the verdict, and a worker that wakes for each record takes it away.
const gatherTime = 5 * time.Millisecond

// Why a copy was lost, when the destination itself had no word on it.
var (
	errSlow = errors.New("it did not take a record within 100 ms")
	errFull = errors.New("too many records wait for it")
	errOver = errors.New("it is not in use any more")
)

// sink is where copies end up. It is called by one worker only, and may hang.
type sink interface {
	put(r store.Record, deadline time.Time) error
	close()
}

// batch is what one commit gives to one destination.
type batch struct {
	to       string
	records  []store.Record
	left     int // records that are neither taken nor lost
	deadline time.Time
	err      error
	done     chan error // buffered; nil: nobody waits
}

func (b *batch) tell(err error) {
	if b.done != nil {
		b.done <- err
	}
}

// destination is a sink with a queue and one worker. A worker that hangs in its
// sink is not replaced: a timer counts as lost what waits for it too long, and
// when the sink returns, the worker goes on.
type destination struct {
	name  string
	sink  sink
	log   *slog.Logger
	ended chan struct{}

	mu      sync.Mutex
	work    *sync.Cond
	queue   []*batch
	writing *batch // what the worker has taken from the queue
	waiting int    // records in both
	lost    uint64
	failing bool // a loss has been logged
	over    bool
	summed  bool // the losses have been summed up in the log
	timer   *time.Timer
	armed   bool
}

func newDestination(name string, s sink, log *slog.Logger) *destination {
	d := &destination{name: name, sink: s, log: log, ended: make(chan struct{})}
	d.work = sync.NewCond(&d.mu)
	d.timer = time.AfterFunc(time.Hour, d.expire)
	d.timer.Stop()
	go d.run()
	return d
}

// put queues the records of one commit. Who has to know may wait for done.
func (d *destination) put(records []store.Record, deadline time.Time, wait bool) *batch {
	b := &batch{to: d.name, records: records, left: len(records), deadline: deadline}
	if wait {
		b.done = make(chan error, 1)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over || d.waiting >= maxWaiting {
		err := errFull
		if d.over {
			err = errOver
		}
		d.lose(b.left, err)
		b.tell(err)
		return b
	}
	d.queue = append(d.queue, b)
	d.waiting += b.left
	if !d.armed {
		d.armed = true
		d.timer.Reset(time.Until(deadline))
	}
	d.work.Signal()
	return b
}

// run is the worker.
func (d *destination) run() {
	defer close(d.ended)
	defer d.sumUp()
	defer d.sink.close()
	for b := d.next(); b != nil; b = d.next() {
		for _, r := range b.records {
			if !d.took(b, d.sink.put(r, b.deadline)) {
				break
			}
		}
		d.finish(b)
	}
}

// next waits for a batch; nil is the end. Who has rested rests a little more
// before beginning, unless somebody waits for the copy.
func (d *destination) next() *batch {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.queue) == 0 {
		if d.over {
			return nil
		}
		d.work.Wait()
		if len(d.queue) > 0 && d.queue[0].done == nil && !d.over {
			d.mu.Unlock()
			time.Sleep(gatherTime)
			d.mu.Lock()
		}
	}
	d.writing = d.queue[0]
	d.queue = slices.Delete(d.queue, 0, 1)
	return d.writing
}

// took notes the outcome of one record and reports whether the batch goes on: it
// ends when its time is over.
func (d *destination) took(b *batch, err error) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if b.left == 0 {
		return false
	}
	b.left--
	d.waiting--
	if err != nil {
		d.lose(1, err)
		b.err = err
	}
	return true
}

// finish ends a batch. The destination works again when a whole one was taken in
// time.
func (d *destination) finish(b *batch) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.writing = nil; b.err == nil && d.failing {
		d.failing = false
		d.log.Warn("audit copies arrive again", "to", d.name, "lost", d.lost)
	}
	if b.err != errSlow { // that has been told
		b.tell(b.err)
	}
}

// expire counts as lost what has waited too long, in the sink or for it.
func (d *destination) expire() {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	if b := d.writing; b != nil && b.left > 0 && !now.Before(b.deadline) {
		d.giveUp(b)
	}
	for len(d.queue) > 0 && !now.Before(d.queue[0].deadline) {
		d.giveUp(d.queue[0])
		d.queue = slices.Delete(d.queue, 0, 1)
	}
	d.armed = true
	switch b := d.writing; {
	case b != nil && b.left > 0:
		d.timer.Reset(b.deadline.Sub(now))
	case len(d.queue) > 0:
		d.timer.Reset(d.queue[0].deadline.Sub(now))
	default:
		d.armed = false
	}
}

// giveUp loses what is left of a batch.
func (d *destination) giveUp(b *batch) {
	d.lose(b.left, errSlow)
	d.waiting -= b.left
	b.left, b.err = 0, errSlow
	b.tell(errSlow)
}

// lose counts, and says so once until records arrive again.
func (d *destination) lose(n int, err error) {
	d.lost += uint64(n)
	if !d.failing {
		d.failing = true
		d.log.Error("audit copies are lost", "to", d.name, "error", err)
	}
}

func (d *destination) losses() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lost
}

// sumUp logs once how many were lost, when nobody can ask any more. What still
// waits then is lost too.
func (d *destination) sumUp() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.summed {
		return
	}
	d.summed = true
	if lost := d.lost + uint64(d.waiting); lost > 0 {
		d.log.Warn("audit copies were lost", "to", d.name, "lost", lost)
	}
}

// end lets the worker finish what is queued and stop.
func (d *destination) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.over = true
	d.work.Signal()
}
