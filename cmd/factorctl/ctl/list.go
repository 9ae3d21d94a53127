package ctl

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/factord/factord/daemon/wire"
)

// item is one thing that a user has enrolled.
type item struct {
	User    string            `json:"user"`
	ID      string            `json:"id"`
	Factor  string            `json:"factor"`
	Kind    string            `json:"kind"`
	Name    string            `json:"name"`
	Created time.Time         `json:"created"`
	Used    time.Time         `json:"used"`
	Detail  map[string]string `json:"detail"`
}

func (a *app) listCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list [--user USER]",
		Long: `Shows what is enrolled, never a secret: to root that of all users, or of --user;
to others their own. Times are local.`,
		Example: "  factorctl list\n  sudo factorctl list --user alice --json",
	}
	return a.named(cmd, nil, false, "of `USER`, who can be named bare too", func(ctx context.Context, _ []string, user string) error {
		return ask(ctx, a, wire.Command(wire.VerbList, "user", user), func(items []item) { a.showItems(items, user) })
	})
}

func (a *app) showItems(items []item, user string) {
	if len(items) == 0 {
		a.printf("nothing is enrolled\n")
		return
	}
	all := os.Geteuid() == 0 && user == ""
	for i := range items {
		all = all || items[i].User != items[0].User
	}
	w := tabwriter.NewWriter(a.Stdout, 0, 0, 2, ' ', 0)
	defer w.Flush()
	row := func(user string, cells ...string) {
		if all {
			cells = append([]string{user}, cells...)
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	row("USER", "ID", "KIND", "NAME", "CREATED", "LAST USED", "DETAILS")
	for _, it := range items {
		row(text(it.User), text(it.ID), text(it.Kind), text(it.Name), local(it.Created), local(it.Used), it.details(time.Now()))
	}
}

// details are what only some kinds have. A code of root's that was used does not
// expire any more.
func (it item) details(now time.Time) string {
	var words []string
	for _, key := range slices.Sorted(maps.Keys(it.Detail)) {
		value := it.Detail[key]
		at, err := time.Parse(time.RFC3339, value)
		switch {
		case err != nil:
		case key == "expires" && !it.Used.IsZero():
			words = append(words, "used")
			continue
		case key == "expires" && !now.Before(at):
			key, value = "expired", local(at)
		default:
			value = local(at)
		}
		words = append(words, text(key)+" "+text(value))
	}
	return strings.Join(words, ", ")
}

func (a *app) removeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "remove ID [--user USER]",
		Long: `Removes a factor; factorctl list shows the ids. Who is not root proves one of
their factors first, which may be the one that is removed. What a user has at Duo is
kept there, and not removed.`,
		Example: "  factorctl remove totp-1\n  sudo factorctl remove totp-1 --user alice",
	}
	return a.named(cmd, []string{"the ID"}, false, "of `USER`, who can be named bare too; yourself if left out", func(ctx context.Context, args []string, user string) error {
		a.noteRoot(user)
		return sayWhose(user, ask(ctx, a, wire.Command(wire.VerbRemove, "id", args[0], "user", user), a.showRemoved))
	})
}

// removed is what is left of a user's factors after one was removed.
type removed struct {
	Removed   string   `json:"removed"`
	User      string   `json:"user"`
	Left      int      `json:"left"`
	Elsewhere []string `json:"elsewhere"` // factors that are not kept here
}

func (a *app) showRemoved(r removed) {
	user := text(r.User)
	a.printf("removed %s of %s\n", text(r.Removed), user)
	switch {
	case r.Left > 0:
	case len(r.Elsewhere) > 0:
		a.printf("That was the last kept here; whether %s has %s is kept elsewhere. Who has none there\n"+
			"either is let in by a rule of mode \"enrolled\" without a factor, and by one of mode\n\"require\" not at all.\n", user, list(r.Elsewhere, ""))
	default:
		a.printf("That was the last. A rule of mode \"enrolled\" now lets %s in without a factor,\nand one of mode \"require\" not at all.\n", user)
	}
}
