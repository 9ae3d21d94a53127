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
	fmt.Printf("  %-52s %10.3f ms\n", name, float64(d)/1e6)
}

func (r *report) rate(name string, perSecond float64) {
	fmt.Printf("  %-52s %10.0f /s\n", name, perSecond)
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
