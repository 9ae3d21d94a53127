package conf

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// getentTime bounds one lookup in the user database, which may ask a network.
const getentTime = 5 * time.Second

// notFound is getent's exit status for a key that is in no database (getent(1)).
const notFound = 2

// Doubts are what a configuration names and this machine does not have, a line
// each. They are no errors: a group may come to be, and a file may be meant for
// another machine. But a group that can't be looked up refuses whoever comes to its
// rule.
func (c *Config) Doubts(file string) (all []string) {
	doubt := func(line int, format string, args ...any) {
		all = append(all, place(file, line)+": "+fmt.Sprintf(format, args...))
	}
	now := time.Now()
	for i := range c.Rules {
		r := &c.Rules[i]
		if !r.Until.IsZero() && !now.Before(r.Until) {
			doubt(r.Line, "rule %s: until is over: who has no factor is refused", title(r))
		}
		if !r.EnrollUntil.IsZero() && !now.Before(r.EnrollUntil) {
			doubt(r.Line, "rule %s: enroll_until is over: nobody can set up a factor in a login", title(r))
		}
		for _, name := range r.Groups {
			if missing("group", name) {
				doubt(r.Line, "rule %s: there is no group %q here: who comes to this rule is refused", title(r), name)
			}
		}
		for _, name := range r.Users {
			if missing("passwd", name) {
				doubt(r.Line, "rule %s: there is no user %q here", title(r), name)
			}
		}
	}
	all = append(all, c.pamDoubts(file, pamDirs()...)...)
	if c.Audit.File == "" {
		return all
	}
	if _, err := os.Stat(filepath.Dir(c.Audit.File)); err != nil {
		doubt(0, "[audit] file: %v", err)
	}
	return all
}

// missing reports that NSS has no such name; getent asks it for programs that are
// linked without it.
func missing(database, name string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), getentTime)
	defer cancel()
	err := exec.CommandContext(ctx, "getent", database, "--", name).Run()
	var exit *exec.ExitError
	return errors.As(err, &exit) && exit.ExitCode() == notFound
}
