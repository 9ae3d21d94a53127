package audit

import (
	"context"
	"log/slog"
	"time"

	"github.com/factord/factord/daemon/store"
)

// text writes records as lines of factord's log, where there is no journal.
type text struct{ log slog.Handler }

// put implements sink; factord's log neither fails nor hangs.
func (t text) put(r store.Record, _ time.Time) error {
	e := r.Event
	message := e.Kind
	if message == KindRefused {
		message = "verdict"
	}
	line := slog.NewRecord(e.Time.Local(), slog.LevelInfo, message, 0)
	for _, field := range [...]struct{ key, value string }{
		{"verdict", e.Verdict}, {"user", e.User}, {"service", e.Service}, {"rhost", e.RHost}, {"phase", e.Phase}, {"basis", e.Basis},
		{"reason", e.Reason}, {"rule", e.Rule}, {"factor", e.Factor}, {"id", change(e, e.ID)}, {"why", e.Log},
	} {
		if field.value != "" {
			line.AddAttrs(slog.String(field.key, field.value))
		}
	}
	if isAttempt(e) {
		line.AddAttrs(slog.Int64("us", e.Micros))
	} else {
		line.AddAttrs(slog.Uint64("peer_uid", uint64(e.PeerUID)))
	}
	return t.log.Handle(context.Background(), line)
}

func (text) close() {}

// change is s if e changes what somebody has.
func change(e store.Event, s string) string {
	if isAttempt(e) {
		return ""
	}
	return s
}

// isAttempt reports whether e is of a login, and not of a change to factors.
func isAttempt(e store.Event) bool {
	return e.Kind == "verdict" || e.Kind == "answer" || e.Kind == "sent" || e.Kind == KindRefused
}
