package helper

import (
	"unicode/utf8"

	"github.com/factord/factord/daemon/wire"
)

// editor collects one answer from the bytes that keys send. It does no I/O.
type editor struct {
	echo   bool // show what is typed
	text   [wire.MaxAnswer]byte
	n      int
	escape escape
}

// escape is how far into an escape sequence (an arrow key, say) the input is.
// Such a sequence is dropped whole.
type escape uint8

const (
	escapeNone escape = iota
	escapeStart
	escapeBody
)

// event is what one byte led to.
type event uint8

const (
	eventNone event = iota
	eventEnter
	eventCancel
)

const rubout = "\b \b"

// key takes one byte, and returns what to show for it.
func (e *editor) key(c byte) (event, string) {
	if e.inEscape(c) {
		return eventNone, ""
	}
	switch {
	case c == '\r' || c == '\n':
		return eventEnter, ""
	case c == keyInterrupt, c == keyEOF && e.n == 0:
		e.wipe()
		return eventCancel, ""
	case c == keyBackspace || c == keyDelete:
		return eventNone, e.erase()
	case c == keyKill:
		shown := ""
		for e.n > 0 {
			shown += e.erase()
		}
		return eventNone, shown
	case c < ' ':
		return eventNone, ""
	case e.n == len(e.text):
		return eventNone, "\a"
	}
	e.text[e.n] = c
	e.n++
	return eventNone, e.shown()
}

// inEscape reports whether c belongs to an escape sequence (ECMA-48: ESC, then
// [ or O, then a final byte from @ to ~).
func (e *editor) inEscape(c byte) bool {
	switch {
	case c == keyEscape:
		e.escape = escapeStart
		return true
	case c < ' ': // no sequence has one; Enter and Ctrl-C must always work
		e.escape = escapeNone
	case e.escape == escapeStart && (c == '[' || c == 'O'):
		e.escape = escapeBody
		return true
	case e.escape == escapeBody:
		if c >= '@' && c <= '~' {
			e.escape = escapeNone
		}
		return true
	default:
		e.escape = escapeNone
	}
	return false
}

// last is the length of the last character: a byte that is no part of UTF-8
// counts as one.
func (e *editor) last() int {
	_, size := utf8.DecodeLastRune(e.text[:e.n])
	return size
}

// shown is the last character if it is to be seen.
func (e *editor) shown() string {
	if !e.echo {
		return ""
	}
	char := string(e.text[e.n-e.last() : e.n])
	if wire.Printable(char) != char {
		return ""
	}
	return char
}

// erase removes the last character, and returns what removes it on the screen.
func (e *editor) erase() string {
	if e.n == 0 {
		return ""
	}
	seen := e.shown() != ""
	size := e.last()
	clear(e.text[e.n-size : e.n])
	e.n -= size
	if seen {
		return rubout
	}
	return ""
}

func (e *editor) answer() []byte { return e.text[:e.n] }

func (e *editor) wipe() {
	clear(e.text[:])
	e.n = 0
}
