// Package demo shows factord at work on this very machine without touching it:
// a factord of its own, in a private folder, and real logins through the real
// factor-helper, called as pam_exec would call it.
//
// What is shown is also checked. The demo fails unless every verdict was the
// right one, so that it serves as a first test of an installation.
package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/factord/factord/cmd/factorctl/dialog"
)

// Config is what a demo takes from its program.
type Config struct {
	Out *os.File
	// Dialog has a terminal if somebody is there to scan the QR code.
	Dialog *dialog.Dialog
	// JSON: say nothing but the result.
	JSON bool
}

// show is one performance.
type show struct {
	Config
	sandbox *sandbox
	user    string
}

// errWrong is a demo in which a verdict was not the right one.
var errWrong = errors.New("a verdict was not the right one\nhint: please report this, with what is shown above")

// Run performs the demo. An error means that it could not, or that factord was
// wrong.
func Run(ctx context.Context, c Config) error {
	// Factord is told by the kernel when the thread that started it ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	user, err := whoPlays()
	if err != nil {
		return err
	}
	box, err := open(ctx, user)
	if err != nil {
		return err
	}
	defer box.close()
	s := &show{Config: c, sandbox: box, user: user}
	s.say("A factord of its own runs in %s, for %s. Nothing else on this machine\nis changed, and everything is gone in the end.\n\n", box.dir, user)
	results, err := s.perform(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return err
	}
	return s.conclude(results)
}

// perform enrols and logs in.
func (s *show) perform(ctx context.Context) ([]result, error) {
	phone, spent, err := s.enrolToken(ctx)
	if err != nil {
		return nil, err
	}
	codes, err := s.enrolBackup(ctx)
	if err != nil {
		return nil, err
	}
	s.say("Logins, each through %s as pam_exec calls it:\n\n", s.sandbox.helper)
	var results []result
	all := trials(phone, spent, codes)
	if s.sandbox.duo != nil {
		all = append(all, duoTrials()...)
	}
	for _, t := range all {
		r, err := s.try(ctx, t)
		if err != nil {
			return nil, err
		}
		s.tell(r)
		results = append(results, r)
	}
	return results, nil
}

// conclude sums up.
func (s *show) conclude(results []result) error {
	right := true
	for _, r := range results {
		right = right && r.Right
	}
	if s.JSON {
		encoded, err := json.Marshal(map[string]any{"ok": right, "user": s.user, "logins": results})
		if err != nil {
			return err
		}
		fmt.Fprintf(s.Out, "%s\n", encoded)
	}
	if !right {
		return errWrong
	}
	s.say(`All verdicts were right.

To protect sudo on this machine: "Protect sudo" in README.md has the commands, from
"make deb" to the way back. Where the package is installed that is
/usr/share/doc/factord/README.md. Keep a root shell open meanwhile.
`)
	return nil
}

func (s *show) say(format string, args ...any) {
	if !s.JSON {
		fmt.Fprintf(s.Out, format, args...)
	}
}
