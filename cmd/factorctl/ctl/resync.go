package ctl

import (
	"context"
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/factord/factord/daemon/wire"
)

func (a *app) resyncCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "resync ID [--user USER]",
		Long: `Finds an HOTP token again whose codes are refused because it is too far ahead: it
was pressed many times for nothing, or a backup of factord was restored. Let the token
make two codes, and type both in their order; neither can be used to log in any more.
Give only codes that it shows now, never ones from before: after a restored backup the
codes behind those could be used a second time. There are three tries. factorctl list
shows the ids. A YubiKey that is verified here needs it after a restored backup alone:
touch it twice, without pulling it out in between.

Who is not root proves another factor first: a phone, or a backup code. Who has nothing
else asks root. A TOTP token is not resynced: it learns by itself how far the phone's
clock is off, and what is beyond that is for the clocks to mend.

Answers are asked for on the terminal, or, when standard input is none, read from
there, one a line.`,
		Example: "  factorctl resync hotp-1\n  sudo factorctl resync hotp-1 --user alice\n  printf '%s\\n' 755224 287082 | sudo factorctl resync hotp-1 --user alice --json",
	}
	return a.named(cmd, []string{"the ID"}, false, "of `USER`, who can be named bare too; yourself if left out", func(ctx context.Context, args []string, user string) error {
		a.noteRoot(user)
		return ask(ctx, a, wire.Command(wire.VerbResync, "id", args[0], "user", user), func(r struct {
			ID      string      `json:"id"`
			User    string      `json:"user"`
			Counter json.Number `json:"counter"`
		}) {
			a.printf("%s of %s is found again", text(r.ID), text(r.User))
			if r.Counter != "" {
				a.printf(": its next code is that of counter %s", text(r.Counter.String()))
			}
			a.printf("\n")
		})
	})
}
