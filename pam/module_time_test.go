package pam_test

import (
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/pam/pamtest"
)

// limits are the programs' own times for a login, or for an answer, shorter than
// factord's.
var limits = map[string]launch{
	"sshd":  {sshd: "LoginGraceTime 4\n"},
	"login": {defs: "LOGIN_TIMEOUT 3\n"},
	"sudo":  {sudo: "passwd_timeout=0.05"}, // minutes
}

// When the program's time for a login is over, factord's attempt is too, whether
// the person is being asked
func TestModuleProgramGivesUp(t *testing.T) {
	t.Parallel()
	for program, o := range limits {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, factordtest.ProcessOptions{})
			s := sit(t, program, l.Socket, l.who, o)
			x := s.begin()
			x.Expect(prompt)
			if l.Connections() != 1 {
				t.Errorf("%d connections at the question", l.Connections())
			}
			l.AwaitConnections(0, 15*time.Second)
			x.Type(l.code() + "\r") // too late for this attempt
			if x.Wait(); strings.Contains(x.Screen(), s.says[letIn]) {
				t.Errorf("in:\n%s", x.Screen())
			}
			if records := l.audit(); len(records) != 1 { // of the enrolment
				t.Errorf("%v", records)
			}
		})
	}
}

// or everything waits for their phone.
func TestModuleProgramGivesUpWaiting(t *testing.T) {
	t.Parallel()
	for program, o := range limits {
		if o.sudo != "" {
			continue // it is the answer's time
		}
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			p := newPush(t)
			s := sit(t, program, p.socket, pamtest.NewAccount(t, "Correct-horse-7"), o)
			x := s.begin()
			x.Expect(cue)
			if program == "sshd" {
				x.Expect(approval)
				x.Type("\r")
			}
			p.await("the wait", p.waiting)
			p.await("the end of the attempt", p.gone)
			if x.Wait(); strings.Contains(x.Screen(), s.says[letIn]) {
				t.Errorf("in:\n%s", x.Screen())
			}
		})
	}
}
