package wire

import (
	"bytes"
	"io"
	"slices"
)

// Lines reads and writes the lines of one connection. A line ends in LF; a CR
// before it is dropped. It is not safe for concurrent use.
type Lines struct {
	rw         io.ReadWriter
	soon       func([]byte) (int, error) // reads what is expected at once
	buf        []byte                    // of lineSize, when a line is read
	start, end int
	out        []byte
}

const (
	lineSize = MaxLine + 2 // has room for one line, CR and LF
	fewBytes = 64          // and for what Await is told by one who should be silent
)

// NewLines returns the lines of rw. If rw has a method ReadSoon, Read calls that.
func NewLines(rw io.ReadWriter) *Lines {
	l := &Lines{rw: rw, soon: rw.Read}
	if s, ok := rw.(interface{ ReadSoon([]byte) (int, error) }); ok {
		l.soon = s.ReadSoon
	}
	return l
}

// Read returns the next line without its end. The bytes are valid until the
// next call. End of file in mid-line is io.ErrUnexpectedEOF.
func (l *Lines) Read() ([]byte, error) {
	for {
		pending := l.buf[l.start:l.end]
		if i := bytes.IndexByte(pending, '\n'); i >= 0 {
			l.start += i + 1
			line := bytes.TrimSuffix(pending[:i], []byte{'\r'})
			if len(line) > MaxLine {
				return nil, ErrLineTooLong
			}
			return line, nil
		}
		if len(pending) == lineSize {
			return nil, ErrLineTooLong
		}
		if few := l.buf; len(few) < lineSize {
			l.buf = append(make([]byte, 0, lineSize), few...)[:lineSize]
			clear(few)
		}
		if err := l.fill(l.soon); err != nil {
			return nil, err
		}
	}
}

// fill reads once more, after moving what is unread to the front.
func (l *Lines) fill(read func([]byte) (int, error)) error {
	if l.start > 0 {
		n := copy(l.buf, l.buf[l.start:l.end])
		clear(l.buf[n:l.end]) // it may have held a passcode
		l.start, l.end = 0, n
	}
	n, err := read(l.buf[l.end:])
	l.end += n
	switch {
	case n > 0:
		return nil
	case err == io.EOF && l.end > 0:
		return io.ErrUnexpectedEOF
	case err == nil:
		return io.ErrNoProgress
	}
	return err
}

// Await returns nil when there are bytes that Read has not returned, or the error
// that Read would return. Unlike Read it may run beside Put and Flush. It needs little
// memory: thousands may wait here.
func (l *Lines) Await() error {
	if l.Buffered() {
		return nil
	}
	if clear(l.buf); len(l.buf) != fewBytes {
		l.buf = make([]byte, fewBytes)
	}
	l.start, l.end = 0, 0
	return l.fill(l.rw.Read)
}

// Buffered reports whether bytes have been received that Read has not returned.
func (l *Lines) Buffered() bool { return l.end > l.start }

// Put appends one line to what the next Flush sends. The caller has escaped it.
func (l *Lines) Put(parts ...string) {
	for _, p := range parts {
		l.out = append(l.out, p...)
	}
	l.out = append(l.out, '\n')
}

// PutData appends p as D lines, escaped and split so that no line is too long.
func (l *Lines) PutData(p []byte) {
	// Growing in between would leave parts of a secret behind, unwiped.
	l.out = slices.Grow(l.out, 4*len(p)+16)
	for len(p) > 0 {
		l.out = append(l.out, VerbData...)
		l.out = append(l.out, ' ')
		room := MaxLine - len(VerbData) - 1
		n := 0
		for n < len(p) {
			size := 1
			if mustEscape(p[n], false) {
				size = 3
			}
			if size > room {
				break
			}
			l.out = appendEscaped(l.out, p[n], false)
			room -= size
			n++
		}
		p = p[n:]
		l.out = append(l.out, '\n')
	}
}

// Flush sends all lines put since the last Flush in one write, and wipes them.
func (l *Lines) Flush() error {
	if len(l.out) == 0 {
		return nil
	}
	_, err := l.rw.Write(l.out)
	clear(l.out)
	l.out = l.out[:0]
	return err
}

// Wipe clears what has been received and returned already.
func (l *Lines) Wipe() {
	clear(l.buf[:l.start])
	clear(l.buf[l.end:])
}
