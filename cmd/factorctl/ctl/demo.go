package ctl

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/factord/factord/cmd/factorctl/demo"
)

func (a *app) demoCommand() *cobra.Command {
	return a.does(&cobra.Command{
		Use: "demo", Args: noArguments,
		Long: `Shows factord at work without touching this machine: it starts the factord beside
this program in a private folder, enrols a token for you (scan it, if you like), and
logs in with right, repeated and wrong codes through the real factor-helper. For each
login it shows the verdict, the audit record and the time. Any user can run it.

Exit status 0 says that every verdict was the right one.`,
		Example: "  factorctl demo\n  factorctl demo --json </dev/null",
	}, func(ctx context.Context, _ []string) error {
		d := a.dialog(ctx)
		defer d.Close()
		return demo.Run(ctx, demo.Config{Out: a.Stdout, Dialog: d, JSON: a.json})
	})
}
