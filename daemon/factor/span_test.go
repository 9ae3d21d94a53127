package factor

import (
	"testing"
	"time"
)

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "1 second", time.Millisecond: "1 second", time.Second: "1 second", time.Second + 1: "2 seconds", 20 * time.Second: "20 seconds",
		time.Minute - 1: "1 minute", time.Minute: "1 minute", time.Minute + 1: "61 seconds", 119 * time.Second: "119 seconds",
		2 * time.Minute: "2 minutes", 2*time.Minute + 1: "3 minutes", 7 * time.Minute: "7 minutes", 6*time.Minute + time.Second: "7 minutes",
		time.Hour: "60 minutes", 2 * time.Hour: "2 hours", 25*time.Hour + 1: "26 hours", -time.Second: "1 second",
	} {
		if got := Span(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}
