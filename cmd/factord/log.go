package main

import (
	"log/slog"
	"os"
)

// shorten leaves the time to the journal when there is one, and drops what is
// empty.
func shorten(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey && os.Getenv("JOURNAL_STREAM") != "" || a.Value.Kind() == slog.KindString && a.Value.String() == "" {
		return slog.Attr{}
	}
	return a
}
