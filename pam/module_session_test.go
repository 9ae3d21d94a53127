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

// listing says which descriptors the program of a session has.
const listing = "/bin/ls -l /proc/self/fd"

// opened are the numbers in a listing.
func opened(screen string) (numbers []string) {
	for _, line := range strings.Split(screen, "\n") {
		if i := strings.Index(line, " -> "); i >= 0 {
			fields := strings.Fields(line[:i])
			numbers = append(numbers, fields[len(fields)-1])
		}
	}
	return numbers
}

// The session after a login has the descriptors that it has without the module.
// sshd closes what it finds before the shell; sudo is told not to.
func TestModuleSessionFiles(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{})
	factordtest.NeedProgram(t, "sudo")
	rest := "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n"
	module := l.moduleLine("auth", "required", "first") + l.moduleLine("account", "required", "gate")
	sudo := func(stack string, code string) []string {
		who := pamtest.NewAccount(t, "")
		if code != "" {
			who = l.who
		}
		pamtest.Sudoer(t, who, pamtest.Service(t, stack))
		sudoSetting(t, who, "closefrom_override")
		x := pamtest.NewTerminal(t)
		x.Start(&who, "sudo", "-C", "20000", "/bin/sh", "-c", listing)
		if code != "" {
			x.Expect(prompt)
			x.Type(code + "\r")
		}
		if status := x.Wait(); status != 0 {
			t.Fatalf("exit %d\n%s", status, x.Screen())
		}
		return opened(x.Screen())
	}
	ssh := func(stack, code string) []string {
		s := moduleSSH(t, l, stack, "publickey,keyboard-interactive:pam")
		x := pamtest.NewTerminal(t)
		x.Start(nil, s.client("ssh", "-l", l.who.Name, "port0", listing)...)
		if code != "" {
			x.Expect(prompt)
			x.Type(code + "\r")
		}
		if status := x.Wait(); status != 0 {
			t.Fatalf("exit %d\n%s", status, x.Screen())
		}
		return opened(x.Screen())
	}
	for name, session := range map[string]func(stack, code string) []string{"sudo": sudo, "sshd": ssh} {
		without, with := session(rest, ""), session(module+rest, l.code())
		if len(with) < 4 || fmt.Sprint(with) != fmt.Sprint(without) {
			t.Errorf("%s: with the module %v, without it %v", name, with, without)
		}
	}
}

// sudoSetting gives an account a setting of sudo's.
func sudoSetting(t *testing.T, who pamtest.Account, setting string) {
	t.Helper()
	path := filepath.Join("/etc/sudoers.d", "factord-setting-"+who.Name)
	t.Cleanup(func() { os.Remove(path) })
	if err := os.WriteFile(path, []byte("Defaults:"+who.Name+" "+setting+"\n"), 0o440); err != nil {
		t.Fatal(err)
	}
}

// What programs inherit from careless parents: children that nobody waits for, and
// many or hardly any descriptors.
func TestModuleInherited(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{})
	service := pamtest.Service(t, l.moduleLine("auth", "required", ""))
	for _, tc := range []struct {
		before string
		in     bool
	}{
		{"trap '' CHLD", true},
		{"trap '' PIPE HUP INT TERM QUIT", true},
		{"ulimit -Hn 20000; ulimit -Sn 20000", true},
		{"ulimit -Hn 20000; ulimit -Sn 256", true},
		{"exec 3</dev/null 4</dev/null 5</dev/null 6</dev/null; ulimit -n 7", false},
	} {
		cmd := exec.Command("sh", "-c", tc.before+`; exec "$@"`, "sh", "pamtester", service, l.who.Name, "authenticate")
		if _, got := run(t, l.code()+"\n", cmd); strings.Contains(got, saysSuccess) != tc.in {
			t.Errorf("%s: %q", tc.before, got)
		}
	}
}

// A program without a handler for SIGPIPE lives on when factord goes away at any
// moment.
func TestModuleGoesAway(t *testing.T) {
	t.Parallel()
	question := "INQUIRE SECRET Passcode:%20\n"
	for _, lines := range [][]string{{}, {"OK factord 1\n"}, {"OK factord 1\n", "<"}, {"OK factord 1\n" + question}, {"OK factord 1\n", "<", question}, {"OK factord 1\n", "<", question, "<"}} {
		s, _ := scripted(t, build{})
		s.lines <- lines
		if got := (build{}).app(t, s.service(""), "root", "authenticate"); !strings.HasSuffix(got, "authenticate: "+saysUnavail+"\n") {
			t.Errorf("%q: %q", lines, got)
		}
	}
}
