package session

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestLogTextIsShortAndWhole(t *testing.T) {
	for _, text := range []string{"", "short", strings.Repeat("x", maxLog)} {
		if got := logText(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
	for n := range 4 { // wherever the characters end
		text := strings.Repeat("x", n) + strings.Repeat("€", maxLog)
		got := logText(text)
		if len(got) > maxLog || len(got) < maxLog-4 || !utf8.ValidString(got) || !strings.HasPrefix(text, strings.TrimSuffix(got, "…")) {
			t.Errorf("%d bytes, %q", len(got), got[max(0, len(got)-9):])
		}
	}
	if got := logText(strings.Repeat("\x80", 2*maxLog)); len(got) > maxLog {
		t.Errorf("%d bytes that are no characters", len(got))
	}
}
