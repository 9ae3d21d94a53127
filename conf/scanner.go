package conf

import (
	"strconv"
	"strings"
)

// scanner reads the words of TOML 1.0: https://toml.io/en/v1.0.0
type scanner struct {
	text string
	pos  int
	line int
}

func (s *scanner) end() bool { return s.pos >= len(s.text) }

// peek returns the next byte, or 0 at the end.
func (s *scanner) peek() byte {
	if s.end() {
		return 0
	}
	return s.text[s.pos]
}

func (s *scanner) next() {
	if s.end() {
		return
	}
	if s.peek() == '\n' {
		s.line++
	}
	s.pos++
}

// accept moves over word if it comes next. The word has no newline.
func (s *scanner) accept(word string) bool {
	ok := !s.end() && strings.HasPrefix(s.text[s.pos:], word)
	if ok {
		s.pos += len(word)
	}
	return ok
}

func (s *scanner) space() {
	for s.peek() == ' ' || s.peek() == '\t' {
		s.next()
	}
}

// blank moves over white space, newlines and comments.
func (s *scanner) blank() {
	for !s.end() {
		switch s.peek() {
		case ' ', '\t', '\r', '\n':
			s.next()
		case '#':
			s.skipLine()
		default:
			return
		}
	}
}

func (s *scanner) skipLine() {
	for !s.end() && s.peek() != '\n' {
		s.next()
	}
}

// bare moves over a number, a date, a boolean or a key without quotes.
func (s *scanner) bare() {
	for !s.end() && !strings.ContainsRune(",]}=#\n", rune(s.peek())) {
		s.next()
	}
}

// dotted reads a key; its parts may be quoted and have spaces around their dots.
func (s *scanner) dotted() []string {
	var keys []string
	for {
		s.space()
		start := s.pos
		if c := s.peek(); c == '"' || c == '\'' {
			s.quoted()
			keys = append(keys, unquote(s.text[start:s.pos]))
		} else {
			for !s.end() && !strings.ContainsRune(" \t\r\n.=]#,}", rune(s.peek())) {
				s.next()
			}
			keys = append(keys, s.text[start:s.pos])
		}
		s.space()
		if !s.accept(".") {
			return keys
		}
	}
}

// unquote returns what a quoted key says. One with an escape that Go does not have stays as it is written.
func unquote(key string) string {
	if key[0] == '\'' {
		return strings.Trim(key, "'")
	}
	if text, err := strconv.Unquote(key); err == nil {
		return text
	}
	return key
}

// quoted moves over a string of any of the four kinds.
func (s *scanner) quoted() {
	quote := s.text[s.pos : s.pos+1]
	if s.accept(strings.Repeat(quote, 3)) {
		s.multiline(quote)
		return
	}
	s.next()
	for !s.end() && s.peek() != '\n' {
		switch c := s.peek(); {
		case c == quote[0]:
			s.next()
			return
		case c == '\\' && quote == `"`:
			s.next()
		}
		s.next()
	}
}

// multiline moves to the end of a string of several lines, which may have up to two quotes before the closing three.
func (s *scanner) multiline(quote string) {
	for !s.end() {
		if s.accept(strings.Repeat(quote, 3)) {
			for range 2 {
				s.accept(quote)
			}
			return
		}
		if s.peek() == '\\' && quote == `"` {
			s.next()
		}
		s.next()
	}
}
