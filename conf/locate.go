package conf

import (
	"fmt"
	"strconv"
)

// maxDepth is how many keys and places in arrays may lead to a value. The TOML parser takes memory that grows with the
// square of it: 300 kB of nested tables are enough to exhaust a machine.
const maxDepth = 16

// path names a value: the keys that lead to it, with the place in an array (from 0) as in rule[2].services.
type path string

func (p path) key(name string) path {
	if p != "" {
		p += "."
	}
	for _, r := range name {
		if r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
			return p + path(strconv.Quote(name))
		}
	}
	return p + path(name)
}

func (p path) index(n int) path { return p + path("["+strconv.Itoa(n)+"]") }

// lines holds the line of every key and array element, counted from 1. The decoder tells no lines, so the text is read a
// second time for them. That reading trusts the text to be TOML: of what is not it may say anything, but it ends.
type lines map[path]int

// at returns the line of the first path that has one, or 0.
func (l lines) at(paths ...path) int {
	for _, p := range paths {
		if n := l[p]; n != 0 {
			return n
		}
	}
	return 0
}

func (l lines) add(p path, line int) {
	if l[p] == 0 {
		l[p] = line
	}
}

// locator goes through the statements of a file.
type locator struct {
	scanner
	lines  lines
	arrays map[path]int // how many [[path]] there were so far
	table  path         // of the last header
	deep   int          // line on which a limit was crossed
	open   int          // line on which the first list begins that has no end
}

// locate reports an error only for a text that is not to be given to the parser.
func locate(data []byte) (lines, *Error) {
	l := &locator{scanner: scanner{text: string(data), line: 1}, lines: make(lines), arrays: make(map[path]int)}
	l.read()
	if l.deep != 0 {
		return nil, &Error{Line: l.deep, What: fmt.Sprintf("nested deeper than %d levels", maxDepth)}
	}
	return l.lines, nil
}

// unclosed returns the line on which a list begins that has no end, 0 if there is
// none. It is for a text that is not TOML.
func unclosed(data []byte) int {
	l := &locator{scanner: scanner{text: string(data), line: 1}, lines: make(lines), arrays: make(map[path]int)}
	l.read()
	return l.open
}

func (l *locator) read() {
	l.accept("\ufeff")
	for l.blank(); !l.end(); l.blank() {
		if l.peek() == '[' {
			l.header()
		} else {
			l.pair(l.table, 0)
		}
		l.skipLine()
		if l.deep != 0 {
			return
		}
	}
}

// header reads [a.b] or [[a.b]]. A name that is an array of tables stands for its last element.
func (l *locator) header() {
	line := l.line
	l.accept("[")
	array := l.accept("[")
	keys := l.dotted()
	if len(keys) > maxDepth {
		l.deep = line
		return
	}
	l.table = ""
	for i, k := range keys {
		l.table = l.table.key(k)
		l.lines.add(l.table, line)
		if array && i == len(keys)-1 {
			l.arrays[l.table]++
		}
		if n := l.arrays[l.table]; n > 0 {
			l.table = l.table.index(n - 1)
			l.lines.add(l.table, line)
		}
	}
}

// pair reads key = value, where key may be dotted.
func (l *locator) pair(in path, depth int) {
	line := l.line
	keys := l.dotted()
	if depth+len(keys) > maxDepth {
		l.deep = line
		return
	}
	for _, k := range keys {
		in = in.key(k)
		l.lines.add(in, line)
	}
	l.space()
	if l.accept("=") {
		l.space()
		l.value(in, depth+len(keys))
	}
}

func (l *locator) value(p path, depth int) {
	if depth > maxDepth {
		l.deep = l.line
		return
	}
	switch l.peek() {
	case '"', '\'':
		l.quoted()
	case '[':
		l.list(']', func(n int) {
			l.lines.add(p.index(n), l.line)
			l.value(p.index(n), depth+1)
		})
	case '{':
		l.list('}', func(int) { l.pair(p, depth+1) })
	default:
		l.bare()
	}
}

// list reads what stands between brackets, one element at a time.
func (l *locator) list(closing byte, element func(n int)) {
	begins := l.line
	l.next()
	for n := 0; l.deep == 0; n++ {
		l.blank()
		if l.end() {
			l.left(begins)
			return
		}
		if l.peek() == closing {
			l.next()
			return
		}
		start := l.pos
		element(n)
		l.blank()
		if !l.accept(",") && l.peek() != closing || l.pos == start {
			l.left(begins) // not TOML
			return
		}
	}
}

// left notes a list whose end was not found.
func (l *locator) left(line int) {
	if l.open == 0 {
		l.open = line
	}
}
