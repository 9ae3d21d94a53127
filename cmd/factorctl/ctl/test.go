package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/factord/factord/daemon/wire"
)

// testService is the service that is tried when none is named.
const testService = "sudo"

func (a *app) testCommand() *cobra.Command {
	auth := wire.Auth{Conv: wire.ConvPrompt}
	cmd := &cobra.Command{
		Use: "test [--user USER] [--service SERVICE] [--rhost ADDRESS] [--first]", Args: noArguments,
		Long: `Tries a login through factord: asks as the login would, and shows the verdict, what
it rests on, and the time it took. Nobody is logged in, but all else is real: a code
is spent, a wrong one counts, and the audit log has a record. A user who has no
factor is asked to set one up, as in the login, if --first is given and the rule has
enroll = "login".

As root it is what PAM in sshd or sudo would get. For yourself, without root, it is
what a screen locker or ForceCommand would get, which run as you: it needs a rule
with callers = ["user"], and others are not looked at. Exit status 0 is allow, 1
refused.`,
		Example: `  sudo factorctl test --user alice
  sudo factorctl test --user alice --service sshd --rhost 203.0.113.7 --first`,
	}
	flags := cmd.Flags()
	flags.StringVar(&auth.User, "user", "", "the `USER` who logs in; yourself if left out")
	flags.StringVar(&auth.Service, "service", testService, "the PAM `SERVICE`")
	flags.StringVar(&auth.RHost, "rhost", "", "the client's `ADDRESS`; none if left out")
	flags.BoolVar(&auth.First, "first", false, "say that a first factor was shown, so that the prompt may name what the user has")
	return a.does(cmd, func(ctx context.Context, _ []string) error { return a.try(ctx, auth) })
}

func (a *app) try(ctx context.Context, auth wire.Auth) error {
	if auth.User == "" && os.Geteuid() == 0 {
		auth.User = selfName() // of root, factord wants to hear a name
	}
	d := a.dialog(ctx)
	defer d.Close()
	fmt.Fprintf(a.Stderr, "trying a login of %s, service %s\n", whom(auth.User), text(auth.Service))
	begun := time.Now()
	v, err := a.client().Login(ctx, auth, d)
	took := time.Since(begun)
	if err != nil {
		return blame(d, err)
	}
	if a.json {
		a.reportVerdict(v, took)
	} else {
		a.showVerdict(v, took)
		a.notePAM(auth.Service)
	}
	if !v.Allow {
		return refusedLogin(v, d.Err())
	}
	return nil
}

// refusedLogin is the refusal as an error. cause is why nobody answered, if so.
func refusedLogin(v wire.Verdict, cause error) error {
	if cause != nil && v.Reason == wire.ReasonCancelled {
		return cause
	}
	why := v.Text
	if why == "" {
		why = v.Reason.String()
	}
	if v.Reason == wire.ReasonNoRule && os.Geteuid() != 0 {
		why += "\nhint: this asked as a program of yours, for which only rules with callers = [\"user\"] count; as PAM asks: sudo factorctl test --user " + whom("")
	}
	return errors.New("refused: " + why)
}

func (a *app) showVerdict(v wire.Verdict, took time.Duration) {
	line := func(name, value string) {
		if value != "" {
			a.printf("%-9s %s\n", name+":", text(value))
		}
	}
	if v.Allow {
		line("verdict", "allow")
		line("basis", v.Basis.String())
		line("factor", v.Factor)
	} else {
		line("verdict", "deny")
		line("reason", v.Reason.String())
	}
	if v.Basis == wire.BasisAudit {
		line("would be", v.Reason.String())
	}
	line("rule", v.Rule)
	line("time", strconv.FormatInt(took.Milliseconds(), 10)+" ms, with the time to answer")
}

func (a *app) reportVerdict(v wire.Verdict, took time.Duration) {
	report := struct {
		Verdict string `json:"verdict"`
		Basis   string `json:"basis,omitempty"`
		Factor  string `json:"factor,omitempty"`
		Would   string `json:"would,omitempty"`
		Reason  string `json:"reason,omitempty"`
		Rule    string `json:"rule,omitempty"`
		Text    string `json:"text,omitempty"`
		Millis  int64  `json:"ms"`
	}{Verdict: "deny", Rule: v.Rule, Text: v.Text, Millis: took.Milliseconds()}
	switch {
	case !v.Allow:
		report.Reason = v.Reason.String()
	case v.Basis == wire.BasisAudit:
		report.Would = v.Reason.String()
		fallthrough
	default:
		report.Verdict, report.Basis, report.Factor = "allow", v.Basis.String(), v.Factor
	}
	encoded, _ := json.Marshal(report)
	a.passOn(encoded)
}
