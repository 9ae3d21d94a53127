package ctl

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/factord/factord/daemon/policy"
	"github.com/factord/factord/daemon/wire"
)

// explanation is how factord would decide.
type explanation struct {
	User     string        `json:"user"`
	Service  string        `json:"service"`
	RHost    string        `json:"rhost"`
	Rule     string        `json:"rule"`
	Mode     string        `json:"mode"`
	Factors  []string      `json:"factors"`
	Enrolled bool          `json:"enrolled"`
	Usable   []string      `json:"usable"`
	Outcome  string        `json:"outcome"`
	Waits    string        `json:"waits"`
	Remember string        `json:"remember"`
	Steps    []policy.Step `json:"steps"`
}

func (a *app) explainCommand() *cobra.Command {
	var user, service, rhost, ruser, caller string
	cmd := &cobra.Command{
		Use: "explain --service SERVICE [--user USER] [--rhost ADDRESS]", Args: noArguments,
		Long: `Says what would come of a login: rule by rule why it does not match, which one
decides, what it asks, and what the user has of it. It asks nobody and changes
nothing. Others than root can ask about themselves.`,
		Example: `  sudo factorctl explain --user alice --service sshd --rhost 203.0.113.7
  sudo factorctl explain --user root --service su --ruser alice
  factorctl explain --service i3lock --caller user`,
	}
	flags := cmd.Flags()
	flags.StringVar(&user, "user", "", "the `USER` who logs in; yourself if left out")
	flags.StringVar(&service, "service", "", "the PAM `SERVICE`: a name in /etc/pam.d")
	flags.StringVar(&rhost, "rhost", "", "the client's `ADDRESS`; none if left out")
	flags.StringVar(&ruser, "ruser", "", "the `USER` who calls su or sudo")
	flags.StringVar(&caller, "caller", "", "`root`, as PAM in sshd and sudo; or user, as a locker that runs as the user")
	return a.does(cmd, func(ctx context.Context, _ []string) error {
		switch {
		case service == "":
			return usagef("--service is missing: sshd, sudo, or another name in /etc/pam.d")
		case caller != "" && caller != "root" && caller != "user":
			return usagef("--caller is root or user, not %q", caller)
		}
		command := wire.Command(wire.VerbExplain, "user", user, "service", service, "rhost", rhost, "ruser", ruser, "caller", caller)
		return ask(ctx, a, command, a.showExplanation)
	})
}

func (a *app) showExplanation(e explanation) {
	from := ""
	if e.RHost != "" {
		from = " from " + text(e.RHost)
	}
	a.printf("%s, service %s%s\n\n", text(e.User), text(e.Service), from)
	for _, s := range e.Steps {
		mark := "no     "
		if s.Matched {
			mark = "MATCH  "
		}
		a.printf("  %s line %-4d %s: %s\n", mark, s.Line, text(s.Rule), text(s.Why))
	}
	if len(e.Steps) == 0 {
		a.printf("  there is no rule to look at\n")
	}
	a.printf("\n")
	line := func(name, value string) {
		if value != "" {
			a.printf("%-10s %s\n", name+":", value)
		}
	}
	line("rule", text(e.Rule))
	line("mode", text(e.Mode))
	line("factors", list(e.Factors, ""))
	line("enrolled", map[bool]string{true: "yes", false: "no"}[e.Enrolled])
	line("usable", list(e.Usable, "none"))
	line("waits", text(e.Waits))
	line("remember", text(e.Remember))
	line("outcome", text(e.Outcome))
}

func list(words []string, none string) string {
	if len(words) == 0 {
		return none
	}
	return text(strings.Join(words, ", "))
}
