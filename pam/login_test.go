package pam_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/pam/pamtest"
)

// login starts login(1) in a mount namespace of its own, where other files are
// in the place of some of /etc. It is all of /etc that is another there: a file that
// is mounted over /etc/shadow is gone when another test changes an account.
func (l *lab) login(user string, replace map[string]string) *pamtest.Terminal {
	l.t.Helper()
	factordtest.NeedProgram(l.t, "login")
	factordtest.NeedProgram(l.t, "unshare")
	etc := factordtest.OpenDir(l.t)
	pamtest.CopyEtc(l.t, etc)
	for path, text := range replace {
		if err := os.WriteFile(filepath.Join(etc, strings.TrimPrefix(path, "/etc/")), []byte(text), 0o600); err != nil {
			l.t.Fatal(err)
		}
	}
	x := pamtest.NewTerminal(l.t)
	x.Start(nil, "unshare", "--mount", "--propagation", "private", "sh", "-c", "mount --bind "+etc+" /etc && exec login "+user)
	return x
}

// factordFirst is the snippet with the code before the password. It has no
// break-glass: the line for root would let root in without a password.
func factordFirst(t *testing.T, snippet string) string {
	t.Helper()
	helper := regexp.MustCompile(`(?m)^auth .*pam_exec.*\n`).FindString(snippet)
	if helper == "" {
		t.Fatal("the snippet has no line with pam_exec")
	}
	rest := regexp.MustCompile(`(?m)^auth .*(pam_exec|pam_succeed_if).*\n`).ReplaceAllString(snippet, "")
	return strings.Replace(rest, "@include common-auth\n", helper+"@include common-auth\n", 1)
}

func TestLogin(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{})
	after := l.snippet("login-pam_exec")
	for _, order := range []struct {
		name, text, first, second string
	}{
		{"password, code", after, "Password: ", "Passcode: "},
		{"code, password", factordFirst(t, after), "Passcode: ", "Password: "},
	} {
		answers := map[string]string{"Password: ": l.who.Password, "Passcode: ": l.code()}
		x := l.login(l.who.Name, map[string]string{"/etc/pam.d/login": order.text})
		x.Expect(order.first)
		x.Type(answers[order.first] + "\r")
		x.Expect(order.second)
		x.Type(answers[order.second] + "\r")
		x.Expect("$ ")
		x.Type("echo I am $(id -un); exit\r")
		x.Expect("I am " + l.who.Name)
		if status := x.Wait(); status != 0 {
			t.Errorf("%s: exit %d\n%s", order.name, status, x.Screen())
		}
		l.lastRecord(map[string]string{"verdict": "allow", "factor": "totp", "service": "login", "tty": x.Name})
	}
}

// Whatever is wrong, the code or the password, login asks for a name again.
func TestLoginRefused(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{})
	x := l.login(l.who.Name, map[string]string{"/etc/pam.d/login": l.snippet("login-pam_exec")})
	x.Expect("Password: ")
	x.Type("not it\r")
	x.Expect("Login incorrect")
	if len(l.audit()) != 1 { // of the enrolment
		t.Errorf("a wrong password got as far as factord: %v", l.audit())
	}
	x = l.login(l.who.Name, map[string]string{"/etc/pam.d/login": l.snippet("login-pam_exec")})
	x.Expect("Password: ")
	x.Type(l.who.Password + "\r")
	for range 3 {
		x.Expect("Passcode: ")
		x.Type(l.wrong() + "\r")
	}
	x.Expect("too many wrong answers")
	x.Expect("Login incorrect")
	if strings.Contains(x.Screen(), "$ ") {
		t.Errorf("a shell after wrong codes:\n%s", x.Screen())
	}
}

// Break-glass: with factord dead, root gets in on the console with the password,
// and nobody else does.
func TestBreakGlass(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{})
	l.Kill9()
	replace := map[string]string{"/etc/pam.d/login": l.snippet("login-pam_exec"), "/etc/shadow": l.shadowForRoot()}
	x := l.login("root", replace)
	x.Expect("Password: ")
	x.Type(l.who.Password + "\r")
	x.Expect("# ")
	x.Type("echo I am $(id -un); exit\r")
	x.Expect("I am root")
	if status := x.Wait(); status != 0 {
		t.Errorf("root: exit %d\n%s", status, x.Screen())
	}
	x = l.login(l.who.Name, replace)
	x.Expect("Password: ")
	x.Type(l.who.Password + "\r")
	x.Expect("Login incorrect")
}

// shadowForRoot is the machine's shadow file, in which root has the person's
// password.
func (l *lab) shadowForRoot() string {
	l.t.Helper()
	text, err := os.ReadFile("/etc/shadow")
	if err != nil {
		l.t.Fatal(err)
	}
	hash := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(l.who.Name) + `:([^:]+):`).FindSubmatch(text)
	if hash == nil {
		l.t.Fatalf("no password of %s in /etc/shadow", l.who.Name)
	}
	return regexp.MustCompile(`(?m)^root:[^:]*:`).ReplaceAllLiteralString(string(text), "root:"+string(hash[1])+":")
}
