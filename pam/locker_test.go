package pam_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/pam/pamtest"
)

// vlock starts the real vlock under a stack. It is setuid root as it is installed; a
// copy of it is a program of the user's.
func (m machine) vlock(stack string, setuid bool) *pamtest.Terminal {
	m.t.Helper()
	program := factordtest.NeedProgram(m.t, "/usr/sbin/vlock-main")
	if !setuid {
		text, err := os.ReadFile(program)
		program = filepath.Join(ownDir(m.t, m.who), "vlock-main")
		if err == nil {
			err = os.WriteFile(program, text, 0o755)
		}
		if err != nil {
			m.t.Fatal(err)
		}
	}
	m.write("/etc/pam.d/vlock", stack)
	x := pamtest.NewTerminal(m.t)
	x.Start(nil, m.in(append(m.who.Become(), "env", "VLOCK_MESSAGE=locked", "USER="+m.who.Name, "HOME=/", "TERM=vt100", program)...)...)
	x.Expect("locked")
	return x
}

// asks waits until vlock reads an answer. It throws away what was typed before that,
// at a time that the terminal does not show.
func asks(x *pamtest.Terminal, t *testing.T, question string) {
	t.Helper()
	x.ExpectSecret(question)
	pamtest.Await(t, "vlock's read", 20*time.Second, func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", x.PID()))
		_, state, _ := strings.Cut(string(stat), ") ")
		return err != nil || strings.HasPrefix(state, "S") // asleep, and so not before it
	})
}

// lockers is a machine with the rule of the snippet, for vlock.
func lockers(t *testing.T, callers string) machine {
	t.Helper()
	rule := snippetRule(t, "locker")
	for shipped, here := range map[string]string{`"swaylock"`: `"vlock"`, `callers = ["user"]`: "callers = [" + callers + "]"} {
		if strings.Count(rule, shipped) != 1 {
			t.Fatalf("the snippet's rule has no %s", shipped)
		}
		rule = strings.Replace(rule, shipped, here, 1)
	}
	return newMachine(t, rule)
}

// A real locker, as the user and as root's: one answer has both.
func TestSnippetLocker(t *testing.T) {
	t.Parallel()
	for callers, setuid := range map[string]bool{`"user"`: false, `"root", "user"`: true} {
		m := lockers(t, callers)
		code, password := m.code(), m.who.Password
		type try struct {
			answer string
			opens  bool
		}
		tries := []try{{password + code, true}, {password + m.wrong(), false}, {"not it" + m.code(), false}}
		if !setuid {
			tries = append(tries, try{password + code, false}, try{password, false}, try{m.code(), false})
		}
		for _, tc := range tries {
			x := m.vlock(m.snippet("locker"), setuid)
			x.Type("\r")
			asks(x, t, m.who.Name+"'s Password: ")
			x.Type(tc.answer + "\r")
			if !tc.opens {
				x.Expect("Authentication failure")
				x.Kill()
			}
			if status := x.Wait(); (status == 0) != tc.opens {
				t.Errorf("setuid %v, %q: exit %d\n%s", setuid, tc.answer, status, x.Screen())
			}
		}
	}
}

// vlock lets root open the screen too. As the user's it can ask factord for nobody
// but the user.
func TestSnippetLockerRoot(t *testing.T) {
	t.Parallel()
	m := lockers(t, `"user"`)
	x := m.vlock(m.snippet("locker"), false)
	x.Type("\r")
	asks(x, t, "Password: ")
	x.Type("not it\r")
	asks(x, t, "root's Password: ")
	x.Type(m.who.Password + m.code() + "\r") // it is root's too on this machine
	x.Expect("you can ask for yourself only")
	x.Expect("Authentication failure")
}

// A locker that asks two questions needs no single field.
func TestLockerTwoQuestions(t *testing.T) {
	t.Parallel()
	m := lockers(t, `"user"`)
	x := m.vlock(m.snippet("sudo"), false)
	x.Type("\r")
	asks(x, t, "Password: ")
	x.Type(m.who.Password + "\r")
	asks(x, t, prompt)
	x.Type(m.code() + "\r")
	if status := x.Wait(); status != 0 {
		t.Errorf("exit %d\n%s", status, x.Screen())
	}
	m.lastRecord(map[string]string{"verdict": "allow", "factor": "totp", "service": "vlock"})
}
