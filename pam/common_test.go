package pam_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/pam/pamtest"
)

// machine is this one with another /etc: copies of what pam-auth-update reads and
// writes are in their places for the programs that are run in it.
type machine struct {
	*lab
	dir string
}

// replaced are the folders of a machine.
var replaced = []string{"/etc", "/var/lib/pam", "/var/cache/debconf", "/usr/share/pam-configs"}

// newMachine is a machine that has the profile for pam-auth-update, with the paths
// of this lab, and in which root has the person's password.
func newMachine(t *testing.T, config string) machine {
	t.Helper()
	factordtest.NeedRoot(t)
	factordtest.NeedProgram(t, "/usr/sbin/pam-auth-update")
	m := machine{newLab(t, factordtest.ProcessOptions{Config: config}), factordtest.OpenDir(t)}
	for _, path := range replaced {
		to := filepath.Join(m.dir, path)
		if err := os.MkdirAll(to, 0o755); err != nil {
			t.Fatal(err)
		}
		if path == "/etc" {
			pamtest.CopyEtc(t, to)
		} else if status, out := run(t, "", exec.Command("cp", "-a", path+"/.", to)); status != 0 {
			t.Fatalf("copying %s: %s", path, out)
		}
	}
	profile, err := os.ReadFile("../packaging/pam-configs/factord")
	if err != nil {
		t.Fatal(err)
	}
	m.write("/usr/share/pam-configs/factord", regexp.MustCompile(`\tpam_factord\.so `).ReplaceAllString(string(profile), "\t"+build{}.module(t)+" socket="+m.Socket+" "))
	m.write("/etc/shadow", m.shadowForRoot())
	m.write("/etc/pam.d/includes-common", "@include common-auth\n@include common-account\n@include common-session-noninteractive\n")
	return m
}

func (m machine) write(path, text string) {
	m.t.Helper()
	if err := os.WriteFile(filepath.Join(m.dir, path), []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

// in is the command that runs a program in the machine.
func (m machine) in(argv ...string) []string {
	script := ""
	for _, path := range replaced {
		script += `mount --bind "$0` + path + `" ` + path + " && "
	}
	return append([]string{"unshare", "--mount", "--propagation", "private", "sh", "-c", script + `exec "$@"`, m.dir}, argv...)
}

// does runs a program in the machine.
func (m machine) does(stdin string, argv ...string) (int, string) {
	m.t.Helper()
	argv = m.in(argv...)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	return run(m.t, stdin, cmd)
}

// update runs pam-auth-update.
func (m machine) update(args ...string) {
	m.t.Helper()
	if status, out := m.does("", append([]string{"pam-auth-update"}, args...)...); status != 0 || out != "" {
		m.t.Fatalf("pam-auth-update %q: exit %d: %s", args, status, out)
	}
}

// services are the files of /etc/pam.d.
func (m machine) services() map[string][]byte {
	m.t.Helper()
	files := map[string][]byte{}
	for _, path := range m.glob("/etc/pam.d/*") {
		text, err := os.ReadFile(path)
		if err != nil {
			m.t.Fatal(err)
		}
		files[filepath.Base(path)] = text
	}
	return files
}

func (m machine) glob(pattern string) []string {
	paths, err := filepath.Glob(filepath.Join(m.dir, pattern))
	if err != nil {
		m.t.Fatal(err)
	}
	return paths
}

// The profile puts factord behind the password in common-auth, where a success
// alone leads; takes the files back as they were; and is off until it is asked for.
func TestCommonAuth(t *testing.T) {
	t.Parallel()
	m := newMachine(t, wideRule)
	m.update("--package")
	before := m.services()
	if bytes.Contains(before["common-auth"], []byte("pam_factord")) {
		t.Fatal("the profile is on by default")
	}
	m.update("--enable", "factord")
	enabled := m.services()
	for name, text := range enabled {
		if name != "common-auth" && !bytes.Equal(text, before[name]) {
			t.Errorf("%s is another", name)
		}
	}
	steps := regexp.MustCompile(`(?m)^auth\s+\[success=(\d+) default=ignore\]\s+pam_unix\.so.*\n((?:auth.*\n)*?)(?:#.*\n)*auth\s+requisite\s+pam_deny\.so\n(?:#.*\n)*auth\s+required\s+pam_permit\.so\n(?:#.*\n)*` +
		`auth\s+\[success=1 default=ignore\]\s+pam_succeed_if\.so quiet uid eq 0 service in login\nauth\s+requisite\s+\S+pam_factord\.so \S+ first\n`)
	if found := steps.FindSubmatch(enabled["common-auth"]); found == nil || string(found[1]) != fmt.Sprint(1+bytes.Count(found[2], []byte("\n"))) {
		t.Errorf("common-auth:\n%s", enabled["common-auth"])
	}
	m.update("--package") // any package may call it
	if again := m.services(); !bytes.Equal(again["common-auth"], enabled["common-auth"]) {
		t.Errorf("after another run:\n%s", again["common-auth"])
	}
	m.commonLogins()
	m.update("--disable", "factord")
	after := m.services()
	for name := range before {
		if !bytes.Equal(after[name], before[name]) {
			t.Errorf("%s is not what it was:\n%s", name, after[name])
		}
	}
	if len(after) != len(before) {
		t.Errorf("there were %d files and are %d", len(before), len(after))
	}
}

// commonLogins are the logins of a machine with the profile.
func (m machine) commonLogins() {
	t := m.t
	login := func(user, typed string) (bool, string) {
		_, out := m.does(typed, "pamtester", "includes-common", user, "authenticate", "acct_mgmt", "setcred")
		return strings.Contains(out, saysEstablished), out
	}
	code := m.code()
	if in, out := login(m.who.Name, m.who.Password+"\n"+code+"\n"); !in {
		t.Errorf("password and code: %q", out)
	}
	if in, out := login(m.who.Name, m.who.Password+"\n"+code+"\n"); in {
		t.Errorf("the code again: %q", out)
	}
	before := len(m.audit())
	if in, out := login(m.who.Name, "not it\n"+m.code()+"\n"); in || len(m.audit()) != before {
		t.Errorf("a wrong password: %q; factord has %d records, had %d", out, len(m.audit()), before)
	}
	m.Kill9()
	if in, out := login(m.who.Name, m.who.Password+"\n"); in {
		t.Errorf("without factord: %q", out)
	}
	if in, out := login("root", m.who.Password+"\n"); in {
		t.Errorf("root, and no console, without factord: %q", out)
	}
	x := pamtest.NewTerminal(t)
	x.Start(nil, m.in("login", "root")...)
	x.Expect("Password: ")
	x.Type(m.who.Password + "\r")
	x.Expect("# ")
	x.Kill()
	x.Wait()
}

// Neither the profile nor the gate in sshd's file has a say where nobody logs in:
// cron runs its jobs and root becomes a user, and factord hears nothing of it.
func TestCommonUntouched(t *testing.T) {
	t.Parallel()
	factordtest.NeedProgram(t, "cron")
	m := newMachine(t, wideRule)
	m.update("--enable", "factord")
	m.write("/etc/pam.d/sshd", m.snippet("sshd"))
	m.Stop()
	os.Remove(m.Socket)
	listener, err := net.Listen("unix", m.Socket)
	if err != nil {
		t.Fatal(err)
	}
	if !m.cron() || !m.su() {
		t.Error("cron or su was refused")
	}
	listener.(*net.UnixListener).SetDeadline(time.Now())
	if c, err := listener.Accept(); err == nil {
		c.Close()
		t.Error("somebody has asked factord")
	}
	listener.Close()

	common := filepath.Join(m.dir, "/etc/pam.d/common-account")
	text, err := os.ReadFile(common)
	if err != nil {
		t.Fatal(err)
	}
	m.write("/etc/pam.d/common-account", m.moduleLine("account", "requisite", "gate")+string(text))
	if m.cron() || m.su() {
		t.Error("with the gate in common-account, and no factord, cron or su goes on: this test sees nothing")
	}
}

// su reports whether root becomes the person.
func (m machine) su() bool {
	m.t.Helper()
	_, out := m.does("", "su", m.who.Name, "-c", "id -un")
	return strings.HasPrefix(out, m.who.Name+"\n")
}

// cron reports whether cron does a job of the person's. What the machine's own cron
// has to do is not here.
func (m machine) cron() bool {
	m.t.Helper()
	for _, path := range append(m.glob("/etc/cron.d/*"), m.glob("/etc/cron.d/.*")...) {
		os.Remove(path)
	}
	dir := factordtest.OpenDir(m.t)
	done, log := filepath.Join(dir, "done"), filepath.Join(dir, "log")
	if err := os.Chmod(dir, 0o777); err != nil {
		m.t.Fatal(err)
	}
	m.write("/etc/crontab", fmt.Sprintf("@reboot %s id -un >%s\n", m.who.Name, done))
	s := newSyslog(m.t)
	// It says "CRON" of each job, and why PAM refuses one.
	argv := m.in(append(slices.Clone(s.wrap), "sh", "-c", "mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/spool/cron && exec cron -f")...)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, _ = os.Create(log)
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	ran := false
	pamtest.Await(m.t, "the end of cron's job", 20*time.Second, func() bool {
		text, _ := os.ReadFile(done)
		ran = string(text) == m.who.Name+"\n"
		return ran || s.has("Authentication service cannot retrieve authentication info")
	})
	return ran
}
