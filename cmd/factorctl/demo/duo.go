package demo

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// duoPasscode is good once at the simulated Duo. No token of the demo has seven
// digits, so that it is Duo who is asked.
const duoPasscode = "7654321"

// duo is a simulated Duo service, where the source tree's is built beside factord:
// "make demo" does so. Everybody approves their pushes at once.
type duo struct {
	process *exec.Cmd
	config  string // [duo], for factord
}

// startDuo returns nil if there is none.
func (b *sandbox) startDuo(ctx context.Context, user string) (*duo, error) {
	program := filepath.Join(filepath.Dir(b.factord), "duosim")
	if _, err := os.Stat(program); err != nil {
		return nil, nil
	}
	d := &duo{process: exec.CommandContext(ctx, program, "--dir", filepath.Join(b.dir, "duo"), "--listen", "localhost:0",
		"--user", user, "--passcode", duoPasscode, "--approve", "0s")}
	d.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	d.process.Cancel = func() error { return d.process.Process.Signal(syscall.SIGTERM) }
	d.process.WaitDelay = stopTime
	said, err := d.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := d.process.Start(); err != nil {
		return nil, fmt.Errorf("starting duosim: %w", err)
	}
	late := time.AfterFunc(startTime, func() { d.process.Process.Kill() })
	defer late.Stop()
	lines := bufio.NewScanner(said)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "#") {
		d.config += lines.Text() + "\n"
	}
	if !strings.HasPrefix(d.config, "[duo]\n") {
		d.stop()
		return nil, fmt.Errorf("duosim did not start: %q", d.config)
	}
	go func() { // it says what it does
		for lines.Scan() {
		}
	}()
	return d, nil
}

func (d *duo) stop() {
	d.process.Process.Signal(syscall.SIGTERM)
	d.process.Wait()
}

// duoTrials are the logins with Duo. Enter is for the push.
func duoTrials() []trial {
	return []trial{
		{what: "Enter, and a Duo push", factor: "duo"},
		{what: "a passcode of Duo's", answer: duoPasscode, factor: "duo"},
		{what: "the same passcode", answer: duoPasscode, reason: "denied"},
	}
}
