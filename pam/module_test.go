package pam_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/pam/pamtest"
)

// moduleLine is a line of a PAM service with pam_factord.so in it.
func (l *lab) moduleLine(kind, control, args string) string {
	l.t.Helper()
	return fmt.Sprintf("%s %s %s socket=%s %s\n", kind, control, l.build.module(l.t), l.Socket, args)
}

// tests runs pamtester with answers, one a line, and returns what it says.
func (l *lab) tests(service, answers string, operations ...string) string {
	l.t.Helper()
	factordtest.NeedProgram(l.t, "pamtester")
	if len(operations) == 0 {
		operations = []string{"authenticate"}
	}
	_, out := run(l.t, answers, l.build.command(append([]string{"pamtester", service, l.who.Name}, operations...)...))
	if complaint(out) {
		l.t.Error(out)
	}
	return out
}

func TestModule(t *testing.T) {
	t.Parallel()
	logins(t, build{})
}

func logins(t *testing.T, b build) {
	l := newLab(t, factordtest.ProcessOptions{})
	l.build = b
	service := pamtest.Service(t, l.moduleLine("auth", "required", "first"))
	code := l.code()
	backup := l.MustEnroll(l.who.Name, "backup").Codes[0]
	for _, step := range []struct {
		name, answers, says string
		record              map[string]string
	}{
		{"right", code + "\n", saysSuccess, map[string]string{"verdict": "allow", "basis": "factor", "factor": "totp", "service": service}},
		{"replayed", code + "\n", "used already", nil},
		{"wrong and then right", l.wrong() + "\n" + l.code() + "\n", saysSuccess, map[string]string{"verdict": "allow"}},
		{"wrong three times", strings.Repeat(l.wrong()+"\n", 3), saysMaxTry, map[string]string{"reason": "attempts"}},
		{"backup", backup + "\n", saysSuccess, map[string]string{"factor": "backup"}},
	} {
		if got := l.tests(service, step.answers); !strings.Contains(got, step.says) {
			t.Errorf("%s: %q", step.name, got)
		}
		if step.record != nil {
			l.lastRecord(step.record)
		}
	}
}

// A mistake in an argument refuses, and is no PAM_IGNORE.
func TestModuleArguments(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{})
	for _, arg := range []string{"nullok", "timeout=", "timeout=0", "timeout=-1", "timeout=601", "timeout=1x", "conv=tty", "conv=",
		"single_field=5", "single_field=9", "single_field=6x", "single_field=yubico:31", "single_field=yubico:65", "first=1", "gate=1", "need_key=1", "socket=relative"} {
		service := pamtest.Service(t, l.moduleLine("auth", "required", arg)+l.moduleLine("account", "required", arg))
		for _, operation := range []string{"authenticate", "acct_mgmt"} {
			if got := l.tests(service, "123456\n", operation); !strings.Contains(got, "Error in service module") {
				t.Errorf("%s, %s: %q", arg, operation, got)
			}
		}
	}
}

// An exempt user is let in by what stands behind, never by this line.
func TestModuleSufficient(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{Config: "[[rule]]\nmode = \"exempt\"\n"})
	service := pamtest.Service(t, l.moduleLine("auth", "sufficient", "")+"auth required pam_deny.so\n")
	if got := l.tests(service, "\n"); !strings.Contains(got, saysAuthErr) {
		t.Errorf("sufficient and exempt: %q", got)
	}
	service = pamtest.Service(t, l.moduleLine("auth", "required", "")+"auth required pam_permit.so\n")
	if got := l.tests(service, "\n"); !strings.Contains(got, saysSuccess) {
		t.Errorf("required and exempt: %q", got)
	}
}

// The mark of auth opens the gate once, for the login that it was made in.
func TestModuleGate(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{})
	both := l.moduleLine("auth", "required", "") + "auth required pam_permit.so\n"
	gated := pamtest.Service(t, both+l.moduleLine("account", "required", "gate")+"account required pam_permit.so\n")
	open := pamtest.Service(t, both+l.moduleLine("account", "required", "")+"account required pam_permit.so\n")
	const done = "account management done"
	if got := l.tests(gated, l.code()+"\n", "authenticate", "acct_mgmt"); !strings.Contains(got, done) {
		t.Errorf("after a factor: %q", got)
	}
	if got := l.tests(gated, l.code()+"\n", "authenticate", "acct_mgmt", "acct_mgmt"); strings.Count(got, done) != 1 {
		t.Errorf("the mark counts twice: %q", got)
	}
	if got := l.tests(gated, "", "acct_mgmt"); strings.Contains(got, done) {
		t.Errorf("without auth: %q", got)
	}
	if got := l.tests(open, "", "acct_mgmt"); !strings.Contains(got, done) {
		t.Errorf("without gate the account phase is nobody's: %q", got)
	}
	l.Stop()
	if got := l.tests(gated, "", "acct_mgmt"); !strings.Contains(got, saysUnavail) || strings.Contains(got, done) {
		t.Errorf("without factord: %q", got)
	}
}

// One field for both: its end is the code, and pam_unix gets the rest.
func TestModuleSingleField(t *testing.T) {
	t.Parallel()
	singleFields(t, build{})
}

func singleFields(t *testing.T, b build) {
	l := newLab(t, factordtest.ProcessOptions{})
	l.build = b
	service := pamtest.Service(t, l.moduleLine("auth", "required", "single_field=6")+"auth required pam_unix.so use_first_pass\n")
	for _, tc := range []struct {
		name, field string
		in          bool
	}{
		{"password and code", l.who.Password + l.code(), true},
		{"password and a wrong code", l.who.Password + l.wrong(), false},
		{"a wrong password and a code", "x" + l.code(), false},
		{"a password alone", l.who.Password, false},
		{"a code alone", l.code(), false},
		{"the code in front", l.code() + l.who.Password, false},
		{"nothing", "", false},
	} {
		got := l.tests(service, tc.field+"\n")
		if strings.Contains(got, saysSuccess) != tc.in {
			t.Errorf("%s: %q", tc.name, got)
		}
	}
	l.Kill9()
	if got := l.tests(service, l.who.Password+l.code()+"\n"); strings.Contains(got, saysSuccess) {
		t.Errorf("without factord: %q", got)
	}
}
