// Package pam_test drives the real programs: pamtester, sudo, login and sshd with
// the snippets as they are shipped, and factord with a process, a socket and a
// state of its own. What is proven here is what an admin gets.
package pam_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
	"github.com/factord/factord/pam/pamtest"
)

// wideRule gives a test many codes that are right at once: twenty-one.
const wideRule = "[totp]\nwindow = 10\n" + factordtest.AnyRule

// period is the TOTP step of an enrolment.
const period = 30 * time.Second

// lab is a factord and a person who has a TOTP token.
type lab struct {
	*factordtest.Process
	t     testing.TB
	who   pamtest.Account
	token factordtest.Token
	codes []string // right ones that have not been used, in the order of time
	build build    // of pam_factord.so
}

// newLab starts a factord, unless wideRule is replaced with that configuration.
func newLab(t testing.TB, o factordtest.ProcessOptions) *lab {
	t.Helper()
	factordtest.NeedRoot(t)
	factordtest.NeedProgram(t, "oathtool")
	if o.Config == "" {
		o.Config = wideRule
	}
	l := &lab{t: t, Process: factordtest.StartProcess(t, o), who: pamtest.NewAccount(t, "Correct-horse-7")}
	l.enroll()
	return l
}

// enroll gives the person a token.
func (l *lab) enroll() {
	l.t.Helper()
	l.token = l.MustEnroll(l.who.Name, "totp")
	l.codes = oathTOTP(l.t, l.token, time.Now().Add(-8*period), 16)
}

// code is a right code, another one at each call.
func (l *lab) code() string {
	l.t.Helper()
	if len(l.codes) == 0 {
		l.t.Fatal("no code is left")
	}
	code := l.codes[0]
	l.codes = l.codes[1:]
	return code
}

// wrong is a code that is right at no time near.
func (l *lab) wrong() string {
	l.t.Helper()
	right := oathTOTP(l.t, l.token, time.Now().Add(-30*period), 60)
	for n := 0; ; n++ {
		if code := fmt.Sprintf("%06d", n); !slices.Contains(right, code) {
			return code
		}
	}
}

// auth is what a client says of the person's login.
func (l *lab) auth(service string) wire.Auth {
	return wire.Auth{User: l.who.Name, Service: service}
}

// snippet is a shipped snippet with the paths of this lab.
func (l *lab) snippet(name string) string {
	l.t.Helper()
	text, err := os.ReadFile(filepath.Join("snippets", name))
	if err != nil {
		l.t.Fatal(err)
	}
	const helper, module = "/usr/libexec/factor-helper pam", " pam_factord.so"
	if !strings.Contains(string(text), helper) && !strings.Contains(string(text), module) {
		l.t.Fatalf("snippet %s calls neither %s nor%s", name, helper, module)
	}
	here := strings.ReplaceAll(string(text), helper, l.helper()+" --socket "+l.Socket+" pam")
	return strings.ReplaceAll(here, module, " "+factordtest.Module(l.t)+" socket="+l.Socket)
}

func (l *lab) helper() string { return filepath.Join(factordtest.Build(l.t), "factor-helper") }

// audit returns the audit records of the person, and checks the chain.
func (l *lab) audit() []map[string]any {
	l.t.Helper()
	return l.MustCall(wire.Command(wire.VerbAudit, "user", l.who.Name, "last", "10000"))
}

// lastRecord fails the test unless the person's last audit record says so.
func (l *lab) lastRecord(want map[string]string) {
	l.t.Helper()
	records := l.audit()
	if len(records) == 0 {
		l.t.Fatal("there is no audit record")
	}
	last := records[len(records)-1]
	for key, value := range want {
		if got, _ := last[key].(string); got != value {
			l.t.Errorf("audit record: %s is %q, want %q: %v", key, got, value, last)
		}
	}
}

// oathTOTP returns the codes of n steps from a time on, by oathtool.
func oathTOTP(t testing.TB, tok factordtest.Token, from time.Time, n int) []string {
	t.Helper()
	return oathtool(t, "--totp", "-b", "--now", from.UTC().Format("2006-01-02 15:04:05 UTC"), "-w", fmt.Sprint(n-1), tok.Secret())
}

func oathtool(t testing.TB, args ...string) []string {
	t.Helper()
	out, err := exec.Command("oathtool", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("oathtool %q: %v\n%s", args, err, out)
	}
	return strings.Fields(string(out))
}

// run runs a command with a text on its standard input and returns its exit
// status and what it wrote.
func run(t testing.TB, stdin string, cmd *exec.Cmd) (int, string) {
	t.Helper()
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%q: %v", cmd.Args, err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}
