package pam_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/pam/pamtest"
)

// logged runs pamtester where the log is ours, until a text is in it; it returns what
// the person sees.
func (l *lab) logged(service, typed, text string, operations ...string) (*syslog, string) {
	l.t.Helper()
	log := newSyslog(l.t)
	logging := &lab{t: l.t, Process: l.Process, who: l.who, build: build{wrap: log.wrap}}
	out := logging.tests(service, typed, operations...)
	log.await(text, 1)
	return log, out
}

// Who types the password alone into a field for both learns what is missing, and the
// log which argument wanted it. Nothing else is told in this way.
func TestModuleSingleFieldLog(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{})
	service := pamtest.Service(t, l.moduleLine("auth", "required", "single_field=6"))
	const person, line = "Type the code right behind the password.", "single_field: what was typed does not end in a code"
	if _, out := l.logged(service, l.who.Password+"\n", line); !strings.Contains(out, person) || strings.Contains(out, "can't ask") {
		t.Errorf("%q", out)
	}
	if out := l.tests(service, l.who.Password+l.wrong()+"\n"); strings.Contains(out, person) {
		t.Errorf("a wrong code: %q", out)
	}
}

// A refusal of the gate names itself; who was let in by a rule or a factor is no case
// of it.
func TestModuleGateLog(t *testing.T) {
	t.Parallel()
	const line = "gate: this login came by no auth line of pam_factord"
	l := newLab(t, factordtest.ProcessOptions{})
	service := pamtest.Service(t, l.moduleLine("auth", "required", "gate")+l.moduleLine("account", "required", "gate"))
	l.logged(service, "", line, "acct_mgmt")
	log, out := l.logged(service, l.code()+"\n", `argument "gate" does nothing here`, "authenticate", "acct_mgmt")
	if !strings.Contains(out, "account management done") || log.has(line) {
		t.Errorf("after a factor: %q", out)
	}
	l = newLab(t, factordtest.ProcessOptions{Config: "[[rule]]\nmode = \"exempt\"\n"})
	log = newSyslog(t)
	l.build = build{wrap: log.wrap}
	service = pamtest.Service(t, l.moduleLine("account", "required", "gate")+"account required pam_permit.so\n")
	if out := l.tests(service, "", "acct_mgmt"); !strings.Contains(out, "account management done") || log.has(line) {
		t.Errorf("exempt: %q", out)
	}
}

// The log says in which way nobody answers.
func TestModuleAbsentLog(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{})
	dir := factordtest.OpenDir(t)
	closed, file := filepath.Join(dir, "closed"), filepath.Join(dir, "file")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: closed, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	listener.Close()
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for socket, cause := range map[string]string{
		filepath.Join(dir, "none"):     "No such file or directory",
		file + "/below":                "Not a directory",
		closed:                         "Connection refused",
		"/" + strings.Repeat("x", 200): "File name too long",
	} {
		service := pamtest.Service(t, "auth required "+l.build.module(t)+" socket="+socket+"\n")
		l.logged(service, "", socket+": nobody answers: "+cause+"; is factord.socket enabled?")
	}
}
