package pam_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/factordtest/duosim"
	"github.com/factord/factord/pam/pamtest"
)

// Each category of duo_unix's tests has its counterpart: the test that the table
// names is there, and Debian's login_duo does what the table says of it.
func TestDuoUnixCases(t *testing.T) {
	t.Parallel()
	login := factordtest.NeedProgram(t, "login_duo")
	factordtest.NeedRoot(t)
	var all sync.WaitGroup
	seen := map[string]bool{}
	for _, c := range duoUnixCases {
		if seen[c.name] || c.duoUnix == "" || c.factord == "" {
			t.Errorf("%q is there twice, or says nothing", c.name)
		}
		seen[c.name] = true
		if !testExists(t, c.test) {
			t.Errorf("%s: there is no %s", c.name, c.test)
		}
		for _, try := range c.try {
			argv, env := try.prepare(t, login)
			all.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
				defer cancel()
				cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
				cmd.Env = append(os.Environ(), env)
				out, _ := cmd.CombinedOutput()
				if in := strings.Contains(string(out), "let in\n"); in != try.in {
					t.Errorf("%s: %+v: login_duo lets in: %v\n%s", c.name, try, in, out)
				}
			})
		}
	}
	all.Wait()
}

func (d debianTry) prepare(t *testing.T, login string) (argv []string, env string) {
	t.Helper()
	sim := duosim.Start(t, duosim.Config{Dir: factordtest.OpenDir(t), Answer: duosim.Approved, Users: []duosim.User{
		person("alice"), {Name: "free", Status: duosim.Bypass}, {Name: "off", Status: duosim.Disabled},
	}})
	text := d.config
	if text == "" {
		text = fmt.Sprintf("[duo]\nikey = %s\nskey = %s\nhost = %s\ncafile = %s\n%s", sim.IKey(), sim.SKey(), sim.Host(), sim.CAFile(), d.options)
	}
	file := filepath.Join(t.TempDir(), "duo.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if d.fault != "" {
		if err := sim.Fault(d.fault, "", duosim.Forever); err != nil {
			t.Fatal(err)
		}
	}
	if d.user == "" {
		d.user = "alice"
	}
	return []string{login, "-d", "-c", file, "-f", d.user, "echo", "let", "in"}, d.env
}

// testExists reports whether a folder has a test of a name.
func testExists(t *testing.T, test string) bool {
	t.Helper()
	folder, name, _ := strings.Cut(test, " ")
	files, err := filepath.Glob(filepath.Join("..", folder, "*_test.go"))
	if err != nil || len(files) == 0 {
		return false
	}
	is := regexp.MustCompile(`(?m)^func ` + regexp.QuoteMeta(name) + `\(t \*testing\.T\)`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if is.Match(text) {
			return true
		}
	}
	return false
}

// No variable answers for the person: not a passcode, and not the choice of a factor.
func TestDuoVariables(t *testing.T) {
	t.Parallel()
	l := newDuoLab(t, duoOptions{})
	for _, told := range []string{duoPasscodes[0], "push1", "push", "auto"} {
		x := pamtest.NewTerminal(t)
		x.Start(&l.who, "env", "DUO_PASSCODE="+told, l.helper(), "--socket", l.Socket, "check", "--service", "lock")
		x.Expect("Enter for a push: ")
		x.Type("\x03")
		if status := x.Wait(); status == 0 {
			t.Errorf("%q: exit %d\n%s", told, status, x.Screen())
		}
	}
	if n := l.sim.Count("auth"); n != 0 {
		t.Errorf("Duo was asked %d times", n)
	}
}

// The one who asks is killed while the phone rings: nobody is let in, whatever the
// person answers then, and by the factord that follows neither.
func TestDuoFactordKilled(t *testing.T) {
	forEachDuo(t, duoOptions{}, func(t *testing.T, l *duoLab, s *seat, program string) {
		x, p := l.asksForPush(s, program)
		if flushes(program) {
			x.Type("\r")
		}
		l.polled()
		l.Kill9()
		if err := l.sim.Answer(p.Txid, duosim.Approved); err != nil {
			t.Error(err)
		}
		switch program {
		case "sudo", "sshd": // ask again, of nobody
			pamtest.Await(t, "the end of the attempt", 10*time.Second, func() bool { return l.sim.Waiting() == 0 })
		default:
			x.Expect(s.says[turnedDown])
		}
		x.Kill()
		x.Wait()
		l.Start()
		y := s.begin()
		y.ExpectSecret("Enter for a push: ")
		y.Kill()
		y.Wait()
		if seen := x.Screen() + y.Screen(); strings.Contains(seen, s.says[letIn]) {
			t.Errorf("somebody is in:\n%s", seen)
		}
		for _, r := range l.audit() {
			if r["verdict"] == "allow" {
				t.Errorf("somebody was let in: %v", r)
			}
		}
	})
}
