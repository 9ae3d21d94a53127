package ctl

import (
	"context"

	"github.com/spf13/cobra"
)

// oneArgument is for a verb that needs one argument, which is not empty.
func oneArgument(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 || args[0] == "" {
			return usagef("%s is missing", what)
		}
		return atMost(cmd, args, 1)
	}
}

// noArguments is for a verb that has only flags.
func noArguments(cmd *cobra.Command, args []string) error { return atMost(cmd, args, 0) }

// optionalArgument is for a verb that may have one argument.
func optionalArgument(cmd *cobra.Command, args []string) error { return atMost(cmd, args, 1) }

func atMost(cmd *cobra.Command, args []string, n int) error {
	if len(args) <= n {
		return nil
	}
	hint := ""
	if user := cmd.Flags().Lookup("user"); user != nil && !user.Changed {
		hint = "\nhint: --user " + text(args[n])
	}
	return usagef("one argument too many: %q%s", args[n], hint)
}

// named gives cmd its work, which is about a user. Some verbs are written with the USER
// bare and some with --user, as it reads best; each takes both. before are the arguments
// that come before a bare USER, and needed says that somebody has to be named.
func (a *app) named(cmd *cobra.Command, before []string, needed bool, usage string, work func(ctx context.Context, args []string, user string) error) *cobra.Command {
	user := cmd.Flags().String("user", "", usage)
	cmd.Args = func(_ *cobra.Command, args []string) error {
		for i, what := range before {
			if len(args) <= i || args[i] == "" {
				return usagef("%s is missing", what)
			}
		}
		bare := args[min(len(args), len(before)):]
		switch {
		case len(bare) > 1:
			return usagef("one argument too many: %q", bare[1])
		case len(bare) == 1 && *user != "":
			return usagef("%q and --user %q: one of them names the user", bare[0], *user)
		case len(bare) == 1 && bare[0] == "", needed && len(bare) == 0 && *user == "":
			return usagef("the USER is missing")
		}
		return nil
	}
	return a.does(cmd, func(ctx context.Context, args []string) error {
		if len(args) > len(before) {
			*user = args[len(before)]
		}
		return work(ctx, args, *user)
	})
}
