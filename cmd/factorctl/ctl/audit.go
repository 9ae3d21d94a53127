package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/factord/factord/cmd/factorctl/record"
	"github.com/factord/factord/daemon/wire"
)

func (a *app) auditCommand() *cobra.Command {
	var user string
	var last uint64
	var refusals bool
	cmd := &cobra.Command{
		Use: "audit [--last N] [--user USER] [--refusals]", Args: noArguments,
		Long: `Shows the newest audit records, oldest first: when, verdict, user, service, from
where, by what and why, and how long it took. The chain of records is checked
first. With --json there is one object a line. Only root may do this.

Logins that were refused before any factor was asked are counted apart, by uid and
minute: --refusals. With --user these are the ones whose latest was that user's.`,
		Example: "  sudo factorctl audit --last 20\n  sudo factorctl audit --user alice --json",
	}
	cmd.Flags().Uint64Var(&last, "last", 50, "look at the newest `N` records")
	cmd.Flags().StringVar(&user, "user", "", "only those of `USER`")
	cmd.Flags().BoolVar(&refusals, "refusals", false, "what was refused before a factor was asked")
	return a.does(cmd, func(ctx context.Context, _ []string) error {
		if last == 0 {
			return usagef("--last 0 shows nothing")
		}
		if refusals {
			return a.refusals(ctx, user, last)
		}
		return a.events(ctx, user, last)
	})
}

func (a *app) events(ctx context.Context, user string, last uint64) error {
	command := wire.Command(wire.VerbAudit, "last", strconv.FormatUint(last, 10), "user", user)
	return a.stream(ctx, command, func(line []byte) error {
		e, err := decode[record.Event](line)
		if err != nil {
			return err
		}
		a.printf("%s\n", e)
		return nil
	})
}

// refusalCount are the refusals of one uid in one minute.
type refusalCount struct {
	Minute  time.Time      `json:"minute"`
	PeerUID uint32         `json:"peer_uid"`
	Count   int            `json:"count"`
	Reasons map[string]int `json:"reasons"`
	Last    record.Event   `json:"last"`
}

func (r refusalCount) String() string {
	var reasons []string
	for _, reason := range slices.Sorted(maps.Keys(r.Reasons)) {
		reasons = append(reasons, fmt.Sprintf("%s %d", text(reason), r.Reasons[reason]))
	}
	return fmt.Sprintf("%s  %d by uid %d (%s), latest: %s", r.Minute.Local().Format("2006-01-02 15:04"),
		r.Count, r.PeerUID, strings.Join(reasons, ", "), r.Last.What())
}

// refusals shows the newest of them; factord sends all.
func (a *app) refusals(ctx context.Context, user string, last uint64) error {
	type kept struct {
		line  []byte
		count refusalCount
	}
	var all []kept
	command := wire.Command(wire.VerbAudit, "refusals", "1")
	err := a.client().Call(ctx, command, nobody{}, func(line []byte) {
		if count, err := decode[refusalCount](line); err == nil && (user == "" || count.Last.User == user) {
			all = append(all, kept{slices.Clone(line), count})
		}
	})
	if err != nil {
		return err
	}
	if n := uint64(len(all)); n > last {
		all = all[n-last:]
	}
	for _, k := range all {
		if a.json {
			a.passOn(k.line)
		} else {
			a.printf("%s\n", k.count)
		}
	}
	return nil
}

// stream sends a command that answers with a document a line. The first error of
// show is the result, once all has come.
func (a *app) stream(ctx context.Context, command string, show func(line []byte) error) error {
	var failed error
	err := a.client().Call(ctx, command, nobody{}, func(line []byte) {
		switch {
		case failed != nil:
		case !json.Valid(line):
			failed = errors.New("reading factord's answer: not JSON")
		case a.json:
			a.passOn(line)
		default:
			failed = show(line)
		}
	})
	return errors.Join(err, failed)
}

// nobody is a conversation for commands that ask nothing.
type nobody struct{}

func (nobody) Info(string) {}

func (nobody) Ask(string, string) ([]byte, wire.Reply) { return nil, wire.ReplyCancel }
