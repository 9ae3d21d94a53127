package conf

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Error is one thing that is wrong with a configuration. Several are joined, in the order of their lines.
type Error struct {
	File string
	Line int    // 0: none can be named
	Key  string // as it stands in its table
	What string
	Hint string // what to write instead, if that can be said
}

// Error returns "file:line: key: what", and a hint on a line of its own.
func (e *Error) Error() string {
	text := place(e.File, e.Line) + ": "
	if e.Key != "" {
		text += printable(e.Key) + ": "
	}
	text += printable(e.What)
	if e.Hint != "" {
		text += "\nhint: " + e.Hint
	}
	return text
}

func place(file string, line int) string {
	if line == 0 {
		return file
	}
	return fmt.Sprintf("%s:%d", file, line)
}

// printable keeps keys, which may hold any character, from driving the terminal that an error is shown on.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}

// report collects what is found while a configuration is read.
type report struct {
	file     string
	lines    lines
	errors   []*Error
	warnings []string
}

func (r *report) fail(line int, key, hint, what string) {
	r.errors = append(r.errors, &Error{File: r.file, Line: line, Key: key, What: what, Hint: hint})
}

func (r *report) warn(line int, format string, args ...any) {
	r.warnings = append(r.warnings, place(r.file, line)+": "+fmt.Sprintf(format, args...))
}

func (r *report) err() error {
	slices.SortStableFunc(r.errors, func(a, b *Error) int { return a.Line - b.Line })
	var all []error
	for _, e := range r.errors {
		all = append(all, e)
	}
	return errors.Join(all...)
}

// Summary is what a configuration without errors comes to.
func (c *Config) Summary() string {
	switch n := len(c.Rules); n {
	case 0:
		return "no error, and nobody can log in"
	case 1:
		return "ok, 1 rule"
	default:
		return fmt.Sprintf("ok, %d rules", n)
	}
}
