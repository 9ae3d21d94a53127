package pam_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
)

// noPatience is how long a login that can ask nobody may take: less than factord's
// time for one.
const noPatience = 15 * time.Second

// detached runs a command without a terminal.
func detached(t *testing.T, stdin string, argv ...string) (int, string) {
	t.Helper()
	begun := time.Now()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	status, out := run(t, stdin, cmd)
	if took := time.Since(begun); took > noPatience {
		t.Errorf("%q took %v", argv, took)
	}
	return status, out
}

// Where nobody can be asked the login is over at once, and nobody is let in who has
// not answered from somewhere.
func TestModuleUnattendedSSH(t *testing.T) {
	t.Parallel()
	l, s := sshLab(t)
	for _, args := range [][]string{
		{"-o", "BatchMode=yes", "port0", "echo let in"},
		{"-q", "-o", "BatchMode=yes", "port0", "echo let in"},
		{"-o", "BatchMode=yes", "-W", inside(t), "port0"},
		{"-T", "port0", "echo let in"},
		{"-q", "-T", "port0", "echo let in"},
	} {
		status, out := detached(t, l.codes[0]+"\n", s.client("ssh", append([]string{"-l", l.who.Name}, args...)...)...)
		if status != 255 || strings.Contains(out, "let in") || strings.Contains(out, "inside") {
			t.Errorf("%q: exit %d: %s", args, status, out)
		}
	}
	l.AwaitConnections(0, noPatience)
	if records := l.audit(); len(records) != 1 { // of the enrolment
		t.Errorf("%v", records)
	}
}

func TestModuleUnattended(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{})
	askpass := filepath.Join(factordtest.OpenDir(t), "askpass")
	script := fmt.Sprintf("#!/bin/sh\ncase $1 in *password*) echo %s ;; *) echo %s ;; esac\n", l.who.Password, l.code())
	if err := os.WriteFile(askpass, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	both := func() string { return l.who.Password + "\n" + l.code() + "\n" }
	seats := map[string]*seat{}
	for _, tc := range []struct {
		program, options, stdin string
		in                      bool
	}{
		{"sudo", "-A", "", true},    // its helper answers
		{"sudo", "", both(), false}, // it reads terminals
		{"sudo", "-n", both(), false},
		{"sudo", "-S", both(), true},
		{"sudo", "-S", l.who.Password + "\n", false},
		{"sudo", "-S", "", false},
		{"login", "", both(), false},
		{"su", "", both(), true},
		{"su", "", l.who.Password + "\n", false},
		{"su", "", "", false},
		{"locker", "", both(), true},
		{"locker", "", l.who.Password + "\n", false},
		{"locker", "", "", false},
	} {
		s := seats[tc.program]
		if s == nil {
			s = sit(t, tc.program, l.Socket, l.who, launch{})
			s.stack("password", "factord")
			seats[tc.program] = s
		}
		status, out := detached(t, tc.stdin, s.instead("sudo", "env SUDO_ASKPASS="+askpass+" sudo "+tc.options)...)
		if in := strings.Contains(out, s.says[letIn]); in != tc.in || in != (status == 0) {
			t.Errorf("%s %s, %q: exit %d: %s", tc.program, tc.options, tc.stdin, status, out)
		}
	}
}
