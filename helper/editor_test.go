package helper

import (
	"strings"
	"testing"

	"github.com/factord/factord/daemon/wire"
)

func TestEditor(t *testing.T) {
	tests := []struct {
		keys, answer, shown string
		event               event
	}{
		{"123456\r", "123456", "123456", eventEnter},
		{"123456\nrest", "123456", "123456", eventEnter},
		{"\r", "", "", eventEnter},
		{"12\x7f3\r", "13", "12" + rubout + "3", eventEnter},
		{"12\b\b\b3\r", "3", "12" + rubout + rubout + "3", eventEnter},
		{"12\x153\r", "3", "12" + rubout + rubout + "3", eventEnter},
		{"é\x7fß\r", "ß", "é" + rubout + "ß", eventEnter},
		{"a\xff\x7fb\r", "ab", "ab", eventEnter},
		{"12\x03", "", "12", eventCancel},
		{"\x04", "", "", eventCancel},
		{"1\x04\r", "1", "1", eventEnter},
		{"1\x7f\x04", "", "1" + rubout, eventCancel},
		{"1\x00\x01\x11\x1a2\r", "12", "12", eventEnter},
		{"1\x1b[A2\x1bOP3\x1b[1;5C4\r", "1234", "1234", eventEnter},
		{"1\x1b2\r", "12", "12", eventEnter},
		{"1\x1b[\r", "1", "1", eventEnter},
		{"1\x1b[\x03", "", "1", eventCancel},
		{"\u202e1\r", "\u202e1", "1", eventEnter},
		{strings.Repeat("x", wire.MaxAnswer+2) + "\r", strings.Repeat("x", wire.MaxAnswer), strings.Repeat("x", wire.MaxAnswer) + "\a\a", eventEnter},
	}
	for _, tt := range tests {
		for _, echo := range []bool{true, false} {
			e := editor{echo: echo}
			got, shown := typeAll(&e, tt.keys)
			want := tt.shown
			if !echo {
				want = strings.Repeat("\a", strings.Count(tt.shown, "\a"))
			}
			if got != tt.event || string(e.answer()) != tt.answer || shown != want {
				t.Errorf("%q: event %d, answer %q, shown %q", tt.keys, got, e.answer(), shown)
			}
			if tail := e.text[e.n:]; strings.Trim(string(tail), "\x00") != "" {
				t.Errorf("%q: %q is left behind the answer", tt.keys, tail)
			}
		}
	}
}

func typeAll(e *editor, keys string) (event, string) {
	shown := ""
	for i := 0; i < len(keys); i++ {
		ev, s := e.key(keys[i])
		shown += s
		if ev != eventNone {
			return ev, shown
		}
	}
	return eventNone, shown
}

func FuzzEditor(f *testing.F) {
	f.Add("12\x7f\x15\x1b[A3\r", true)
	f.Fuzz(func(t *testing.T, keys string, echo bool) {
		e := editor{echo: echo}
		ev, shown := typeAll(&e, keys)
		if ev == eventCancel && e.n != 0 {
			t.Errorf("%q: cancelled with %q", keys, e.answer())
		}
		if !echo && strings.Trim(shown, "\a") != "" {
			t.Errorf("%q: shown %q", keys, shown)
		}
		if rest := strings.NewReplacer(rubout, "", "\a", "").Replace(shown); wire.Printable(rest) != rest {
			t.Errorf("%q: unprintable %q", keys, rest)
		}
	})
}
