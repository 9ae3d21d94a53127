package ctl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/factord/factord/cmd/factorctl/client"
	"github.com/factord/factord/cmd/factorctl/record"
	"github.com/factord/factord/daemon/wire"
)

// auditQuery is which records are wanted.
type auditQuery struct {
	user, service, verdict, kind, since string
	last                                uint64
	refusals, follow                    bool
	file                                string
}

const auditHelp = `Shows the newest audit records, oldest first: when, verdict, user, service, from
where, by what and why, and how long it took. With --json there is one object a
line, as it stands in the chain. Only root may do this.

"wrong" is an answer that did not end its login; "sent" is one that had passcodes sent,
by SMS say, which is no fault. "allow" names the factor that was
shown, or, without one, its basis: remembered (shown not long ago, on the same
terms), exempt (the rule asks for none), not-enrolled (the user has none, and the
rule lets such users in), audit (a rule of mode "audit" would have refused, for the
reason named) or unavailable (the factor's service was away, and the rule allows
it). "deny" and "wrong" name the reason: among them denied (a wrong code), replayed
(one that was used already), attempts (three wrong answers), rate-limited and locked
(too many in a row: a wait), and unavailable (nobody could say). A login through
PAM may have a second record, of its account phase. "enroll", "import" and "remove"
name the id and the name of what came or went, and of a YubiKey the public id.

The chain of records is checked each time. When it is broken the records are shown
all the same, the first bad one is named, and the exit status is 1.

All of --user, --service, --verdict, --kind and --since must hold for a record that
is shown; --last counts those. TIME is a time of RFC 3339 or as it is shown here, a
day, or how long ago: 90m, 12h, 7d.

--follow goes on with new records until it is interrupted; it asks once a second,
so factord does not exit for want of work meanwhile. It outlives a restart of
factord without losing or repeating a record. Of a restore it says that the chain was
replaced, and goes on with its record.

Logins that were refused before any factor was asked are counted apart, by uid and
minute, with the first 16 names asked for: --refusals. PAM asks as uid 0. With --user
these are the minutes that name that user; --service looks at the latest alone.

--verify-file checks the chain of a copy, the file of [audit] file say, without
factord and as any user; "-" reads standard input. It may begin anywhere.`

func (a *app) auditCommand() *cobra.Command {
	var q auditQuery
	cmd := &cobra.Command{
		Use: "audit [--last N] [--since TIME] [--user USER] [--follow] [--refusals]", Args: noArguments,
		Long: auditHelp,
		Example: "  sudo factorctl audit --last 20\n  sudo factorctl audit --user alice --verdict deny --since 7d\n" +
			"  sudo factorctl audit --follow\n  zcat audit.jsonl.2.gz | factorctl audit --verify-file -",
	}
	flags := cmd.Flags()
	flags.Uint64Var(&q.last, "last", 50, "show the newest `N` of them; with --since all")
	flags.StringVar(&q.since, "since", "", "only those from `TIME` on")
	flags.StringVar(&q.user, "user", "", "only those of `USER`")
	flags.StringVar(&q.service, "service", "", "only those of `SERVICE`")
	flags.StringVar(&q.verdict, "verdict", "", "only this `VERDICT`: allow, deny or wrong")
	flags.StringVar(&q.kind, "kind", "", "only this `KIND`: "+strings.Join(auditKinds(), ", "))
	flags.BoolVar(&q.follow, "follow", false, "go on with new records")
	flags.BoolVar(&q.refusals, "refusals", false, "what was refused before a factor was asked")
	flags.StringVar(&q.file, "verify-file", "", "check the chain of a copy, in `FILE`")
	return a.does(cmd, func(ctx context.Context, _ []string) error {
		if err := q.check(flags.Changed("last")); err != nil {
			return err
		}
		switch {
		case q.file != "":
			return a.verifyFile(q.file)
		case q.refusals:
			return a.refusals(ctx, q)
		case q.follow:
			return a.follow(ctx, q)
		}
		return a.events(ctx, q)
	})
}

// auditKinds are the kinds of records; "answer" is a wrong one that did not end its
// login.
func auditKinds() []string {
	return []string{"verdict", "answer", "sent", "enroll", "remove", "unlock", "bypass", "invite", "forget", "resync", "import", "restore", "rekey"}
}

// check makes what was typed into what factord is asked.
func (q *auditQuery) check(lastGiven bool) error {
	if q.last == 0 {
		return usagef("--last 0 shows nothing")
	}
	if q.verdict != "" && q.verdict != "allow" && q.verdict != "deny" && q.verdict != "wrong" {
		return usagef("--verdict is allow, deny or wrong, not %q", q.verdict)
	}
	if q.kind != "" && !slices.Contains(auditKinds(), q.kind) {
		return usagef("--kind is one of %s, not %q", strings.Join(auditKinds(), ", "), q.kind)
	}
	if q.follow && q.refusals {
		return usagef("--follow does not go with --refusals")
	}
	if !lastGiven && (q.since != "" || q.refusals) {
		q.last = 0 // all
	}
	if q.since != "" {
		since, err := parseSince(q.since, time.Now())
		if err != nil {
			return err
		}
		q.since = since.UTC().Format(time.RFC3339Nano)
	}
	return nil
}

// parseSince reads a moment, or how long before now it was.
func parseSince(text string, now time.Time) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	if n, ok := days(text); ok {
		return now.AddDate(0, 0, -n), nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return time.Time{}, usagef("--since %q: no time\nhint: 2026-01-31, \"2026-01-31 15:04\", 2026-01-31T15:04:05Z, or ago: 90m, 12h, 7d", text)
	}
	return now.Add(-d), nil
}

// command is the query on the wire, with more keys and values.
func (q *auditQuery) command(more ...string) string {
	last := ""
	if q.last > 0 {
		last = strconv.FormatUint(q.last, 10)
	}
	return wire.Command(wire.VerbAudit, append([]string{"last", last, "user", q.user, "service", q.service,
		"verdict", q.verdict, "kind", q.kind, "since", q.since}, more...)...)
}

// events shows what there is. A broken chain is told after the records.
func (a *app) events(ctx context.Context, q auditQuery) error {
	var failed error
	shown := 0
	err := a.client().Call(ctx, q.command(), client.Nobody{}, func(line []byte) {
		shown++
		if failed == nil {
			_, failed = a.showEvent(line)
		}
	})
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	if shown == 0 {
		a.none("records", q)
	}
	if !a.json {
		a.mentionRefusals(ctx, q.user)
	}
	return nil
}

// showEvent prints one record and returns it.
func (a *app) showEvent(line []byte) (record.Event, error) {
	e, err := decode[record.Event](line)
	switch {
	case err != nil:
	case a.json:
		a.passOn(line)
	default:
		a.printf("%s\n", e)
	}
	return e, err
}

// mentionRefusals says that there is more than audit shows: who looks for a login
// that was refused too early does not know where else to look.
func (a *app) mentionRefusals(ctx context.Context, user string) {
	count := 0
	command := wire.Command(wire.VerbAudit, "refusals", "1", "user", user, "since", time.Now().Add(-time.Hour).UTC().Format(time.RFC3339))
	err := a.client().Call(ctx, command, client.Nobody{}, func(line []byte) {
		if r, err := decode[refusalCount](line); err == nil {
			count += r.of(user)
		}
	})
	if err != nil || count == 0 {
		return
	}
	of := ""
	if user != "" {
		of = " --user " + text(user)
	}
	fmt.Fprintf(a.Stderr, "%d refusals before any factor in the last hour: factorctl audit --refusals%s\n", count, of)
}
