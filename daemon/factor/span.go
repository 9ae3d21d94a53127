package factor

import (
	"fmt"
	"time"
)

// Span is a time to wait, as people are told it: "1 minute", "20 seconds". It is
// rounded up, so that nobody comes back too early.
func Span(d time.Duration) string {
	unit, name := time.Second, "second"
	switch s := (d + time.Second - 1).Truncate(time.Second); {
	case s >= 2*time.Hour:
		unit, name = time.Hour, "hour"
	case s >= 2*time.Minute || s == time.Minute:
		unit, name = time.Minute, "minute"
	}
	n := max(1, (d+unit-1)/unit)
	if n != 1 {
		name += "s"
	}
	return fmt.Sprintf("%d %s", n, name)
}
