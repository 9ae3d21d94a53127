package wire

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const hexDigits = "0123456789ABCDEF"

// mustEscape reports whether c has to be escaped in data, or in a value, where
// spaces separate and control characters would be refused anyway.
func mustEscape(c byte, value bool) bool {
	if c == '%' || c == '\r' || c == '\n' {
		return true
	}
	return value && (c <= ' ' || c == 0x7f)
}

func appendEscaped(dst []byte, c byte, value bool) []byte {
	if mustEscape(c, value) {
		return append(dst, '%', hexDigits[c>>4], hexDigits[c&15])
	}
	return append(dst, c)
}

// Escape returns s as a value: percent, space and control characters escaped.
func Escape(s string) string {
	i := 0
	for i < len(s) && !mustEscape(s[i], true) {
		i++
	}
	if i == len(s) {
		return s
	}
	out := append(make([]byte, 0, len(s)+8), s[:i]...)
	for ; i < len(s); i++ {
		out = appendEscaped(out, s[i], true)
	}
	return string(out)
}

// EscapeText returns s as the text at the end of a line: only percent and
// control characters are escaped, and a final space, which some readers trim.
func EscapeText(s string) string {
	out := make([]byte, 0, len(s)+4)
	for i := 0; i < len(s); i++ {
		last := i == len(s)-1 && s[i] == ' '
		control := s[i] < ' ' || s[i] == 0x7f
		out = appendEscaped(out, s[i], last || control)
	}
	return string(out)
}

// FitText is EscapeText of as much of s as fits into size bytes. What is cut away,
// between characters, is in the middle: a question keeps its end.
func FitText(s string, size int) string {
	const tail, mark = 80, "…"
	whole := EscapeText(s)
	if len(whole) <= size {
		return whole
	}
	end := max(0, len(s)-tail)
	for end < len(s) && !utf8.RuneStart(s[end]) {
		end++
	}
	last, used, kept := mark+EscapeText(s[end:]), 0, 0
	for i := 0; i < end; {
		_, n := utf8.DecodeRuneInString(s[i:])
		if used += len(EscapeText(s[i : i+n])); used+len(last) > size {
			break
		}
		i += n
		kept = i
	}
	return EscapeText(s[:kept]) + last
}

// Unescape decodes percent escapes in place and returns the shorter slice.
func Unescape(p []byte) ([]byte, error) {
	n := 0
	for i := 0; i < len(p); i++ {
		c := p[i]
		if c == '%' {
			if i+2 >= len(p) {
				return nil, ErrEscape
			}
			hi, ok1 := unhex(p[i+1])
			lo, ok2 := unhex(p[i+2])
			if !ok1 || !ok2 {
				return nil, ErrEscape
			}
			c = hi<<4 | lo
			i += 2
		}
		p[n] = c
		n++
	}
	return p[:n], nil
}

func unhex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}

// UnescapeValue decodes one value, which must be UTF-8 without control
// characters.
func UnescapeValue(s string) (string, error) {
	p, err := Unescape([]byte(s))
	if err != nil {
		return "", err
	}
	v := string(p)
	if !utf8.ValidString(v) {
		return "", ErrEncoding
	}
	if strings.IndexFunc(v, unicode.IsControl) >= 0 {
		return "", ErrControl
	}
	return v, nil
}

// Printable returns s as it may be shown on a terminal: control characters and
// what is not UTF-8 become '?'. Direction overrides and other invisible format
// characters go too, since they can make one text look like another.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
			return '?'
		}
		return r
	}, s)
}
