package pam_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/pam/pamtest"
)

// google is pam_google_authenticator with the secret of the lab's token.
func (l *lab) google(args string) string {
	l.t.Helper()
	state := filepath.Join(factordtest.OpenDir(l.t), "state")
	if l.token.ID != "" {
		text := l.token.Secret() + "\n\" WINDOW_SIZE 21\n\" DISALLOW_REUSE\n\" TOTP_AUTH\n"
		if err := os.WriteFile(state, []byte(text), 0o600); err != nil {
			l.t.Fatal(err)
		}
	}
	return fmt.Sprintf("pam_google_authenticator.so user=root secret=%s %s\n", state, args)
}

// stacks are the places of a second factor beside a password: how often each is
// asked for comes from the order, and what a refusal means from the control.
var stacks = []struct{ name, before, after string }{
	{"alone", "", ""},
	{"before pam_unix", "", "auth required pam_unix.so nodelay\n"},
	{"after pam_unix", "auth required pam_unix.so nodelay\n", ""},
	{"after requisite pam_unix", "auth requisite pam_unix.so nodelay\n", ""},
	{"before pam_deny", "", "auth required pam_deny.so\n"},
	{"before pam_permit", "", "auth required pam_permit.so\n"},
}

// Whoever exchanges pam_google_authenticator for pam_factord in a stack finds that
// the same logins succeed. Two differences are meant, and are answered here: factord
// asks again after a wrong code, so a wrong login has three of them, and it asks
// nothing of who needs no code.
func TestModuleStacks(t *testing.T) {
	t.Parallel()
	for _, control := range []string{"required", "requisite", "sufficient", "optional", "[success=1 default=ignore]"} {
		t.Run(control, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, factordtest.ProcessOptions{})
			google := l.google("")
			in := map[bool]int{}
			for _, s := range stacks {
				ours := pamtest.Service(t, s.before+l.moduleLine("auth", control, "")+s.after+"auth optional pam_permit.so\n")
				theirs := pamtest.Service(t, s.before+"auth "+control+" "+google+s.after+"auth optional pam_permit.so\n")
				if control[0] == '[' && s.name == "alone" {
					continue // there is nothing to jump over
				}
				for _, password := range []string{l.who.Password, "wrong"} {
					in[l.same(s.name+", wrong code, "+password, ours, theirs, password, strings.Repeat(l.wrong()+"\n", 3), l.wrong()+"\n", s.before != "")]++
					code := l.code() + "\n"
					in[l.same(s.name+", right code, "+password, ours, theirs, password, code, code, s.before != "")]++
					if s.before+s.after == "" || strings.Contains(s.after, "pam_deny") || strings.Contains(s.after, "pam_permit") {
						break // nobody asks for the password
					}
				}
			}
			if in[true] < 3 || in[false] < 3 {
				t.Errorf("%d logins succeed and %d are refused: nothing is compared", in[true], in[false])
			}
		})
	}
}

// Nor does it differ who is in without a code: nullok is a rule of mode "enrolled".
func TestModuleStacksNotEnrolled(t *testing.T) {
	t.Parallel()
	factordtest.NeedRoot(t)
	l := &lab{t: t, who: pamtest.NewAccount(t, "Correct-horse-7"),
		Process: factordtest.StartProcess(t, factordtest.ProcessOptions{Config: "[[rule]]\nmode = \"enrolled\"\nfactors = [\"totp\"]\n"})}
	google := l.google("nullok")
	for _, control := range []string{"required", "requisite", "sufficient", "optional"} {
		for _, s := range stacks {
			ours := pamtest.Service(t, s.before+l.moduleLine("auth", control, "")+s.after)
			theirs := pamtest.Service(t, s.before+"auth "+control+" "+google+s.after)
			for _, password := range []string{l.who.Password, "wrong"} {
				l.same(control+" "+s.name+", "+password, ours, theirs, password, "", "", s.before != "")
			}
		}
	}
}

// same runs both stacks, fails the test unless they agree, and returns whether they
// let in.
func (l *lab) same(name, ours, theirs, password, ourCode, theirCode string, passwordFirst bool) bool {
	l.t.Helper()
	login := func(service, code string) (bool, string) {
		typed := code + password + "\n"
		if passwordFirst {
			typed = password + "\n" + code
		}
		status, out := run(l.t, typed, exec.Command("pamtester", service, l.who.Name, "authenticate"))
		return status == 0, out
	}
	our, ourText := login(ours, ourCode)
	their, theirText := login(theirs, theirCode)
	if our != their {
		l.t.Errorf("%s: pam_factord %v: %q; pam_google_authenticator %v: %q", name, our, ourText, their, theirText)
	}
	return our
}
