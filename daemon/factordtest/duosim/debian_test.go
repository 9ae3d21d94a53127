package duosim_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/factordtest/duosim"
	"github.com/factord/factord/pam/pamtest"
)

// debian is a configuration for Debian's login_duo and pam_duo 1.11.3, clients of
// the legacy API that somebody else wrote. They read the authority's certificate
// without root's rights.
func debian(t *testing.T, c duosim.Config, options string) (*duosim.Server, string) {
	t.Helper()
	factordtest.NeedRoot(t)
	c.Dir = factordtest.OpenDir(t)
	s := duosim.Start(t, c)
	path := filepath.Join(t.TempDir(), "duo.conf")
	text := fmt.Sprintf("[duo]\nikey = %s\nskey = %s\nhost = %s\ncafile = %s\nfailmode = secure\n%s", s.IKey(), s.SKey(), s.Host(), s.CAFile(), options)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return s, path
}

func phoneOwner(name string) duosim.User {
	return duosim.User{Name: name, Devices: []duosim.Device{duosim.Phone("Pixel 5", "+15555550100")}, Passcodes: []string{"123456", "234567"}}
}

// within is a context for what has to happen without a fixed time for it.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// run is a program without a terminal.
func run(t *testing.T, stdin string, env []string, argv ...string) (int, string) {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdin, cmd.Env = strings.NewReader(stdin), append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%q: %v", argv, err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

func TestLoginDuoHeadless(t *testing.T) {
	login := factordtest.NeedProgram(t, "login_duo")
	users := []duosim.User{phoneOwner("alice"), phoneOwner("bob"), {Name: "free", Status: duosim.Bypass}, {Name: "off", Status: duosim.Disabled}}
	users[1].Answer = duosim.Denied
	s, conf := debian(t, duosim.Config{Users: users, Answer: duosim.Approved}, "accept_env_factor = yes\npushinfo = yes\n")
	for _, test := range []struct {
		user, factor string
		status       int
	}{
		{"alice", "", 0},
		{"bob", "", 1},
		{"free", "", 0},
		{"off", "", 1},
		{"nobody", "", 1},
		{"alice", "123456", 0},
		{"alice", "123456", 1}, // one use
		{"alice", "phone1", 0},
		{"alice", "sms1", 1},
	} {
		var env []string
		if test.factor != "" {
			env = []string{"DUO_PASSCODE=" + test.factor}
		}
		status, out := run(t, "", append(env, "SSH_CONNECTION=203.0.113.9 4000 192.0.2.1 22"), login, "-d", "-c", conf, "-f", test.user, "echo", "let", "in")
		if status != test.status || strings.Contains(out, "let in") != (test.status == 0) {
			t.Errorf("%s %q: status %d, want %d\n%s", test.user, test.factor, status, test.status, out)
		}
	}
	for _, r := range s.Requests() {
		if r.Scheme != "v1" || r.Status != 200 || r.Params["ipaddr"] != "203.0.113.9" {
			t.Errorf("%+v", r)
		}
	}
	if p, err := s.NextPush(within(t), "alice"); err != nil || p.Info.Get("Command") != "echo let in" {
		t.Errorf("%+v, %v", p, err)
	}
	s.RotateKey()
	if status, out := run(t, "", nil, login, "-d", "-c", conf, "-f", "alice", "true"); status != 1 {
		t.Errorf("with the old key: status %d\n%s", status, out)
	}
}

// On a terminal the person chooses from the menu that the service wrote, and sees
// what becomes of it.
func TestLoginDuoMenu(t *testing.T) {
	login := factordtest.NeedProgram(t, "login_duo")
	s, conf := debian(t, duosim.Config{Users: []duosim.User{phoneOwner("alice")}}, "")
	x := pamtest.NewTerminal(t)
	x.Start(nil, login, "-d", "-c", conf, "-f", "alice", "echo", "let", "in")
	x.Expect("1. Push to Pixel 5 (XXX-XXX-0100)")
	x.Expect("choice:")
	x.Type("1\n")
	if _, err := s.NextPush(within(t), "alice"); err != nil {
		t.Fatal(err)
	}
	x.Expect("Pushed a login request")
	if err := s.Deny("alice"); err != nil {
		t.Fatal(err)
	}
	x.Expect("denied")
	x.Expect("choice:")
	x.Type("111111\n")
	x.Expect("Incorrect passcode")
	x.Expect("choice:")
	x.Type("123456\n")
	x.Expect("let in")
	if status := x.Wait(); status != 0 {
		t.Errorf("status %d\n%s", status, x.Screen())
	}
}

func TestLoginDuoAutopush(t *testing.T) {
	login := factordtest.NeedProgram(t, "login_duo")
	s, conf := debian(t, duosim.Config{Users: []duosim.User{phoneOwner("alice")}}, "autopush = yes\n")
	x := pamtest.NewTerminal(t)
	x.Start(nil, login, "-d", "-c", conf, "-f", "alice", "echo", "let", "in")
	if _, err := s.NextPush(within(t), "alice"); err != nil {
		t.Fatal(err)
	}
	if err := s.Approve("alice"); err != nil {
		t.Fatal(err)
	}
	x.Expect("let in")
	if status := x.Wait(); status != 0 {
		t.Errorf("status %d\n%s", status, x.Screen())
	}
}

// Faults mean to a client of the old API what they mean to one of v2.
func TestLoginDuoFaults(t *testing.T) {
	login := factordtest.NeedProgram(t, "login_duo")
	s, conf := debian(t, duosim.Config{Users: []duosim.User{phoneOwner("alice")}, Answer: duosim.Approved}, "")
	for _, fault := range []duosim.Fault{duosim.ServerError, duosim.BadGateway, duosim.Garbage, "code=40301", duosim.Refused, duosim.ExpiredCert, duosim.SelfSigned, duosim.WrongNameCert, duosim.Truncated} {
		if err := s.Fault(fault, "", duosim.Forever); err != nil {
			t.Fatal(err)
		}
		if status, out := run(t, "", nil, login, "-d", "-c", conf, "-f", "alice", "echo", "let", "in"); status != 1 || strings.Contains(out, "let in") {
			t.Errorf("%s: status %d\n%s", fault, status, out)
		}
		if err := s.ClearFaults(); err != nil {
			t.Fatal(err)
		}
		if status, out := run(t, "", nil, login, "-d", "-c", conf, "-f", "alice", "true"); status != 0 {
			t.Errorf("after %s: status %d\n%s", fault, status, out)
		}
	}
}

// Server text with escape sequences reaches the screen of login_duo 1.11.3 as it
// is: what the fault sends is what a client has to strip.
func TestLoginDuoEscapes(t *testing.T) {
	login := factordtest.NeedProgram(t, "login_duo")
	s, conf := debian(t, duosim.Config{Users: []duosim.User{phoneOwner("alice")}, Answer: duosim.Approved}, "")
	if err := s.Fault(duosim.Escapes, "", duosim.Forever); err != nil {
		t.Fatal(err)
	}
	x := pamtest.NewTerminal(t)
	x.Start(nil, login, "-d", "-c", conf, "-f", "alice", "echo", "let", "in")
	x.Expect("\x1b]0;owned\x07")
	x.Expect("choice:")
	x.Type("1\n")
	x.Expect("let in")
}

func TestPamDuo(t *testing.T) {
	pamtester := factordtest.NeedProgram(t, "pamtester")
	who := func() pamtest.Account { factordtest.NeedRoot(t); return pamtest.NewAccount(t, "") }()
	s, conf := debian(t, duosim.Config{Users: []duosim.User{phoneOwner(who.Name)}, Answer: duosim.Approved}, "")
	service := pamtest.Service(t, "auth required pam_duo.so conf="+conf+"\naccount required pam_permit.so\n")
	try := func(stdin string, want bool) {
		t.Helper()
		status, out := run(t, stdin, nil, pamtester, "-I", "rhost=203.0.113.9", service, who.Name, "authenticate")
		if (status == 0) != want {
			t.Errorf("answering %q: status %d\n%s", stdin, status, out)
		}
	}
	try("123456\n", true)
	try("123456\n0\n0\n", false) // one use; three answers are all that there are
	try("0\n234567\n", true)
	try("1\n", true)
	s.AddUser(duosim.User{Name: who.Name, Status: duosim.Bypass})
	try("", true)
	s.AddUser(duosim.User{Name: who.Name, Status: duosim.Disabled})
	try("", false)
	for _, r := range s.Requests() {
		if r.Scheme != "v1" || r.Endpoint != "auth_status" && r.Params["ipaddr"] != "203.0.113.9" {
			t.Errorf("%+v", r)
		}
	}
}

// Installing the packages for these tests puts pam_duo into no stack of the
// machine.
func TestDebianPackagesChangeNoStack(t *testing.T) {
	files, err := filepath.Glob("/etc/pam.d/common-*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		if b, err := os.ReadFile(path); err != nil || strings.Contains(string(b), "pam_duo") {
			t.Errorf("%s: pam_duo is in it, or %v", path, err)
		}
	}
}
