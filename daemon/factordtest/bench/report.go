package main

import (
	"errors"
	"fmt"
	"time"
)

// report prints results and remembers which promise failed.
type report struct{ failed int }

func (r *report) section(title string) { fmt.Printf("\n%s\n", title) }

func (r *report) time(name string, d time.Duration) {
	fmt.Printf("  %-52s %10.3f ms\n", name, milliseconds(d))
}

func (r *report) rate(name string, perSecond float64) {
	fmt.Printf("  %-52s %10.0f /s\n", name, perSecond)
}

// against prints a time and how many times another one it is.
func (r *report) against(name string, d, other time.Duration) {
	fmt.Printf("  %-52s %10.3f ms   %5.2f\n", name, milliseconds(d), float64(d)/float64(other))
}

// ratio prints a ratio nothing is promised of.
func (r *report) ratio(name string, got float64) {
	fmt.Printf("  %-52s %10.2f\n", name, got)
}

// cpu prints processor time, by whose it is.
func (r *report) cpu(name string, c cpu) {
	fmt.Printf("  %-52s %10.3f ms   %.3f + %.3f + %.3f + %.3f\n", name, milliseconds(c.all()),
		milliseconds(c.programs), milliseconds(c.starting), milliseconds(c.factord), milliseconds(c.duo))
}

func milliseconds(d time.Duration) float64 { return float64(d) / 1e6 }

// due checks that every outcome of a sample was the one it was measured for.
func (r *report) due(name string, s *sample) {
	if s.errors > 0 {
		r.atMost("outcomes that were not due, "+name+": "+s.first.Error(), float64(s.errors), 0)
	}
}

// atMost checks a ratio against its promise.
func (r *report) atMost(name string, got, limit float64) {
	r.promise(name, got, "at most", limit, got <= limit)
}

// atLeast checks a ratio against its promise.
func (r *report) atLeast(name string, got, limit float64) {
	r.promise(name, got, "at least", limit, got >= limit)
}

func (r *report) promise(name string, got float64, word string, limit float64, kept bool) {
	mark := "ok"
	if !kept {
		mark = "MISSED"
		r.failed++
	}
	fmt.Printf("  %-52s %10.2f    %s %.2f: %s\n", name, got, word, limit, mark)
}

func (r *report) end() error {
	if r.failed > 0 {
		return errors.New("a promise was missed; on a noisy machine, run it again before believing it")
	}
	return nil
}
