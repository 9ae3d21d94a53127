package ctl

import "github.com/spf13/cobra"

// oneArgument is for a verb that needs one argument, which is not empty.
func oneArgument(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 0 || args[0] == "" {
			return usagef("%s is missing", what)
		}
		return atMost(args, 1)
	}
}

// noArguments is for a verb that has only flags.
func noArguments(_ *cobra.Command, args []string) error { return atMost(args, 0) }

// optionalArgument is for a verb that may have one argument.
func optionalArgument(_ *cobra.Command, args []string) error { return atMost(args, 1) }

func atMost(args []string, n int) error {
	if len(args) > n {
		return usagef("one argument too many: %q", args[n])
	}
	return nil
}
