package daemon

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// Limits of the log.
const (
	// logQueue is how many lines may wait for a slow reader.
	logQueue = 4096
	// logDrain is how long Close waits for them.
	logDrain = time.Second
)

// LogWriter passes lines on to a slow writer, and drops and counts what it can't
// take: a journal that nobody reads must not keep logins waiting.
type LogWriter struct {
	lines chan []byte
	done  chan struct{}
	lost  atomic.Int64
}

// NewLogWriter starts passing lines on to out.
func NewLogWriter(out io.Writer) *LogWriter {
	w := &LogWriter{lines: make(chan []byte, logQueue), done: make(chan struct{})}
	go w.pass(out)
	return w
}

// pass writes what has queued up in one go, until Close.
func (w *LogWriter) pass(out io.Writer) {
	defer close(w.done)
	var batch []byte
	for line := range w.lines {
		batch = append(batch[:0], line...)
		for n := len(w.lines); n > 0 && line != nil; n-- {
			line = <-w.lines
			batch = append(batch, line...)
		}
		if n := w.lost.Swap(0); n > 0 {
			batch = fmt.Appendf(batch, "%d lines of the log were lost\n", n)
		}
		if len(batch) > 0 {
			out.Write(batch)
		}
		if line == nil {
			return
		}
	}
}

// Write implements io.Writer; it never blocks and never fails.
func (w *LogWriter) Write(line []byte) (int, error) {
	select {
	case w.lines <- append([]byte(nil), line...):
	default:
		w.lost.Add(1)
	}
	return len(line), nil
}

// Close waits until the lines are written, but not for long.
func (w *LogWriter) Close() {
	limit := time.After(logDrain)
	select {
	case w.lines <- nil: // nil is the end
	case <-limit:
		return
	}
	select {
	case <-w.done:
	case <-limit:
	}
}
