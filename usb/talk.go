package usb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/factord/factord/daemon/wire"
	"github.com/factord/factord/daemon/wire/agent"
)

// talk is the conversation with the caller. While nothing is inquired, somebody watches
// whether the caller hangs up.
type talk struct {
	conn   *net.UnixConn
	lines  *wire.Lines
	cancel context.CancelCauseFunc // of the operation

	mu      sync.Mutex // of all that is written, and of what follows
	state   agent.State
	over    bool
	limit   time.Time
	stopped bool          // reads end at once from now on
	watched chan struct{} // closed when nobody watches; nil: nobody does
}

func newTalk(nc *net.UnixConn) *talk {
	return &talk{conn: nc, lines: wire.NewLines(nc), cancel: func(error) {}}
}

// past is a deadline that ends a read at once.
var past = time.Unix(1, 0)

// bound sets until when everything is read and written.
func (t *talk) bound(limit time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.limit = limit
	t.conn.SetDeadline(limit)
	if t.stopped {
		t.conn.SetReadDeadline(past)
	}
}

// stopReading ends what reads, now and later.
func (t *talk) stopReading() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
	t.conn.SetReadDeadline(past)
}

// run does an operation, which is cancelled when the caller hangs up or says something
// unasked, and after limit. An operation that does not end then is left behind.
func (t *talk) run(ctx context.Context, limit time.Duration, do func(context.Context) ([]byte, error)) ([]byte, error) {
	ctx, t.cancel = context.WithCancelCause(ctx)
	defer t.cancel(nil)
	ctx, stop := context.WithTimeoutCause(ctx, limit, errLate)
	defer stop()
	t.bound(time.Now().Add(limit + Grace))
	defer context.AfterFunc(ctx, t.stopReading)()
	t.watch()
	type result struct {
		reply []byte
		err   error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		defer func() {
			if p := recover(); p != nil { // what a key says has led astray
				r.err = &agent.Error{Code: agent.Internal, Text: fmt.Sprintf("panic: %v", p)}
			}
			done <- r
		}()
		r.reply, r.err = do(ctx)
	}()
	late := make(chan struct{})
	defer context.AfterFunc(ctx, func() { time.AfterFunc(Grace, func() { close(late) }) })()
	select {
	case r := <-done:
		if ctx.Err() == nil || r.err == nil || errors.As(r.err, new(*agent.Error)) {
			return r.reply, r.err
		}
	case <-late:
	}
	return nil, context.Cause(ctx)
}

// watch cancels the operation when the caller hangs up, or speaks.
func (t *talk) watch() {
	over := make(chan struct{})
	t.watched = over
	go func() {
		defer close(over)
		switch err := t.lines.Await(); {
		case err == nil:
			t.cancel(protocolf("a line that was not asked for"))
		case !errors.Is(err, os.ErrDeadlineExceeded):
			t.cancel(errGone)
		}
	}()
}

// unwatch returns when nobody watches any more.
func (t *talk) unwatch() {
	if t.watched == nil {
		return
	}
	t.conn.SetReadDeadline(past)
	<-t.watched
	t.watched = nil
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.stopped {
		t.conn.SetReadDeadline(t.limit)
	}
}

// State implements Talk.
func (t *talk) State(s agent.State) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over || t.state == s {
		return
	}
	t.state = s
	t.lines.Put("S INFO ", string(s))
	if err := t.lines.Flush(); err != nil {
		t.cancel(errGone)
	}
}

// PIN implements Talk.
func (t *talk) PIN() ([]byte, error) {
	t.unwatch()
	pin, err := t.inquire(agent.PIN, wire.MaxAnswer)
	if errors.Is(err, wire.ErrCancelled) {
		err = &agent.Error{Code: agent.PINNeeded, Text: "no PIN was given"}
	} else if err != nil {
		t.cancel(refused(err))
	}
	t.watch()
	return pin, err
}

// inquire asks the caller and returns its answer, which whoever asks wipes.
func (t *talk) inquire(kind string, limit int) ([]byte, error) {
	if err := t.question(kind); err != nil {
		return nil, err
	}
	defer t.lines.Wipe()
	answer := make([]byte, 0, limit) // never grows, so never leaves a copy behind
	for range wire.MaxInquiryLines {
		line, err := t.lines.Read()
		if err != nil {
			clear(answer)
			return nil, err
		}
		switch verb, data := cut(line); {
		case string(verb) == wire.VerbEnd && data == nil:
			return answer, nil
		case string(verb) == wire.VerbCancel && data == nil:
			clear(answer)
			return nil, wire.ErrCancelled
		case string(verb) == wire.VerbData:
			data, err = wire.Unescape(data)
			if err == nil && len(answer)+len(data) > limit {
				err = wire.ErrTooLong
			}
			if err != nil {
				clear(answer)
				return nil, err
			}
			answer = append(answer, data...)
		default:
			clear(answer)
			return nil, wire.ErrGrammar
		}
	}
	clear(answer)
	return nil, wire.ErrTooLong
}

func (t *talk) question(kind string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return errGone
	}
	t.lines.Put("INQUIRE ", kind)
	return t.lines.Flush()
}

// cut splits a line without copying what may be secret; data is nil if there is no
// space.
func cut(line []byte) (verb, data []byte) {
	for i, b := range line {
		if b == ' ' {
			return line[:i], line[i+1:]
		}
	}
	return line, nil
}

// finish sends the reply, or why there is none. Nothing follows it.
func (t *talk) finish(reply []byte, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
	var known *agent.Error
	switch {
	case err == nil:
		t.lines.PutData(reply)
		t.lines.Put("OK")
	case errors.As(err, &known):
		t.lines.Put(errorLine(known))
	default:
		t.lines.Put(errorLine(&agent.Error{Code: agent.Internal, Text: err.Error()}))
	}
	t.lines.Flush() // who has hung up hears nothing
}

// end waits for the watcher, whose connection is to be closed.
func (t *talk) end() {
	t.stopReading()
	t.unwatch()
}

// errorLine is "ERR code tries text".
func errorLine(e *agent.Error) string {
	head := "ERR " + strconv.Itoa(int(e.Code)) + " " + strconv.Itoa(e.Tries) + " "
	return head + wire.FitText(wire.Printable(e.Text), wire.MaxLine-len(head))
}
