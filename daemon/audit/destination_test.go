package audit

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/factord/factord/daemon/store"
)

// fake is a sink that a test holds up or lets fail.
type fake struct {
	mu     sync.Mutex
	taken  []uint64
	err    error
	hang   chan struct{} // closed: go on
	inside chan struct{} // one for each put that hangs
}

func newFake() *fake { return &fake{inside: make(chan struct{}, 100)} }

func (f *fake) put(r store.Record, _ time.Time) error {
	f.mu.Lock()
	hang, err := f.hang, f.err
	f.mu.Unlock()
	if hang != nil {
		f.inside <- struct{}{}
		<-hang
	}
	if err == nil {
		f.mu.Lock()
		f.taken = append(f.taken, r.Seq)
		f.mu.Unlock()
	}
	return err
}

func (f *fake) close() {}

func (f *fake) set(err error, hang chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err, f.hang = err, hang
}

func (f *fake) got() []uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.taken)
}

// logBuffer is a log that can be read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) count(part string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), part)
}

func records(from, to uint64) (rs []store.Record) {
	for seq := from; seq <= to; seq++ {
		e := store.Event{Seq: seq, Time: time.Now(), Kind: "verdict", User: "alice", Verdict: "allow", Basis: "factor", Factor: "totp"}
		rs = append(rs, store.Record{Event: e, Text: fmt.Appendf(nil, `{"seq":%d}`, seq)})
	}
	return rs
}

func soon() time.Time { return time.Now().Add(patience) }

func await(t *testing.T, what string, until func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !until(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// start returns a destination for a fake that ends with the test.
func start(t *testing.T) (*destination, *fake, *logBuffer) {
	log, f := &logBuffer{}, newFake()
	d := newDestination("fake", f, slog.New(slog.NewTextHandler(log, nil)))
	t.Cleanup(func() { d.end(); <-d.ended })
	return d, f, log
}

func TestCopiesKeepTheirOrder(t *testing.T) {
	d, f, _ := start(t)
	for seq := uint64(1); seq <= 999; seq += 3 {
		d.put(records(seq, seq+2), time.Now().Add(time.Minute), false)
	}
	await(t, "all records", func() bool { return len(f.got()) == 999 })
	if got := f.got(); !slices.IsSorted(got) {
		t.Errorf("out of order: %v", got)
	}
	if d.losses() != 0 {
		t.Errorf("%d are lost", d.losses())
	}
}

// A sink that fails loses its records; the first loss and the recovery are said
// once.
func TestLossesAreCounted(t *testing.T) {
	d, f, log := start(t)
	f.set(errors.New("disk full"), nil)
	for seq := range uint64(5) {
		<-d.put(records(seq+1, seq+1), soon(), true).done
	}
	if d.losses() != 5 || log.count("are lost") != 1 || log.count("disk full") != 1 {
		t.Errorf("%d are lost, log: %s", d.losses(), log.b.String())
	}
	f.set(nil, nil)
	for seq := range uint64(3) {
		if err := <-d.put(records(seq+6, seq+6), soon(), true).done; err != nil {
			t.Error(err)
		}
	}
	if d.losses() != 5 || log.count("arrive again") != 1 || !slices.Equal(f.got(), []uint64{6, 7, 8}) {
		t.Errorf("%d are lost, %v arrived, log: %s", d.losses(), f.got(), log.b.String())
	}
}

// What waits for a sink that hangs is lost after 100 ms, though the worker still
// hangs; nothing is handed over later, and when the sink returns, all is well.
func TestSinkThatHangs(t *testing.T) {
	d, f, log := start(t)
	goroutines := runtime.NumGoroutine()
	hang := make(chan struct{})
	f.set(nil, hang)
	d.put(records(1, 3), soon(), false)
	<-f.inside
	for seq := uint64(4); seq <= 50; seq++ {
		d.put(records(seq, seq), soon(), false)
	}
	begun := time.Now()
	if err := <-d.put(records(51, 51), soon(), true).done; err != errSlow {
		t.Errorf("got %v", err)
	}
	if took := time.Since(begun); took < patience*9/10 || took > 20*patience {
		t.Errorf("who waited was told after %v", took)
	}
	await(t, "the losses", func() bool { return d.losses() == 51 })
	if n := runtime.NumGoroutine(); n > goroutines+2 || log.count("are lost") != 1 {
		t.Errorf("%d goroutines, %d before; log: %s", n, goroutines, log.b.String())
	}
	f.set(nil, nil)
	close(hang)
	await(t, "the recovery", func() bool { return <-d.put(records(52, 52), soon(), true).done == nil })
	if got := f.got(); !slices.Equal(got[:2], []uint64{1, 52}) && !slices.Equal(got[:1], []uint64{52}) || log.count("arrive again") != 1 {
		t.Errorf("arrived: %v, log: %s", got, log.b.String())
	}
}

// The queue is bounded: what comes when it is full is lost at once.
func TestFullQueue(t *testing.T) {
	d, f, _ := start(t)
	hang := make(chan struct{})
	f.set(nil, hang)
	d.put(records(1, 1), time.Now().Add(time.Hour), false)
	<-f.inside
	for seq := uint64(2); seq <= maxWaiting; seq++ {
		d.put(records(seq, seq), time.Now().Add(time.Hour), false)
	}
	if d.losses() != 0 {
		t.Errorf("%d are lost of %d", d.losses(), maxWaiting)
	}
	if err := <-d.put(records(5000, 5001), soon(), true).done; err != errFull || d.losses() != 2 {
		t.Errorf("got %v, %d are lost", err, d.losses())
	}
	f.set(nil, nil)
	close(hang)
	await(t, "the queue", func() bool { return len(f.got()) == maxWaiting })
}

// Neither a sink that hangs nor one that fails holds up the other, or who asks.
func TestDestinationsDoNotWaitForEachOther(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	hanging, well := newFake(), newFake()
	hang := make(chan struct{})
	hanging.set(nil, hang)
	c := &Copies{log: log, journal: newDestination("journal", hanging, log), file: newDestination("file", well, log)}
	begun := time.Now()
	for seq := range uint64(100) {
		if err := c.Committed(records(seq+1, seq+1)); err != nil {
			t.Error(err)
		}
	}
	if took := time.Since(begun); took > time.Second {
		t.Errorf("asking took %v", took)
	}
	await(t, "the file", func() bool { return len(well.got()) == 100 })

	c.settings.Strict = true
	begun = time.Now()
	err := c.Committed(records(101, 101))
	if took := time.Since(begun); err == nil || !strings.Contains(err.Error(), "journal: ") || took > 20*patience {
		t.Errorf("strict: %v after %v", err, took)
	}
	if _, lost := c.Status(); lost["journal"] != 101 || lost["file"] != 0 {
		t.Errorf("lost: %v", lost)
	}
	begun = time.Now()
	c.Close() // does not wait for ever
	if took := time.Since(begun); took > 3*drainTime {
		t.Errorf("closing took %v", took)
	}
	close(hang)
}

// What is queued when factord ends is handed over.
func TestCloseDrains(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	f := newFake()
	c := &Copies{log: log, file: newDestination("file", f, log)}
	for seq := range uint64(500) {
		c.Committed(records(seq+1, seq+1))
	}
	c.Close()
	if n := len(f.got()); n != 500 {
		t.Errorf("%d arrived", n)
	}
	if err := c.Committed(records(501, 501)); err != nil {
		t.Errorf("after the end: %v", err)
	}
	if _, lost := c.Status(); lost["file"] != 1 {
		t.Errorf("lost after the end: %v", lost)
	}
}
