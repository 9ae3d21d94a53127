package ctl

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// day is what a "d" stands for where the wall clock does not matter.
const day = 24 * time.Hour

// days reads a number of days: "7d". ok is false for what is none.
func days(text string) (n int, ok bool) {
	number, ok := strings.CutSuffix(text, "d")
	u, err := strconv.ParseUint(number, 10, 16)
	return int(u), ok && err == nil
}

// span is the value of a flag that says how long something is to last, in days or
// as Go writes durations.
type span struct{ time.Duration }

// Set implements pflag.Value.
func (s *span) Set(text string) (err error) {
	if n, ok := days(text); ok {
		s.Duration = time.Duration(n) * day
	} else if s.Duration, err = time.ParseDuration(text); err != nil {
		return errors.New("not a time like 15m, 24h or 2d")
	}
	if s.Duration <= 0 {
		return errors.New("there is no time in that")
	}
	return nil
}

// String implements pflag.Value.
func (s *span) String() string {
	if s.Duration == 0 {
		return ""
	}
	return s.Duration.String()
}

// Type implements pflag.Value.
func (s *span) Type() string { return "duration" }
