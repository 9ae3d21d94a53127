package pam_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/factordtest/duosim"
	"github.com/factord/factord/pam/pamtest"
)

// What is shown of Duo in which program (+), and why not (a number, below).
//
//	                                          sshd sudo login su locker helper
//	a push approved, and denied                +    +    +    +    +    +    TestDuoPush, TestDuoHelper
//	a push that nobody answers, then a code    +    +    +    +    +    +    TestDuoPushUnanswered, TestDuoHelper
//	the code of a verified push, in time       +    +    +    +    +    +    TestDuoVerifiedPush, TestDuoHelperVerified
//	a call from the list                       +    +    +    +    +    +    TestDuoList, TestDuoHelper
//	a passcode of Duo's at the same prompt     +    +    +    +    +    +    TestDuoPasscode, TestDuoHelper
//	a push and a typed code race               1    1    1    1    1    +    TestDuoHelperRace
//	Ctrl-C ends the polling within 200 ms      2    +    +    +    +    +    TestDuoInterrupted, TestDuoHelperInterrupted
//	killed, it ends within 200 ms              2    +    +    +    +    +    TestDuoKilled
//	a verdict after that lets nobody in        +    +    +    +    +    +    TestDuoLate, TestDuoKilled
//	Duo's escape sequences stay away           +    +    +    +    +    +    TestDuoEscapes
//	no push after a no, or three unanswered    +    +    +    +    +    +    TestDuoSudoRetries, TestDuoFatigue
//	nobody to ask: the push is sent by itself  +    3    3    3    3    +    TestDuoGate, TestDuoForceCommandCopies
//
//  1. The module does not read the socket while PAM asks.
//  2. sshd does not look at its client while PAM waits: factord's time ends it.
//  3. There is no such case.

// duoSeat seats the person at a program that has proven a first factor.
func (l *duoLab) duoSeat(program string) *seat {
	l.t.Helper()
	t := l.t.(*testing.T)
	s := sit(t, program, l.Socket, l.who, launch{})
	s.stack(fmt.Sprintf("required %s socket=%s first", factordtest.Module(t), l.Socket))
	if s.log != "" {
		l.discreetIn(s.log)
	}
	return s
}

// flushes: text is seen only with a question there.
func flushes(program string) bool { return program == "sshd" || program == "sudo" }

// forEachDuo runs a test in front of every program, with a factord of its own.
func forEachDuo(t *testing.T, o duoOptions, test func(t *testing.T, l *duoLab, s *seat, program string)) {
	forEachProgram(t, func(t *testing.T, program string) {
		l := newDuoLab(t, o)
		test(t, l, l.duoSeat(program), program)
	})
}

// asksForPush gets as far as the push: what the phone shows, and the screen says so.
func (l *duoLab) asksForPush(s *seat, program string) (*pamtest.Terminal, duosim.Push) {
	l.t.Helper()
	return l.asksForPushFrom(s, program, "Push sent to "+phoneName)
}

// asksForPushFrom is asksForPush, where another text tells of it.
func (l *duoLab) asksForPushFrom(s *seat, program, cue string) (*pamtest.Terminal, duosim.Push) {
	l.t.Helper()
	x := s.begin()
	x.Expect("Enter for a push")
	x.Expect(": ")
	x.Type("\r")
	p := l.pushed()
	x.Expect(cue)
	if flushes(program) {
		x.Expect("press Enter: ")
	}
	return x, p
}

func TestDuoPush(t *testing.T) {
	forEachDuo(t, duoOptions{}, func(t *testing.T, l *duoLab, s *seat, program string) {
		x, p := l.asksForPush(s, program)
		if flushes(program) {
			x.Type("\r")
		}
		l.polled()
		if strings.Contains(x.Screen(), s.says[letIn]) {
			t.Errorf("in before the answer:\n%s", x.Screen())
		}
		if p.User != l.who.Name || p.DeviceName != phoneName {
			t.Errorf("the phone shows %+v", p)
		}
		l.answers(duosim.Approved)
		x.Expect(s.says[letIn])
		x.Kill()
		x.Wait()
		l.lastRecord(map[string]string{"verdict": "allow", "basis": "factor", "factor": "duo"})

		x, _ = l.asksForPush(s, program)
		if flushes(program) {
			x.Type("\r")
		}
		l.polled()
		l.answers(duosim.Denied)
		pamtest.Await(t, "the refusal", 10*time.Second, func() bool {
			records := l.audit()
			return records[len(records)-1]["reason"] == "push-denied"
		})
		x.Kill()
		x.Wait()
		if strings.Contains(x.Screen(), s.says[letIn]) {
			t.Errorf("in after a no:\n%s", x.Screen())
		}
	})
}

func TestDuoPushUnanswered(t *testing.T) {
	forEachDuo(t, duoOptions{sim: duosim.Config{PushTimeout: 300 * time.Millisecond}}, func(t *testing.T, l *duoLab, s *seat, program string) {
		x, _ := l.asksForPush(s, program)
		if flushes(program) {
			x.Type("\r")
		}
		x.Expect("nobody answered the push")
		x.ExpectSecret("Enter for a push: ")
		x.Type(duoPasscodes[0] + "\r")
		x.Expect(s.says[letIn])
		x.Kill()
		x.Wait()
		l.lastRecord(map[string]string{"verdict": "allow", "basis": "factor", "factor": "duo"})
	})
}

// shows finds the code of a verified push as the screen shows it.
var shows = regexp.MustCompile(`Enter (\d+) in Duo Mobile`)

// shownCode waits for the code on the screen, and takes it from nowhere else.
func shownCode(t *testing.T, x *pamtest.Terminal) string {
	t.Helper()
	x.Expect(" in Duo Mobile on " + phoneName)
	found := shows.FindAllStringSubmatch(x.Screen(), -1)
	if found == nil {
		t.Fatalf("no code is on the screen:\n%s", x.Screen())
	}
	return found[len(found)-1][1]
}

// Whoever wants to approve reads the code on the screen first: it is there while
// the push waits, and what is typed into the phone is what was read there.
func TestDuoVerifiedPush(t *testing.T) {
	forEachDuo(t, duoOptions{sim: duosim.Config{VerifiedPush: true}}, func(t *testing.T, l *duoLab, s *seat, program string) {
		x := s.begin()
		x.Expect("Enter for a push")
		x.Expect(": ")
		x.Type("\r")
		l.pushed()
		code := shownCode(t, x)
		if flushes(program) {
			x.Expect("press Enter: ")
		}
		if len(l.sim.Pending(l.who.Name)) != 1 || strings.Contains(x.Screen(), s.says[letIn]) {
			t.Errorf("decided before the code was typed:\n%s", x.Screen())
		}
		if err := l.sim.ApproveCode(l.who.Name, code); err != nil {
			t.Errorf("%v\n%s", err, x.Screen())
		}
		if flushes(program) {
			x.Type("\r")
		}
		x.Expect(s.says[letIn])
		x.Kill()
		x.Wait()
		l.lastRecord(map[string]string{"verdict": "allow", "factor": "duo"})
	})
}

func TestDuoList(t *testing.T) {
	forEachDuo(t, duoOptions{}, func(t *testing.T, l *duoLab, s *seat, program string) {
		x := s.begin()
		line := regexp.MustCompile(`(?m)(\d)  .*[Cc]all`)
		x.Expect("Enter for a push")
		x.Expect(": ")
		number := line.FindStringSubmatch(x.Screen())
		if number == nil {
			t.Fatalf("no call in the list:\n%s", x.Screen())
		}
		x.Type(number[1] + "\r")
		if p := l.pushed(); p.Factor != "phone" {
			t.Errorf("%+v", p)
		}
		if flushes(program) {
			x.Expect("press Enter: ")
			x.Type("\r")
		}
		l.polled()
		l.answers(duosim.Approved)
		x.Expect(s.says[letIn])
		x.Kill()
		x.Wait()
	})
}

func TestDuoPasscode(t *testing.T) {
	forEachDuo(t, duoOptions{}, func(t *testing.T, l *duoLab, s *seat, program string) {
		x := s.begin()
		x.Expect("Enter for a push")
		x.Expect(": ")
		x.Type("1234321\r")
		x.Expect("wrong code")
		x.Expect(": ")
		x.Type(duoPasscodes[0] + "\r")
		x.Expect(s.says[letIn])
		x.Kill()
		x.Wait()
		l.lastRecord(map[string]string{"verdict": "allow", "basis": "factor", "factor": "duo"})
		if strings.Contains(x.Screen(), duoPasscodes[0]) {
			t.Errorf("the passcode is on the screen:\n%s", x.Screen())
		}
	})
}

// Leaving ends the polling, and what the phone says then lets nobody in.
func TestDuoInterrupted(t *testing.T) {
	leaveDuo(t, (*pamtest.Terminal).Leave)
}

func TestDuoKilled(t *testing.T) {
	leaveDuo(t, (*pamtest.Terminal).Kill)
}

func leaveDuo(t *testing.T, leave func(*pamtest.Terminal)) {
	for _, program := range []string{"sudo", "login", "su", "locker"} {
		t.Run(program, func(t *testing.T) {
			l := newDuoLab(t, duoOptions{})
			s := l.duoSeat(program)
			best := time.Hour
			for range 2 {
				x, p := l.asksForPush(s, program)
				if flushes(program) {
					x.Type("\r")
				}
				l.polled()
				begun := time.Now()
				leave(x)
				best = min(best, l.stopsPolling(begun))
				l.tooLate(p)
				if status := x.Wait(); status == 0 || strings.Contains(x.Screen(), s.says[letIn]) {
					t.Errorf("exit %d\n%s", status, x.Screen())
				}
			}
			if best > cancelTime {
				t.Errorf("Duo is polled until %v after %s was left", best, program)
			}
		})
	}
}

// tooLate approves a push that nobody waits for any more, and looks what came of it.
func (l *duoLab) tooLate(p duosim.Push) {
	l.t.Helper()
	polls := l.sim.Count("auth_status")
	if err := l.sim.Answer(p.Txid, duosim.Approved); err != nil {
		l.t.Error(err)
	}
	if n := l.sim.Count("auth_status"); n != polls {
		l.t.Errorf("Duo was asked %d times more after the client had gone", n-polls)
	}
	for _, r := range l.audit() {
		if r["verdict"] == "allow" {
			l.t.Errorf("somebody was let in: %v", r)
		}
	}
}

// sshd goes on waiting when its client has gone. The verdict that comes then opens
// nothing: not a session, and not the next login.
func TestDuoLate(t *testing.T) {
	t.Parallel()
	l := newDuoLab(t, duoOptions{})
	s := l.duoSeat("sshd")
	x, p := l.asksForPush(s, "sshd")
	x.Type("\r")
	l.polled()
	x.Kill()
	x.Wait()
	if err := l.sim.Answer(p.Txid, duosim.Approved); err != nil {
		t.Fatal(err)
	}
	pamtest.Await(t, "the end of the attempt", 10*time.Second, func() bool { return l.Connections() == 0 })
	y := s.begin()
	y.Expect("Enter for a push")
	y.Expect(": ")
	if strings.Contains(x.Screen()+y.Screen(), s.says[letIn]) {
		t.Errorf("somebody is in:\n%s\n%s", x.Screen(), y.Screen())
	}
	y.Kill()
	y.Wait()
}
