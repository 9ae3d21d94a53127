package ctl

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/factord/factord/daemon/wire"
)

// ask sends a command that answers with one JSON document. With --json the
// document is printed as it is; otherwise it is read into reply, and show
// prints that.
func ask[T any](ctx context.Context, a *app, command string, show func(reply T)) error {
	d := a.dialog(ctx)
	defer d.Close()
	document, err := a.client().Document(ctx, command, d)
	if err != nil {
		return blame(d, err)
	}
	return tell(a, document, show)
}

// tell prints the document that a command was answered with.
func tell[T any](a *app, document []byte, show func(reply T)) error {
	if a.json {
		a.passOn(document)
		return nil
	}
	reply, err := decode[T](document)
	if err != nil {
		return err
	}
	show(reply)
	return nil
}

// passOn prints a JSON document of factord. Printable leaves it one, since
// control characters stand in JSON only where they are allowed to be anything.
func (a *app) passOn(document []byte) { fmt.Fprintln(a.Stdout, wire.Printable(string(document))) }

// decode reads a document. Unknown members are ignored: a newer factord may say
// more.
func decode[T any](document []byte) (reply T, err error) {
	if err := json.Unmarshal(document, &reply); err != nil {
		return reply, fmt.Errorf("reading factord's answer: %w\nhint: are factord and factorctl of one version?", err)
	}
	return reply, nil
}

// printf prints to standard output; what comes from the wire is made printable
// by text, or is quoted.
func (a *app) printf(format string, args ...any) { fmt.Fprintf(a.Stdout, format, args...) }

func text(s string) string { return wire.Printable(s) }

// local is a moment as it is read on this machine; the zero of either kind is none.
func local(t time.Time) string {
	if t.Unix() <= 0 {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05")
}
