package pam_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/pam/pamtest"
)

// trialControl passes over a factord that is not there, and nothing else: without
// authinfo_unavail=ignore it is what PAM takes "required" for.
const trialControl = "[success=ok ignore=ignore authinfo_unavail=ignore default=bad]"

// shown is what sshd tells modules when it has verified a key.
var shown = []string{"-I", "tty=ssh", "-E", "SSH_AUTH_INFO_0=publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINotAKey"}

// stackSnippet is a snippet with the module, as pamtester runs it.
type stackSnippet struct {
	name     string
	password bool     // is asked for, before the code
	field    bool     // password and code are one answer, to a program of the user's
	setuid   bool     // the program is root's and the caller a user
	options  []string // of pamtester
}

var stackSnippets = []stackSnippet{
	{name: "sshd", options: shown},
	{name: "sudo", password: true},
	{name: "login", password: true},
	{name: "su", password: true, setuid: true},
	{name: "polkit", password: true},
	{name: "gdm-password", password: true},
	{name: "locker", field: true},
}

// typed is what the person types who has the password and a code.
func (s stackSnippet) typed(password, code string) string {
	if s.field {
		return password + code + "\n"
	}
	if s.password {
		return password + "\n" + code + "\n"
	}
	return code + "\n"
}

const saysEstablished = "credential info has successfully been set"

// enters runs all of a login through a stack and returns whether it gets in, and
// what is said.
func (l *lab) enters(s stackSnippet, stack, typed string, wrap ...string) (bool, string) {
	l.t.Helper()
	argv := append([]string{"pamtester"}, s.options...)
	argv = append(argv, pamtest.Service(l.t, stack), l.who.Name, "authenticate", "acct_mgmt", "setcred")
	if s.field {
		argv = append(l.who.Become(), argv...)
	}
	if s.setuid {
		argv = append([]string{"setpriv", fmt.Sprint("--ruid=", l.who.UID)}, argv...)
	}
	status, out := run(l.t, typed, build{wrap: wrap}.command(argv...))
	in := strings.Contains(out, saysEstablished)
	if in != (status == 0) {
		l.t.Errorf("exit %d: %q", status, out)
	}
	return in, out
}

// snippetLab is a lab with the rule in a snippet's comment, for any service.
func snippetLab(t *testing.T, name string) *lab {
	t.Helper()
	rule := regexp.MustCompile(`(?m)^(services|subject) = .*\n`).ReplaceAllString(snippetRule(t, name), "")
	return newLab(t, factordtest.ProcessOptions{Config: rule})
}

// snippetRule is a configuration with the rule in a snippet's comment.
func snippetRule(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("snippets", name))
	if err != nil {
		t.Fatal(err)
	}
	return "[totp]\nwindow = 10\n" + ruleOf(t, string(text))
}

// trialOf is a snippet with its trial lines in the place of those below them.
func trialOf(t *testing.T, text string) string {
	t.Helper()
	lines := regexp.MustCompile(`(?m)^#((?:auth|account) +` + regexp.QuoteMeta(trialControl) + ` .*\n)(?:auth|account) +required .*\n`)
	active := strings.Count(lines.ReplaceAllString(text, ""), "required  "+factordtest.Module(t))
	if !lines.MatchString(text) || active != 0 {
		t.Fatalf("%d lines have no trial line above them", active)
	}
	return lines.ReplaceAllString(text, "$1")
}

// What every snippet says, and that "first" stands behind a first factor alone.
func TestSnippetFiles(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("snippets/*")
	if err != nil || len(paths) < len(stackSnippets) {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text := string(data)
		says := []string{"\n# Break-glass: ", "\n# What this does not stop"}
		if strings.Contains(text, " pam_factord.so") {
			says = append(says, "FAILS OPEN", "\n#   [[rule]]\n", "\n#   services = [", " "+trialControl+" ")
			if !slices.ContainsFunc(stackSnippets, func(s stackSnippet) bool { return s.name == filepath.Base(path) }) {
				t.Errorf("%s: no test runs it", path)
			}
		}
		if strings.Contains(text, "\n@include common-auth\n") {
			says = append(says, "nullok")
		}
		for _, want := range says {
			if !strings.Contains(text, want) {
				t.Errorf("%s does not say %q", path, want)
			}
		}
		before, _, found := strings.Cut(text, "pam_factord.so first")
		if found && !strings.Contains(before, "\n@include common-auth\n") {
			t.Errorf("%s: \"first\" without a first factor", path)
		}
	}
}

// With the rule that a snippet names, each lets in who has both factors, stops who
// has one of them, and lets in without a code who has none, as the rule says. (PAM
// refuses where every module of a stack has said PAM_IGNORE.)
func TestSnippets(t *testing.T) {
	t.Parallel()
	for _, s := range stackSnippets {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			l := snippetLab(t, s.name)
			stack := l.snippet(s.name)
			code := l.code()
			if in, out := l.enters(s, stack, s.typed(l.who.Password, code)); !in {
				t.Errorf("both factors: %q", out)
			}
			if in, out := l.enters(s, stack, s.typed(l.who.Password, code)); in {
				t.Errorf("a code used twice: %q", out)
			}
			if s.password || s.field {
				before := len(l.audit())
				if in, out := l.enters(s, stack, s.typed("not it", l.code())); in {
					t.Errorf("a wrong password: %q", out)
				}
				if asked := len(l.audit()) != before; asked != s.field {
					t.Errorf("after a wrong password factord was asked: %v", asked)
				}
			}
			l.who = pamtest.NewAccount(t, l.who.Password)
			if in, out := l.enters(s, stack, s.typed(l.who.Password, "")); in != (s.name != "su") { // the rule of su is "require"
				t.Errorf("not enrolled: %q", out)
			}
		})
	}
}

// A trial line lets the login go on when factord is not there, and the log says so
// each time. The shipped line does not, and a refusal is one under both.
func TestSnippetsTrial(t *testing.T) {
	t.Parallel()
	for _, s := range stackSnippets {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			l := snippetLab(t, s.name)
			shipped := l.snippet(s.name)
			trial := trialOf(t, shipped)
			if in, out := l.enters(s, trial, s.typed(l.who.Password, l.wrong())+strings.Repeat(l.wrong()+"\n", 3)); in {
				t.Errorf("refused, under the trial line: %q", out)
			}
			if in, out := l.enters(s, trial, s.typed(l.who.Password, l.code())); !in {
				t.Errorf("right code, under the trial line: %q", out)
			}
			l.Kill9()
			if err := os.Remove(l.Socket); err != nil {
				t.Fatal(err)
			}
			syslog := newSyslog(t)
			if in, out := l.enters(s, shipped, s.typed(l.who.Password, ""), syslog.wrap...); in {
				t.Errorf("without factord: %q", out)
			}
			syslog.await("nobody answers", 1)
			if in, out := l.enters(s, trial, s.typed(l.who.Password, ""), syslog.wrap...); !in {
				t.Errorf("without factord, under the trial line: %q", out)
			}
			syslog.await("nobody answers", 2)
			if !s.field { // for the others it is common-auth that ends the stack
				return
			}
			if in, out := l.enters(s, trial, s.typed("not it", ""), syslog.wrap...); in {
				t.Errorf("a wrong password, under the trial line: %q", out)
			}
		})
	}
}

// What the trial line costs beside that is said in each snippet: a question that
// nobody answers in time lets in too.
func TestSnippetTrialTime(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{})
	line := " " + build{}.module(t) + " socket=" + l.Socket + " timeout=1\nauth required pam_permit.so\n"
	for control, in := range map[string]bool{"required": false, trialControl: true} {
		got := build{}.app(t, pamtest.Service(t, "auth "+control+line), l.who.Name, "behaviour=sleeps", "authenticate")
		if strings.Contains(got, "authenticate: Success") != in {
			t.Errorf("%s: %q", control, got)
		}
	}
}

// syslog is what programs say to /dev/log, in a mount namespace where it is ours.
type syslog struct {
	t    testing.TB
	wrap []string // the command that runs a program there

	mu   sync.Mutex
	text strings.Builder
}

func newSyslog(t testing.TB) *syslog {
	t.Helper()
	dir := factordtest.OpenDir(t)
	path := filepath.Join(dir, "log")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err == nil {
		err = os.Chmod(path, 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	s := &syslog{t: t, wrap: []string{"unshare", "--mount", "--propagation", "private", "sh", "-c",
		`for d in null urandom; do touch "$0/$d" && mount --bind "/dev/$d" "$0/$d" || exit; done; mount --rbind "$0" /dev && exec "$@"`, dir}}
	go func() {
		var buf [4096]byte
		for {
			n, err := conn.Read(buf[:])
			if err != nil {
				return
			}
			s.mu.Lock()
			s.text.Write(append(buf[:n], '\n'))
			s.mu.Unlock()
		}
	}()
	return s
}

// await waits until a text has been logged n times or more.
func (s *syslog) await(text string, n int) {
	s.t.Helper()
	pamtest.Await(s.t, "a line of the log", 10*time.Second, func() bool { return s.count(text) >= n })
}

func (s *syslog) has(text string) bool { return s.count(text) > 0 }

func (s *syslog) count(text string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Count(s.text.String(), text)
}
