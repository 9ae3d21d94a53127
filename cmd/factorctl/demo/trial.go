package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/factord/factord/cmd/factorctl/record"
	"github.com/factord/factord/cmd/factorctl/token"
	"github.com/factord/factord/daemon/wire"
)

// trial is one login and what has to come of it.
type trial struct {
	what, answer string
	factor       string // that proves it; "" if it is to be refused
	reason       string // of the refusal
}

// wrongSkew is how far from now, in steps, a code must not be right to count as
// wrong: factord looks 10 minutes around.
const wrongSkew = 40

// trials are the logins of the demo. Each code works once, and the one that
// confirmed the enrolment is spent; the next is within factord's window.
func trials(phone *token.Clock, spent int64, backup []string) []trial {
	next := phone.Code(spent + 1)
	return []trial{
		{what: "the next code of the token", answer: next, factor: "totp"},
		{what: "the same code again", answer: next, reason: "replayed"},
		{what: "a wrong code", answer: phone.Wrong(time.Now(), wrongSkew), reason: "denied"},
		{what: "a backup code", answer: backup[0], factor: "backup"},
		{what: "the same backup code", answer: backup[0], reason: "replayed"},
	}
}

// result is what came of a trial.
type result struct {
	What   string       `json:"what"`
	Answer string       `json:"answer"`
	Want   string       `json:"want"`
	Right  bool         `json:"right"`
	Exit   int          `json:"exit"`
	Millis float64      `json:"ms"`
	Said   string       `json:"said,omitempty"` // by factor-helper
	Audit  record.Event `json:"audit"`
}

// try logs in as pam_exec would, with expose_authtok.
func (s *show) try(ctx context.Context, t trial) (result, error) {
	cmd := exec.CommandContext(ctx, s.sandbox.helper, "--socket", s.sandbox.Socket, "pam")
	cmd.Env = []string{"PAM_TYPE=auth", "PAM_USER=" + s.user, "PAM_SERVICE=demo"}
	cmd.Stdin = strings.NewReader(t.answer)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	begun := time.Now()
	err := cmd.Run()
	took := time.Since(begun)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return result{}, fmt.Errorf("running factor-helper: %w", err)
	}
	r := result{What: t.what, Answer: t.answer, Want: "allow", Exit: cmd.ProcessState.ExitCode(),
		Millis: float64(took.Microseconds()) / 1000, Said: strings.TrimSpace(said.String())}
	if r.Audit, err = s.lastVerdict(ctx); err != nil {
		return result{}, err
	}
	if t.factor != "" {
		r.Right = r.Exit == 0 && r.Audit.Verdict == "allow" && r.Audit.Basis == "factor" && r.Audit.Factor == t.factor
	} else {
		r.Want = "deny"
		r.Right = r.Exit == 1 && r.Audit.Verdict == "deny" && r.Audit.Reason == t.reason
	}
	return r, nil
}

// lastVerdict reads the newest verdict from the audit records.
func (s *show) lastVerdict(ctx context.Context) (last record.Event, err error) {
	var failed error
	err = s.sandbox.Call(ctx, wire.Command(wire.VerbAudit, "last", "3"), &person{show: s, ctx: ctx}, func(line []byte) {
		var e record.Event
		if failed = json.Unmarshal(line, &e); failed == nil && e.Kind == "verdict" {
			last = e
		}
	})
	if err := errors.Join(err, failed); err != nil {
		return last, fmt.Errorf("reading the audit records: %w", err)
	}
	return last, nil
}

// tell shows a result.
func (s *show) tell(r result) {
	verdict := map[bool]string{true: "allowed", false: "refused"}[r.Exit == 0]
	mark := "as it should be"
	if !r.Right {
		mark = "WRONG: it should be " + r.Want
	}
	s.say("%-28s %-16s %s (exit %d), %s, %.1f ms\n", r.What+":", r.Answer, verdict, r.Exit, mark, r.Millis)
	said := ""
	for line := range strings.Lines(r.Said) {
		if line = strings.TrimSpace(line); line != said { // a refusal comes as text and as verdict
			said = line
			s.say("    said:  %s\n", wire.Printable(line))
		}
	}
	s.say("    audit: %s\n\n", r.Audit)
}
