package ctl

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/factord/factord/packaging/completions"
)

func (a *app) completionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "completion SHELL", Args: oneArgument("the SHELL (" + strings.Join(completions.Shells(), ", ") + ")"),
		Long: `Prints what bash, zsh or fish completes the command line of factorctl with. Packages
and "make install" put it where the shells look; this is for where they do not. zsh
takes it as a file _factorctl in a folder of its fpath.`,
		Example: `  source <(factorctl completion bash)
  factorctl completion zsh > ~/.zfunc/_factorctl
  factorctl completion fish > ~/.config/fish/completions/factorctl.fish`,
	}
	return a.does(cmd, func(_ context.Context, args []string) error {
		script, ok := completions.Factorctl(args[0])
		if !ok {
			return usagef("there are completions for %s, not for %q", strings.Join(completions.Shells(), ", "), args[0])
		}
		_, err := a.Stdout.Write(script)
		return err
	})
}
