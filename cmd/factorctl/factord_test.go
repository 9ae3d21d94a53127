package main_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/factord/factord/cmd/factorctl/record"
	totp "github.com/factord/factord/cmd/factorctl/token"
	"github.com/factord/factord/conf"
)

// machine is a real factord in a folder of its own.
type machine struct {
	t            *testing.T
	socket, user string
}

const rules = `[totp]
issuer = "test"

[[rule]]
name = "sudo"
services = ["sudo"]
callers = ["root", "user"]
factors = ["totp", "backup"]
`

// newMachine starts factord as whoever runs the tests. Others than root start
// it in a user namespace, where it takes them for root.
func newMachine(t *testing.T) *machine {
	t.Helper()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	m := &machine{t, filepath.Join(dir, "s"), me.Username}
	config := filepath.Join(dir, "factord.toml")
	if err := os.WriteFile(config, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(dir, "state")
	if out, err := factord("--init", "--state", state).CombinedOutput(); err != nil {
		t.Fatalf("factord --init: %v\n%s", err, out)
	}
	daemon := factord("--config", config, "--state", state, "--socket", m.socket)
	daemon.Stderr = t.Output()
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { daemon.Process.Signal(syscall.SIGTERM); daemon.Wait() })
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if c, err := net.Dial("unix", m.socket); err == nil {
			c.Close()
			return m
		}
		if time.Now().After(deadline) {
			t.Fatal("factord does not listen")
		}
	}
}

func factord(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(bin, "factord"), args...)
	if uid := os.Getuid(); uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{HostID: uid, Size: 1}}, GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}}
	}
	return cmd
}

func (m *machine) run(stdin string, args ...string) outcome {
	m.t.Helper()
	return run(m.t, stdin, append(args, "--socket", m.socket)...)
}

// must runs what has to succeed and print something.
func (m *machine) must(stdin, stdout string, args ...string) string {
	m.t.Helper()
	o := m.run(stdin, args...)
	o.want(m.t, 0, stdout, "")
	return o.stdout
}

// enrolAsked enrols as a program does that has no terminal: it reads the object
// and answers with a wrong code and then with one of the token.
func (m *machine) enrolAsked() totp.Shown {
	m.t.Helper()
	cmd := command("enroll", "totp", "--user", m.user, "--name", "phone", "--json", "--socket", m.socket)
	stdin, _ := cmd.StdinPipe()
	stdout, _ := cmd.StdoutPipe()
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	lines := bufio.NewReader(stdout)
	object, _ := lines.ReadString('\n')
	var shown totp.Shown
	if err := json.Unmarshal([]byte(object), &shown); err != nil {
		m.t.Fatalf("%v: %q", err, object)
	}
	phone := m.phone(shown.URI)
	fmt.Fprintf(stdin, "%s\n%s\n", phone.Wrong(time.Now(), 40), phone.Code(phone.Step(time.Now())))
	rest, _ := io.ReadAll(lines)
	if err := cmd.Wait(); err != nil || len(rest) > 0 || strings.Contains(stderr.String(), "secret=") {
		m.t.Fatalf("%v, then %q, stderr %q", err, rest, stderr.String())
	}
	return shown
}

func (m *machine) phone(uri string) *totp.Clock {
	m.t.Helper()
	phone, err := totp.ParseClock(uri)
	if err != nil {
		m.t.Fatalf("%v: %q", err, uri)
	}
	return phone
}

func TestWithFactord(t *testing.T) {
	m := newMachine(t)
	shown := m.enrolAsked()
	if shown.ID != "totp-1" || shown.Factor != "totp" || shown.Name != "phone" {
		t.Errorf("enrolled %+v", shown)
	}
	phone := m.phone(shown.URI)
	m.must("", "totp-1", "list", "--user", m.user)
	m.must("", `"name":"phone"`, "list", "--json")
	m.must("", "ready:             yes\n", "status")
	m.must("", `"users":1`, "status", "--json")

	code := phone.Code(phone.Step(time.Now()) + 1)
	try := []string{"test", "--user", m.user, "--first"}
	m.must(code+"\n", "basis:    factor\nfactor:   totp\nrule:     sudo\n", try...)
	again := m.run(code+"\n", try...)
	again.want(t, 1, "reason:   replayed", "used already")
	again.want(t, 1, "", conf.PAMNote("sudo"))
	m.run("000 000\n", append(try, "--json")...).want(t, 1, `"verdict":"deny","reason":"`, "refused: ")
	m.run("", "test", "--user", m.user, "--service", "nope").want(t, 1, "reason:   no-rule", "refused: no rule")

	m.must("", "mode:      require\nfactors:   totp, backup\nenrolled:  yes\nusable:    totp\noutcome:   asked for a factor\n",
		"explain", "--user", m.user, "--service", "sudo")
	m.run("", "explain", "--user", m.user, "--service", "sudo").want(t, 0, "outcome:", conf.PAMNote("sudo")) // of this machine
	m.must("", "  no      line 4    sudo: ", "explain", "--user", m.user, "--service", "login")
	m.must("", `"matched":true`, "explain", "--user", m.user, "--service", "sudo", "--json")

	m.must("", "unlocked "+m.user, "unlock", m.user)
	m.must("", "removed totp-1 of "+m.user, "remove", "totp-1", "--user", m.user)
	m.run("", "remove", "totp-1", "--user", m.user).want(t, 1, "", "hint: factorctl list")
	if o := m.run("", "remove", "totp-1"); strings.Contains(o.stderr, "\nhint: as root, say whose: --user ") != (os.Geteuid() == 0) {
		t.Errorf("of nobody: %q", o.stderr)
	}
	m.must("", "nothing is enrolled\n", "list", "--user", m.user)
	m.auditTells(t)
}

func (m *machine) auditTells(t *testing.T) {
	all := m.must("", "allow ", "audit")
	for _, part := range []string{"enroll ", "totp (totp-1)", "reason replayed", "unlock ", "remove "} {
		if !strings.Contains(all, part) {
			t.Errorf("audit has no %q:\n%s", part, all)
		}
	}
	lines := strings.Split(strings.TrimSpace(m.must("", "", "audit", "--json", "--last", "2")), "\n")
	var last record.Event
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || len(lines) != 2 || last.Kind != "remove" {
		t.Errorf("audit --last 2: %q, %v", lines, err)
	}
	m.must("", "no-rule 1", "audit", "--refusals", "--user", m.user)
	m.must("", `"reasons":{"no-rule":1}`, "audit", "--refusals", "--json")
}

func TestCodesWithFactord(t *testing.T) {
	m := newMachine(t)
	spelled := regexp.MustCompile(`[0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4}`)
	try := []string{"test", "--user", m.user, "--first"}

	backup := spelled.FindAllString(m.must("", "Backup codes for ", "enroll", "backup", "--user", m.user), -1)
	if len(backup) != 10 {
		t.Fatalf("%d backup codes", len(backup))
	}
	m.must(backup[0]+"\n", "factor:   backup\n", try...)
	m.run(backup[0]+"\n", try...).want(t, 1, "reason:   replayed", "")
	m.must("", `"voids":["backup-1"]`, "enroll", "backup", "--user", m.user, "--json")
	m.must("", "is enrolled for "+m.user+".\nThe codes of backup-2 are void now.\n", "enroll", "backup", "--user", m.user)

	if invited := m.must("", "good for one enrolment until ", "invite", m.user, "--for", "2h"); !spelled.MatchString(invited) {
		t.Errorf("no code in %q", invited)
	}
	if bypass := m.must("", `"code":"`, "bypass", m.user, "--for", "1m", "--json"); !spelled.MatchString(bypass) {
		t.Errorf("no code in %q", bypass)
	}
	m.run("", "invite", "no-such-user").want(t, 1, "", `no such user: "no-such-user"`)
	m.run("", "enroll", "frob", "--user", m.user).want(t, 1, "", `can't enroll "frob": it is one of totp, hotp, backup`)
	m.run("", "enroll", "duo", "--user", m.user).want(t, 1, "", "factorctl: Duo is not set up here\nhint: [duo] in /etc/factord/factord.toml\n")
}

func TestSecretFile(t *testing.T) {
	m := newMachine(t)
	const secret = "JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP"
	const bare = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	code := m.phone("otpauth://totp/a?secret=" + bare)
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	enrol := []string{"enroll", "totp", "--user", m.user, "--secret-file", file, "--json"}
	first := func() string { return code.Code(code.Step(time.Now())) + "\n" }
	m.run(first(), enrol...).want(t, 1, "", "mode 0644 lets others read it\nhint: chmod 600")
	os.Chmod(file, 0o600)
	m.must(first(), "secret="+bare, enrol...)
	m.run(first(), enrol...).want(t, 1, "", "enrolled already")

	m.must("", "removed", "remove", "totp-1", "--user", m.user)
	m.must("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n755224\n", `"factor":"hotp"`, "enroll", "hotp", "--user", m.user, "--secret-file", "-", "--json")

	m.must("", "removed", "remove", "hotp-1", "--user", m.user)
	os.WriteFile(file, []byte("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), 0o600)
	o := m.run("755224\n", "enroll", "hotp", "--user", m.user, "--name", "key", "--secret-file", file)
	o.want(t, 0, "New hotp token for "+m.user+", with the secret that was given: hotp-1, name \"key\"\nLet the token show a code", "")
	o.want(t, 0, "\nhotp hotp-1 is enrolled for "+m.user+".\nRemove "+file, "")
	if said := o.stdout + o.stderr; strings.Contains(said, "GEZD") || strings.Contains(said, "otpauth") || strings.Contains(said, "▄") {
		t.Errorf("the secret is shown: %s", said)
	}
	m.must("", "removed", "remove", "hotp-1", "--user", m.user)
	os.WriteFile(file, make([]byte, 4097), 0o600)
	m.run("", enrol...).want(t, 1, "", "longer than 4096 bytes")
	os.WriteFile(file, []byte(" \n"), 0o600)
	m.run("", enrol...).want(t, 1, "", "it is empty")
}

func TestDemo(t *testing.T) {
	t.Parallel()
	tmp := t.TempDir()
	t.Run("text", func(t *testing.T) {
		cmd := command("demo")
		cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
		out, err := cmd.CombinedOutput()
		if err != nil || strings.Count(string(out), "as it should be") != 5 || !strings.Contains(string(out), "/usr/share/doc/factord/README.md") {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("json", func(t *testing.T) {
		cmd := command("demo", "--json")
		cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
		out, err := cmd.Output()
		var result struct{ OK bool }
		if err := json.Unmarshal(out, &result); err != nil || !result.OK {
			t.Errorf("%v: %s", err, out)
		}
		if err != nil {
			t.Error(err)
		}
	})
	if left, _ := os.ReadDir(tmp); len(left) > 0 {
		t.Errorf("%s is left", left[0].Name())
	}
}

// "make demo" has a simulated Duo beside the programs.
func TestDemoWithDuo(t *testing.T) {
	t.Parallel()
	tmp, programs := t.TempDir(), t.TempDir()
	for _, name := range []string{"factord", "factor-helper", "factorctl"} {
		text, err := os.ReadFile(filepath.Join(bin, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(programs, name), text, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "build", "-o", filepath.Join(programs, "duosim"), "github.com/factord/factord/daemon/factordtest/duosim/cmd")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(filepath.Join(programs, "factorctl"), "demo")
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Count(string(out), "as it should be") != 8 || strings.Count(string(out), "duo (duo)") != 2 {
		t.Errorf("%v\n%s", err, out)
	}
	if left, _ := os.ReadDir(tmp); len(left) > 0 {
		t.Errorf("%s is left", left[0].Name())
	}
}
