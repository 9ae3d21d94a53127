package pam_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
	"github.com/factord/factord/pam/pamtest"
)

// What pamtester says of the PAM codes.
const (
	saysSuccess = "successfully authenticated"
	saysIgnore  = "Permission denied" // all that is left of a stack that ignores
	saysAuthErr = "Authentication failure"
	saysMaxTry  = "Have exhausted maximum number of retries for service"
	saysUnavail = "Authentication service cannot retrieve authentication info"
	saysAbort   = "Critical error - immediate abort"
)

// script is a factord that says its lines whatever it hears: "<" waits for a line
// first, and the last part is sent before it closes.
type script struct {
	t      *testing.T
	socket string
	lines  chan []string
	heard  chan string // the lines waited for, if it is made
	build  build
}

func newScript(t *testing.T) *script {
	t.Helper()
	s := &script{t: t, socket: filepath.Join(factordtest.OpenDir(t), "f.sock"), lines: make(chan []string, 3)}
	l, err := net.Listen("unix", s.socket)
	if err != nil {
		t.Fatal(err)
	}
	s.serve(l)
	return s
}

func (s *script) serve(l net.Listener) {
	s.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.say(c, <-s.lines)
		}
	}()
}

func (s *script) say(c net.Conn, lines []string) {
	defer c.Close()
	r := bufio.NewReader(c)
	for _, line := range lines {
		if line == "<" {
			heard, _ := r.ReadString('\n')
			select {
			case s.heard <- heard:
			default:
			}
			continue
		}
		io.WriteString(c, line)
	}
}

// asked returns what pamtester says of a login at which factord says lines.
func (s *script) asked(service string, lines ...string) string {
	s.t.Helper()
	s.lines <- lines
	_, out := run(s.t, "123456\n", s.build.command("pamtester", service, "root", "authenticate"))
	if complaint(out) {
		s.t.Error(out)
	}
	return out
}

// line joins the lines of a factord after its greeting and AUTH.
func after(lines ...string) []string {
	return append([]string{wire.Greeting + "\n", "<"}, strings.Join(lines, "\n")+"\n")
}

func scripted(t *testing.T, b build) (*script, string) {
	t.Helper()
	factordtest.NeedRoot(t)
	factordtest.NeedProgram(t, "pamtester")
	s := newScript(t)
	s.build = b
	return s, s.service("")
}

// service installs a stack of the module alone.
func (s *script) service(args string) string {
	s.t.Helper()
	module := s.build.module(s.t)
	return pamtest.Service(s.t, fmt.Sprintf("auth required %s socket=%s %s\naccount required %s socket=%s gate %s\n",
		module, s.socket, args, module, s.socket, args))
}

// Each verdict has the PAM code of the wire's table.
func TestModuleVerdicts(t *testing.T) {
	t.Parallel()
	verdicts(t, build{})
}

func verdicts(t *testing.T, b build) {
	s, service := scripted(t, b)
	for basis, want := range map[string]string{
		"factor factor=totp rule=a%20b": saysSuccess, "remembered": saysSuccess, "exempt": saysIgnore,
		"not-enrolled rule=#1": saysIgnore, "audit would=101": saysIgnore, "unavailable": saysIgnore,
	} {
		if got := s.asked(service, after("S VERDICT allow basis="+basis, "OK")...); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", basis, got, want)
		}
	}
	codes := map[wire.Reason]string{
		wire.ReasonLocked: saysMaxTry, wire.ReasonRateLimited: saysMaxTry, wire.ReasonAttempts: saysMaxTry, wire.ReasonPushDenied: saysMaxTry,
		wire.ReasonUnavailable: saysUnavail, wire.ReasonTimeout: saysUnavail, wire.ReasonProtocol: saysUnavail, wire.ReasonInternal: saysUnavail,
		wire.ReasonCancelled: saysAbort,
	}
	for r := wire.ReasonDenied; r <= wire.ReasonPushDenied; r++ {
		want := codes[r]
		if want == "" {
			want = saysAuthErr
		}
		status, final := wire.Verdict{Reason: r, Text: "what to do\x1b[2J"}.Lines()
		got := s.asked(service, after(status, final)...)
		if !strings.Contains(got, want) || !strings.Contains(got, "what to do?[2J") {
			t.Errorf("%v: %q, want %q", r, got, want)
		}
	}
}

// Whatever factord does not say refuses, and never as a code that "sufficient" or
// a jump could take for an allow.
func TestModuleGrammar(t *testing.T) {
	t.Parallel()
	refuses(t, build{})
}

func refuses(t *testing.T, b build) {
	s, service := scripted(t, b)
	for name, lines := range grammar {
		if got := s.asked(service, lines...); !strings.Contains(got, saysUnavail) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

const allow, deny = "S VERDICT allow basis=factor", "S VERDICT deny reason=denied"

// grammar is what factord does not say.
var grammar = map[string][]string{
	"silence":               {},
	"another greeting":      {"OK gpg-agent\n"},
	"a later version":       {"OK factord 11\n"},
	"half a greeting":       {"OK factord 1"},
	"allow without AUTH":    {wire.Greeting + "\n" + allow + "\nOK\n"},
	"no final line":         after(allow),
	"allow and ERR":         after(allow, "ERR 101 denied"),
	"allow and nonsense":    after(allow, "OKAY"),
	"lower case":            after(allow, "ok"),
	"text between":          after(allow, "S INFO hello", "OK"),
	"two verdicts":          after(allow, allow, "OK"),
	"something after OK":    after(allow, "OK", deny),
	"OK alone":              after("OK"),
	"ERR alone":             after("ERR 101 denied"),
	"no basis":              after("S VERDICT allow", "OK"),
	"unknown basis":         after("S VERDICT allow basis=trust", "OK"),
	"empty basis":           after("S VERDICT allow basis=", "OK"),
	"basis twice":           after("S VERDICT allow basis=factor basis=factor", "OK"),
	"unknown key":           after(allow+" more=1", "OK"),
	"no key":                after(allow+" more", "OK"),
	"two spaces":            after("S VERDICT allow  basis=factor", "OK"),
	"bad escape":            after(allow+" rule=%zz", "OK"),
	"cut escape":            after(allow+" rule=%4", "OK"),
	"escaped NUL":           after(allow+" rule=a%00b", "OK"),
	"control character":     after(allow+" rule=a%0Ab", "OK"),
	"C1 control":            after(allow+" rule=%C2%9B", "OK"),
	"reason in allow":       after(allow+" reason=denied", "OK"),
	"would without audit":   after(allow+" would=101", "OK"),
	"audit without would":   after("S VERDICT allow basis=audit", "OK"),
	"would out of range":    after("S VERDICT allow basis=audit would=115", "OK"),
	"would no number":       after("S VERDICT allow basis=audit would=1x1", "OK"),
	"neither":               after("S VERDICT maybe basis=factor", "OK"),
	"deny and OK":           after(deny, "OK"),
	"another number":        after(deny, "ERR 102 denied"),
	"unknown reason":        after("S VERDICT deny reason=tired", "ERR 101 denied"),
	"no reason":             after("S VERDICT deny", "ERR 101 denied"),
	"basis in deny":         after(deny+" basis=factor", "ERR 101 denied"),
	"a NUL in a line":       after("S VERDICT allow basis=factor\x00", "OK"),
	"a line of 1001":        after(allow+" rule="+strings.Repeat("a", 1001-len(allow)-6), "OK"),
	"an endless line":       after(strings.Repeat("x", 1<<20)),
	"an unknown status":     after("S PROGRESS 1", allow, "OK"),
	"enrolling twice":       after("S ENROLLING", "S ENROLLING", allow, "OK"),
	"enrolling, more to it": after("S ENROLLING 1000", allow, "OK"),
	"enrolling, lower case": after("S enrolling", allow, "OK"),
	"enrolling too late":    append(after("INQUIRE SECRET Passcode:%20"), "<", "<", "S ENROLLING\n"+allow+"\nOK\n"),
	"enrolled before AUTH":  {"OK factord 1\nS ENROLLING\n", "<", allow + "\nOK\n"},
	"a bad escape in INFO":  after("S INFO %", allow, "OK"),
	"a bad escape in text":  after("INQUIRE SECRET %4", allow, "OK"),
	"verdict with no space": after("S VERDICTallow basis=factor", "OK"),
}
