package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/factord/factord/conf"
)

func (a *app) checkConfigCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "check-config [FILE]", Args: optionalArgument,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault
		},
		Long: `Reads a configuration as factord would, and says everything that is wrong with it:
file, line and key; the keys and certificates it names (skey_file, api_key_file, ca_file) that factord would
not start with; and, as warnings, which groups, users, PAM services and folders it names that are not here, and
which PAM services ask factord without a rule, or twice. A credential is looked for in /etc/credstore and where
else systemd finds it; only root can look there.
Factord itself is not asked and need not run.
FILE is ` + conf.DefaultFile + ` if left out. It is then an error too if a credential
is missing that factord.service does not take from elsewhere, and, for root, if the account factord can't read
the file; of another FILE each is a warning.`,
		Example: "  sudo factorctl check-config && sudo systemctl try-reload-or-restart factord\n  sudo factorctl check-config && sudo systemctl restart factord.service   # with a new credential",
	}
	return a.does(cmd, func(_ context.Context, args []string) error {
		file := conf.DefaultFile
		if len(args) == 1 {
			file = args[0]
		}
		return a.checkConfig(file)
	})
}

// checkConfig checks a file that is in use, or is to be: that one may still lie
// where factord can't read it.
func (a *app) checkConfig(file string) error {
	c, err := conf.Load(file, conf.BuiltIn())
	if errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0 {
		what, _, _ := strings.Cut(err.Error(), "\nhint: ")
		err = fmt.Errorf("%s\nhint: sudo factorctl check-config%s", what, more(file))
	}
	if err == nil {
		err = look(file, c)
	}
	if a.json {
		a.reportConfig(file, c, err)
	}
	if err != nil {
		return eachNamed(err)
	}
	if !a.json {
		a.showConfig(file, c)
	}
	return nil
}

func (a *app) showConfig(file string, c *conf.Config) {
	for _, w := range c.Warnings {
		a.printf("warning: %s\n", w)
	}
	a.printf("%s: %s\n", file, c.Summary())
}

// eachNamed has several errors each begin as the first one will.
func eachNamed(err error) error {
	var all []string
	for _, e := range split(err) {
		all = append(all, e.Error())
	}
	return errors.New(strings.Join(all, "\nfactorctl: "))
}

// more is the argument that names another file than the usual one.
func more(file string) string {
	if file == conf.DefaultFile {
		return ""
	}
	return " " + text(file)
}

// look adds to the warnings of c what is amiss around it, and returns what factord
// would not start with.
func look(file string, c *conf.Config) error {
	used := file == conf.DefaultFile
	c.Warnings = append(c.Warnings, c.Doubts(file)...)
	doubts, err := c.CheckKeys(file, used)
	c.Warnings = append(c.Warnings, doubts...)
	switch unreadable := conf.Unreadable(file, conf.Account); {
	case unreadable == "":
	case used:
		err = errors.Join(append([]error{errors.New(unreadable)}, split(err)...)...)
	default:
		c.Warnings = append(c.Warnings, unreadable)
	}
	return err
}

func (a *app) reportConfig(file string, c *conf.Config, err error) {
	report := struct {
		File     string   `json:"file"`
		OK       bool     `json:"ok"`
		Rules    int      `json:"rules"`
		Warnings []string `json:"warnings"`
		Errors   []string `json:"errors"`
	}{File: file, OK: err == nil, Warnings: []string{}, Errors: []string{}}
	if err == nil {
		report.Rules = len(c.Rules)
		report.Warnings = append(report.Warnings, c.Warnings...)
	}
	for _, e := range split(err) {
		report.Errors = append(report.Errors, e.Error())
	}
	encoded, _ := json.Marshal(report) // strings, which always can be encoded
	fmt.Fprintf(a.Stdout, "%s\n", encoded)
}

// split undoes errors.Join.
func split(err error) []error {
	var joined interface{ Unwrap() []error }
	switch {
	case err == nil:
		return nil
	case errors.As(err, &joined):
		return joined.Unwrap()
	}
	return []error{err}
}
