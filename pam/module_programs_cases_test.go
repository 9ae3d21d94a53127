package pam_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/pam/pamtest"
)

// jump is a stack whose end a proof jumps over. sshd walks it again for setcred,
// in another process.
var jump = []string{"password", "[success=1 default=ignore] factord", "requisite pam_deny.so", "required pam_permit.so"}

// entries are what people type at the questions of a stack, and what comes of it.
// Each word is a question and its answer.
var entries = []struct {
	name   string
	stack  []string
	typed  string
	end    end
	record map[string]string // the last one of factord's audit
}{
	{"right", []string{"password", "factord"}, "password code", letIn, map[string]string{"verdict": "allow", "factor": "totp"}},
	{"wrong three times", []string{"password", "factord"}, "password wrong wrong wrong", spent, map[string]string{"verdict": "deny", "reason": "attempts"}},
	{"replayed, and then right", []string{"password", "factord"}, "password used code", letIn, map[string]string{"verdict": "allow"}},
	{"backup", []string{"password", "factord"}, "password backup", letIn, map[string]string{"verdict": "allow", "factor": "backup"}},
	{"a wrong password before", []string{"password", "factord"}, "typo", turnedDown, nil},
	{"a password after", []string{"factord", "password"}, "code password", letIn, map[string]string{"verdict": "allow"}},
	{"a wrong password after", []string{"factord", "password"}, "code typo", turnedDown, map[string]string{"verdict": "allow"}},
	{"two modules", []string{"factord", "password", "factord"}, "code password code", letIn, map[string]string{"verdict": "allow"}},
	{"two modules, wrong once", []string{"factord", "password", "factord"}, "code password wrong wrong wrong", spent, map[string]string{"reason": "attempts"}},
	{"jump", jump, "password code", letIn, map[string]string{"verdict": "allow"}},
	{"no jump", jump, "password wrong wrong wrong", turnedDown, map[string]string{"reason": "attempts"}},
	{"sufficient", []string{"password", "sufficient factord", "required pam_deny.so"}, "password code", letIn, map[string]string{"verdict": "allow"}},
}

// exempted are the same of somebody whom a rule exempts.
var exempted = []struct {
	name  string
	stack []string
	end   end
}{
	{"exempt and sufficient", []string{"password", "sufficient factord", "required pam_deny.so"}, turnedDown},
	{"exempt and required", []string{"password", "factord"}, letIn},
}

const exemptRule = "[[rule]]\nmode = \"exempt\"\ncallers = [\"root\", \"user\"]\n"

func TestModulePrograms(t *testing.T) {
	forEachProgram(t, func(t *testing.T, program string) {
		l := newLab(t, factordtest.ProcessOptions{})
		s := sit(t, program, l.Socket, l.who, launch{})
		backup, used := l.MustEnroll(l.who.Name, "backup").Codes[0], ""
		for _, e := range entries {
			s.stack(e.stack...)
			before := len(l.audit())
			x := s.begin()
			for _, word := range strings.Fields(e.typed) {
				question, answer := s.question, ""
				switch word {
				case "password":
					question, answer = s.asks, l.who.Password
				case "typo":
					question, answer = s.asks, "not it"
				case "code":
					used = l.code()
					answer = used
				case "used":
					answer = used
				case "backup":
					answer = backup
				case "wrong":
					answer = l.wrong()
				}
				x.Expect(question)
				x.Type(answer + "\r")
				if word == "used" {
					x.Expect("used already")
				}
			}
			s.ends(e.name, x, e.end)
			if e.record != nil {
				l.lastRecord(e.record)
			} else if len(l.audit()) != before {
				t.Errorf("%s: factord was asked: %v", e.name, l.audit()[before:])
			}
			if used != "" && strings.Contains(x.Screen(), used) {
				t.Errorf("%s: the code is on the screen:\n%s", e.name, x.Screen())
			}
		}
		l.Configure(exemptRule)
		l.Hangup()
		for _, e := range exempted {
			s.stack(e.stack...)
			x := s.begin()
			s.givePassword(x)
			s.ends(e.name, x, e.end)
			l.lastRecord(map[string]string{"verdict": "allow", "basis": "exempt"})
		}
	})
}

// givePassword answers the first question of a stack.
func (s *seat) givePassword(x *pamtest.Terminal) {
	s.t.Helper()
	x.Expect(s.asks)
	x.Type(s.who.Password + "\r")
}

// ends expects an end of a login.
func (s *seat) ends(name string, x *pamtest.Terminal, how end) {
	s.t.Helper()
	x.Expect(s.says[how])
	x.Kill()
	x.Wait()
	screen := x.Screen()
	if strings.Contains(screen, s.says[letIn]) != (how == letIn) || strings.Contains(screen, "Unknown error") {
		s.t.Errorf("%s:\n%s", name, screen)
	}
}

// Whoever goes away from the question takes the attempt along, within cancelTime.
// The machine may be busy with something else, though not each time.
func TestModuleProgramsLeft(t *testing.T) {
	forEachProgram(t, func(t *testing.T, program string) {
		l := newLab(t, factordtest.ProcessOptions{})
		s := sit(t, program, l.Socket, l.who, launch{})
		for name, leave := range map[string]func(x *pamtest.Terminal){
			"killed": (*pamtest.Terminal).Kill,
			"Ctrl-C": (*pamtest.Terminal).Leave,
		} {
			best := time.Hour
			for n := 0; n < 5 && best > cancelTime; n++ {
				x := s.begin()
				x.Expect(prompt)
				if l.Connections() != 1 {
					t.Fatalf("%d connections at the question", l.Connections())
				}
				// Between its question and its read sudo notes a signal and reads on:
				// then another one helps.
				var left time.Time
				pamtest.Await(t, "the end of the attempt", 10*time.Second, func() bool {
					if !left.IsZero() && l.Connections() == 0 {
						return true
					}
					if time.Since(left) > cancelTime {
						leave(x)
						left = time.Now()
					}
					return false
				})
				best = min(best, time.Since(left))
				x.Kill()
				if x.Wait(); strings.Contains(x.Screen(), s.says[letIn]) {
					t.Errorf("%s, and in:\n%s", name, x.Screen())
				}
			}
			if best > cancelTime {
				t.Errorf("%s: the attempt ends %v later", name, best)
			}
		}
		if records := l.audit(); len(records) != 1 { // of the enrolment
			t.Errorf("a question that nobody answered is in the audit ring: %v", records)
		}
	})
}

// Nobody is let in by a factord that is killed at its question, that has gone, or
// that never was.
func TestModuleProgramsGone(t *testing.T) {
	forEachProgram(t, func(t *testing.T, program string) {
		l := newLab(t, factordtest.ProcessOptions{})
		s := sit(t, program, l.Socket, l.who, launch{})
		s.stack("password", "factord")
		x := s.begin()
		s.givePassword(x)
		x.Expect(prompt)
		l.Kill9()
		x.Type(l.code() + "\r")
		s.ends("killed at the question", x, turnedDown)
		x = s.begin()
		s.givePassword(x)
		s.ends("killed before", x, turnedDown)
		if err := os.Remove(l.Socket); err != nil {
			t.Fatal(err)
		}
		x = s.begin()
		s.givePassword(x)
		s.ends("no socket", x, turnedDown)
	})
}

// Parents that wait for no child, and that allow very many descriptors.
func TestModuleProgramsInherit(t *testing.T) {
	forEachProgram(t, func(t *testing.T, program string) {
		l := newLab(t, factordtest.ProcessOptions{})
		s := sit(t, program, l.Socket, l.who, launch{before: "trap '' CHLD; " + manyDescriptors})
		s.stack("password", "factord")
		x := s.begin()
		s.givePassword(x)
		x.Expect(prompt)
		x.Type(l.code() + "\r")
		s.ends("inherited", x, letIn)
	})
}
