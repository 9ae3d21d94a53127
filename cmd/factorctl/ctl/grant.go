package ctl

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/factord/factord/daemon/wire"
)

// granted is a code that root gives to somebody.
type granted struct {
	User    string    `json:"user"`
	Code    string    `json:"code"`
	Expires time.Time `json:"expires"`
	Has     []string  `json:"has"` // of factors
}

func (a *app) inviteCommand() *cobra.Command {
	return a.grant(&cobra.Command{
		Use: "invite USER [--for DURATION]",
		Long: `Makes a code with which a user can enrol a first factor, once. It is not a factor:
nobody gets in with it. Tell it to the user in a way that you trust; factorctl
enroll asks for it. Who has a factor is asked for that instead: of somebody who has
lost them all, remove each record first. Only root may do this.`,
		Example: "  sudo factorctl invite alice\n  sudo factorctl invite alice --for 3d",
	}, wire.VerbInvite, "24h", func(g granted) {
		a.printf("Invitation for %s, good for one enrolment until %s:\n\n  %s\n\nThe user runs: factorctl enroll totp\n", text(g.User), local(g.Expires), text(g.Code))
		if len(g.Has) > 0 {
			a.printf("\nBut %s has %s, and has to prove one of these instead. If all are lost, remove each\n(factorctl remove ID --user %s): then the invitation serves.\n", text(g.User), text(strings.Join(g.Has, ", ")), text(g.User))
		}
	})
}

func (a *app) bypassCommand() *cobra.Command {
	return a.grant(&cobra.Command{
		Use: "bypass USER [--for DURATION]",
		Long: `Makes a code that lets a user in once instead of any factor: for somebody who has
lost phone and backup codes. Make sure whom you tell it to: it is as good as the
factor itself. A rule with bypass = false does not take it. Only root may do this.`,
		Example: "  sudo factorctl bypass alice\n  sudo factorctl bypass alice --for 15m",
	}, wire.VerbBypass, "1h", func(g granted) {
		a.printf("Bypass code for %s, good for one login until %s:\n\n  %s\n\n%s types it where a code is asked for.\n", text(g.User), local(g.Expires), text(g.Code), text(g.User))
	})
}

func (a *app) grant(cmd *cobra.Command, verb, usual string, show func(granted)) *cobra.Command {
	var hold span
	cmd.Flags().Var(&hold, "for", "for how long (`DURATION`) the code can be used, as in 15m, 24h or 2d; "+usual+" if left out")
	return a.named(cmd, nil, true, "the same as a bare `USER`", func(ctx context.Context, _ []string, user string) error {
		return ask(ctx, a, wire.Command(verb, "user", user, "for", hold.String()), show)
	})
}

func (a *app) unlockCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "unlock USER",
		Long: `Ends the waiting that wrong codes have brought upon a user. When the account has
got another uid since it enrolled, this also confirms that it is the same person's.
Only root may do this.`,
		Example: "  sudo factorctl unlock alice",
	}
	return a.named(cmd, nil, true, "the same as a bare `USER`", func(ctx context.Context, _ []string, user string) error {
		return ask(ctx, a, wire.Command(wire.VerbUnlock, "user", user), func(r struct {
			Unlocked string  `json:"unlocked"`
			UID      uint32  `json:"uid"`
			UIDWas   *uint32 `json:"uid_was"`
		}) {
			a.printf("unlocked %s (uid %d)\n", text(r.Unlocked), r.UID)
			if r.UIDWas != nil {
				a.printf("The account had uid %d when it enrolled: it is now taken for the same person's.\n", *r.UIDWas)
			}
		})
	})
}

func (a *app) forgetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "forget [--user USER]",
		Long: `Rules with "remember" do not ask again for a while after a factor was shown. This
ends that while: the next login is asked. It is for a user who leaves a machine that
others use. Root can do it for anybody, others for themselves.`,
		Example: "  factorctl forget\n  sudo factorctl forget --user alice",
	}
	return a.named(cmd, nil, false, "of `USER`, who can be named bare too; yourself if left out", func(ctx context.Context, _ []string, user string) error {
		return ask(ctx, a, wire.Command(wire.VerbForget, "user", user), func(r struct {
			User   string `json:"user"`
			Forgot int    `json:"forgot"`
		}) {
			a.printf("%s: %d remembered logins forgotten\n", text(r.User), r.Forgot)
		})
	})
}
