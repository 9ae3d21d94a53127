package ykval

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of what a server can get into a log, in bytes.
const (
	maxError  = 300
	maxQuoted = 40
)

// briefError is an error of the network that fits into a line of a log: in the texts
// of net/http and crypto/tls stands what was sent, as it is and before anybody vouches
// for it.
type briefError struct {
	text string
	err  error
}

func (e *briefError) Error() string { return e.text }
func (e *briefError) Unwrap() error { return e.err }

func brief(err error) error { return &briefError{printable(err.Error()), err} }

// printable cuts a text, and makes spaces of what has no place in a line.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, text[:min(len(text), maxError)])
	return strings.TrimRight(text, " ")
}

// quoted is the beginning of what a server said.
func quoted(text string) string { return fmt.Sprintf("%q", text[:min(len(text), maxQuoted)]) }
