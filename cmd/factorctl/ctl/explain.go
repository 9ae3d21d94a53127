package ctl

import (
	"context"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/factord/factord/daemon/policy"
	"github.com/factord/factord/daemon/wire"
)

// explanation is how factord would decide.
type explanation struct {
	User     string            `json:"user"`
	Service  string            `json:"service"`
	RHost    string            `json:"rhost"`
	Rule     string            `json:"rule"`
	Mode     string            `json:"mode"`
	Factors  []string          `json:"factors"`
	Enrolled *bool             `json:"enrolled"` // nil: not known
	Usable   []string          `json:"usable"`
	Missing  map[string]string `json:"missing"`
	Outcome  string            `json:"outcome"`
	Waits    string            `json:"waits"`
	Remember string            `json:"remember"`
	Steps    []policy.Step     `json:"steps"`
}

func (a *app) explainCommand() *cobra.Command {
	var user, service, rhost, ruser, caller string
	cmd := &cobra.Command{
		Use: "explain --service SERVICE [--user USER] [--rhost ADDRESS] [--caller WHO]", Args: noArguments,
		Long: `Says what would come of a login: rule by rule why it does not match, which one
decides, what it asks, what the user has of it, and why Duo is missing. It asks no
person and changes nothing; Duo is asked what the user has there when root explains.
Others than root can ask about themselves, and see which rule decides, not the others.
"enrolled: not known" is said of a user who has nothing here and may have an account at
Duo, which could not be asked, or had no need to be: the rule does not take it.

It matters who asks factord. PAM in sshd, sudo or login does so as root. A screen
locker or ForceCommand does so as the user: that is --caller user, and then only
rules with callers = ["user"] are looked at.`,
		Example: `  sudo factorctl explain --user alice --service sshd --rhost 203.0.113.7
  sudo factorctl explain --user root --service su --ruser alice
  factorctl explain --service i3lock --caller user`,
	}
	flags := cmd.Flags()
	flags.StringVar(&user, "user", "", "the `USER` who logs in; yourself if left out")
	flags.StringVar(&service, "service", "", "the PAM `SERVICE`: a name in /etc/pam.d")
	flags.StringVar(&rhost, "rhost", "", "the client's `ADDRESS`; none if left out")
	flags.StringVar(&ruser, "ruser", "", "the `USER` who calls su or sudo")
	flags.StringVar(&caller, "caller", "", "`WHO` asks factord: root, as PAM in sshd and sudo does, or user,\nas a locker or ForceCommand does, which run as the user (default root)")
	return a.does(cmd, func(ctx context.Context, _ []string) error {
		switch {
		case service == "":
			return usagef("--service is missing: sshd, sudo, or another name in /etc/pam.d")
		case caller != "" && caller != "root" && caller != "user":
			return usagef("--caller is root or user, not %q", caller)
		}
		command := wire.Command(wire.VerbExplain, "user", user, "service", service, "rhost", rhost, "ruser", ruser, "caller", caller)
		return ask(ctx, a, command, func(e explanation) {
			a.showExplanation(e, caller)
			a.notePAM(e.Service)
		})
	})
}

// asker says who is imagined to ask: a rule for one caller is none for the other.
func asker(caller string) string {
	if caller == "user" {
		return "asked by a program that runs as the user"
	}
	return "asked by PAM as root (a program that runs as the user: --caller user)"
}

// enrolled: of a factor that is kept elsewhere nobody may have been asked.
func (e explanation) enrolled() string {
	switch {
	case e.Enrolled == nil:
		return "not known"
	case *e.Enrolled:
		return "yes"
	}
	return "no"
}

func (a *app) showExplanation(e explanation, caller string) {
	from := ""
	if e.RHost != "" {
		from = " from " + text(e.RHost)
	}
	a.printf("%s, service %s%s, %s\n\n", text(e.User), text(e.Service), from, asker(caller))
	for _, s := range e.Steps {
		mark := "no     "
		if s.Matched {
			mark = "MATCH  "
		}
		a.printf("  %s line %-4d %s: %s\n", mark, s.Line, text(s.Rule), text(s.Why))
	}
	switch {
	case len(e.Steps) > 0:
	case os.Geteuid() == 0:
		a.printf("  there is no rule to look at\n")
	default:
		a.printf("  root sees here why each rule does or does not match\n")
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
	line("enrolled", e.enrolled())
	line("usable", list(e.Usable, "none"))
	for _, factor := range slices.Sorted(maps.Keys(e.Missing)) {
		line("missing", text(factor)+": "+text(e.Missing[factor]))
	}
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
