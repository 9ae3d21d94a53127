package ctl

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/factord/factord/cmd/factorctl/client"
	"github.com/factord/factord/conf"
)

const rootHelp = `Usage: factorctl [--socket PATH] [--json] VERB [ARGUMENT] [FLAG...]

factorctl manages second factors. For yourself, and as root with --user U for others:

  enroll FACTOR    set up a code token on your phone, or make backup codes
  list             show what you have enrolled
  remove ID        remove one of your factors
  forget           let no login be remembered any more
  resync ID        find a counting token again, whose codes are refused
  test             try a login, without logging in
  keys             show which keys are plugged in here, what they can do, and whose they are
  explain          show which rule decides about a login, and what it asks

Only as root:

  invite U         make a code with which U can enrol a first factor
  bypass U         make a code that lets U in once, who has lost everything else
  import FILE      enrol many YubiKeys for many users, by their secrets
  unlock U         end the waiting after wrong codes; confirm a new uid
  audit            show who was let in and who was refused, and why

As anybody:

  status           show whether factord runs; to root also how
  check-config     say what is wrong with a configuration, before it is in force
  demo             watch it work: real logins in a folder of its own
  completion SHELL print completions for bash, zsh or fish

Everywhere, before or after verb and arguments:
  --socket PATH    factord's socket (default ` + client.DefaultSocket + `)
  --json           print JSON
  -h, --help       how it is called; factorctl VERB --help says more
  --version        print which factord this belongs to, in place of a verb

Examples:
  factorctl demo
  factorctl enroll totp
  sudo factorctl invite alice
  sudo factorctl explain --user alice --service sshd --rhost 203.0.113.7

Exit status: 0 done or allowed, 1 failed or refused, 2 wrong usage.
`

const verbHelp = `Usage: factorctl {{.Use}}

{{.Long | trimTrailingWhitespaces}}
{{if .HasExample}}
Examples:
{{.Example}}
{{end}}{{if .HasAvailableLocalFlags}}
Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}
{{end}}
Everywhere:
{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}
`

// root builds the command line.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use: "factorctl", Version: conf.Version(), SilenceErrors: true, SilenceUsage: true,
		Args: cobra.ArbitraryArgs,
		RunE: func(*cobra.Command, []string) error { return usagef("a verb is missing") },
	}
	root.SetVersionTemplate("factorctl {{.Version}}\n")
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)
	flags := root.PersistentFlags()
	flags.StringVar(&a.socket, "socket", client.DefaultSocket, "factord's socket, at `PATH`")
	flags.BoolVar(&a.json, "json", false, "print JSON")
	flags.BoolP("help", "h", false, "this text")
	root.AddCommand(a.statusCommand(), a.enrollCommand(), a.listCommand(), a.keysCommand(), a.removeCommand(), a.resyncCommand(), a.importCommand(), a.inviteCommand(),
		a.bypassCommand(), a.unlockCommand(), a.forgetCommand(), a.explainCommand(), a.auditCommand(), a.checkConfigCommand(),
		a.testCommand(), a.demoCommand(), a.completionCommand())
	root.SetHelpCommand(&cobra.Command{Use: "help [VERB]", Hidden: true, Run: func(cmd *cobra.Command, args []string) {
		about, rest, err := root.Find(args)
		if err != nil {
			about = root
		}
		root.HelpFunc()(about, rest)
	}})
	root.InitDefaultHelpCmd()
	root.CompletionOptions.DisableDefaultCmd = true // ours is written by hand
	root.SetHelpTemplate(verbHelp)
	usual := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		if cmd == root {
			cmd.Print(rootHelp)
			return
		}
		if !asksFactord(cmd) { // a verb that has no use for it
			flags.Lookup("socket").Hidden = true
		}
		if cmd.Name() == "enroll" {
			tellOf(cmd, args)
		}
		usual(cmd, args)
	})
	return root
}

// asksFactord reports whether a verb speaks with the factord of this machine.
func asksFactord(cmd *cobra.Command) bool {
	return !slices.Contains([]string{"demo", "check-config", "completion"}, cmd.Name())
}

// verbFirst moves the verb before the flags that stand in front of it: cobra
// does not know there which flags take a value.
func verbFirst(root *cobra.Command, args []string) ([]string, error) {
	strange := "" // a flag that no verb has: what comes next may be its value
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			break
		}
		if len(arg) > 1 && arg[0] == '-' {
			if takesValue(root, arg) {
				i++
			}
			if name, _, _ := strings.Cut(arg, "="); strange == "" && strings.HasPrefix(name, "--") && flagOf(root, name[2:]) == nil {
				strange = name
			}
			continue
		}
		switch err := knownVerb(root, arg); {
		case err != nil && strange != "":
			return nil, usagef("unknown flag: %s", strange)
		case err != nil:
			return nil, err
		}
		return append([]string{arg}, append(args[:i:i], args[i+1:]...)...), nil
	}
	return args, nil
}

// takesValue reports whether the argument after the flag arg is its value.
func takesValue(root *cobra.Command, arg string) bool {
	name, long := strings.CutPrefix(arg, "--")
	if !long || strings.Contains(name, "=") {
		return false
	}
	f := flagOf(root, name)
	return f != nil && f.NoOptDefVal == ""
}

// flagOf is the flag of all verbs, or of any of them, that has a name.
func flagOf(root *cobra.Command, name string) *pflag.Flag {
	root.InitDefaultHelpFlag()
	if f := root.Flags().Lookup(name); f != nil {
		return f
	}
	if f := root.PersistentFlags().Lookup(name); f != nil {
		return f
	}
	for _, c := range root.Commands() {
		if f := c.Flags().Lookup(name); f != nil {
			return f
		}
	}
	return nil
}

func knownVerb(root *cobra.Command, verb string) error {
	if strings.HasPrefix(verb, cobra.ShellCompRequestCmd) {
		return nil
	}
	for _, c := range root.Commands() {
		if c.Name() == verb {
			return nil
		}
	}
	root.SuggestionsMinimumDistance = 2
	if near := root.SuggestionsFor(verb); len(near) > 0 {
		return usagef("unknown verb %q\nhint: did you mean %s?", verb, strings.Join(near, " or "))
	}
	return usagef("unknown verb %q", verb)
}
