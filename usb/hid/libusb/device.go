package libusb

import (
	"context"
	"os"
	"sync"
	"time"

	karalabe "github.com/karalabe/hid"

	"github.com/factord/factord/usb/hid"
)

const (
	// readPoll is how long a read may block: the longest that anything else that is
	// to be done with the device waits.
	readPoll = 20 * time.Millisecond
	// queueLimit is how many results wait to be read. libusb itself keeps 30 reports,
	// and drops the oldest without a word.
	queueLimit = 1024
)

// device is an open interface. One goroutine makes all calls: to close a device in
// which another call is going on is a use after free in the library.
type device struct {
	karalabe.Device
	failed func(error) error // says what a failure means

	jobs  chan func()
	stop  chan struct{}
	ended chan struct{}
	once  sync.Once
}

// start begins to take jobs, and calls read in between if that isn't nil, until it
// returns an error.
func (d *device) start(read func() error) {
	d.jobs, d.stop, d.ended = make(chan func()), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(d.ended)
		defer d.Device.Close()
		for d.step(read == nil) {
			if read != nil && read() != nil {
				read = nil
			}
		}
	}()
}

// step does one job, if there is one or else if it may wait for one.
func (d *device) step(wait bool) (more bool) {
	if wait {
		select {
		case <-d.stop:
			return false
		case job := <-d.jobs:
			job()
			return true
		}
	}
	select {
	case <-d.stop:
		return false
	case job := <-d.jobs:
		job()
	default:
	}
	return true
}

// do makes a call in the device's goroutine. When the context ends first, the call is
// left behind.
func do[T any](ctx context.Context, d *device, call func() (T, error)) (result T, err error) {
	type answer struct {
		result T
		err    error
	}
	answers := make(chan answer, 1)
	job := func() {
		result, err := call()
		answers <- answer{result, err}
	}
	select {
	case d.jobs <- job:
	case <-d.ended:
		return result, os.ErrClosed
	case <-ctx.Done():
		return result, ctx.Err()
	}
	select {
	case a := <-answers:
		if a.err != nil {
			a.err = d.failed(a.err)
		}
		return a.result, a.err
	case <-ctx.Done():
		return result, ctx.Err()
	}
}

// Close gives the interface back to the kernel, and waits for that: else the process
// might end before, and leave the key dead.
func (d *device) Close() error {
	d.once.Do(func() { close(d.stop) })
	<-d.ended
	return nil
}

// queue holds what a device has sent.
type queue[T any] struct {
	results chan result[T]
	lost    bool
	failure error // valid when results is closed
}

type result[T any] struct {
	value T
	err   error
}

func newQueue[T any]() *queue[T] { return &queue[T]{results: make(chan result[T], queueLimit)} }

// put adds a result, or notes that there is no room for it.
func (q *queue[T]) put(value T) {
	if q.lost && !q.try(result[T]{err: hid.ErrLost}) {
		return
	}
	q.lost = !q.try(result[T]{value: value})
}

func (q *queue[T]) try(r result[T]) bool {
	select {
	case q.results <- r:
		return true
	default:
		return false
	}
}

// fail ends the queue.
func (q *queue[T]) fail(err error) {
	q.failure = err
	close(q.results)
}

// get waits for a result.
func (q *queue[T]) get(ctx context.Context) (value T, err error) {
	select {
	case r, more := <-q.results:
		if !more {
			return value, q.failure
		}
		return r.value, r.err
	case <-ctx.Done():
		return value, ctx.Err()
	}
}
