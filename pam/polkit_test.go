package pam_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/pam/pamtest"
)

// background starts a program that ends with the test, and returns its process and
// what it says.
func background(t testing.TB, argv ...string) (pid int, said func() string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "said")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said = func() string {
		text, _ := os.ReadFile(file)
		return string(text)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("%q:\n%s", argv, said())
		}
	})
	return cmd.Process.Pid, said
}

// ownDir is a folder of an account.
func ownDir(t testing.TB, who pamtest.Account) string {
	t.Helper()
	dir := factordtest.OpenDir(t)
	if err := os.Chown(dir, who.UID, who.GID); err != nil {
		t.Fatal(err)
	}
	return dir
}

// polkit is a machine with a system bus and polkitd, in which the person is the one
// administrator.
func polkit(t *testing.T) (m machine, inside []string) {
	t.Helper()
	factordtest.NeedProgram(t, "pkexec")
	m = newMachine(t, snippetRule(t, "polkit"))
	m.write("/etc/pam.d/polkit-1", m.snippet("polkit"))
	m.write("/etc/polkit-1/rules.d/10-test.rules", fmt.Sprintf("polkit.addAdminRule(function() { return [\"unix-user:%s\"]; });\n", m.who.Name))
	bus, _ := background(t, m.in("sh", "-c", "mount -t tmpfs tmpfs /run && mkdir /run/dbus && exec dbus-daemon --system --nofork --nopidfile")...)
	pamtest.Await(t, "the system bus", 20*time.Second, func() bool {
		_, err := os.Stat(fmt.Sprintf("/proc/%d/root/run/dbus/system_bus_socket", bus))
		program, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", bus))
		return err == nil && strings.HasSuffix(program, "/dbus-daemon")
	})
	inside = []string{"nsenter", fmt.Sprint("--target=", bus), "--mount"}
	_, said := background(t, append(inside, "/usr/lib/polkit-1/polkitd")...)
	pamtest.Await(t, "polkitd", 20*time.Second, func() bool { return strings.Contains(said(), "Acquired the name") })
	return m, inside
}

// asking runs pkexec under an agent on the terminal. pkexec's own agent is of no use
// without a session of logind: polkitd takes it for root's.
const asking = `mkfifo "$0" && { pkttyagent --process $$ --notify-fd 9 9>"$0" & } && cat "$0" && pkexec --disable-internal-agent /usr/bin/id -un; status=$?; kill $!; wait; exit $status`

// pkexec and the real helper of polkit, which runs the stack as root.
func TestSnippetPolkit(t *testing.T) {
	t.Parallel()
	m, inside := polkit(t)
	pkexec := func() *pamtest.Terminal {
		x := pamtest.NewTerminal(t)
		x.Start(nil, append(append(slices.Clone(inside), m.who.Become()...), "sh", "-c", asking, filepath.Join(ownDir(t, m.who), "fifo"))...)
		x.ExpectSecret("Password: ")
		return x
	}
	x := pkexec()
	x.Type(m.who.Password + "\r")
	x.ExpectSecret(prompt)
	x.Type(m.wrong() + "\r")
	x.Expect("wrong code")
	x.ExpectSecret(prompt)
	code := m.code()
	x.Type(code + "\r")
	x.Expect("root\r\n")
	if status := x.Wait(); status != 0 {
		t.Errorf("exit %d\n%s", status, x.Screen())
	}
	m.lastRecord(map[string]string{"verdict": "allow", "factor": "totp", "service": "polkit-1", "rule": "polkit"})

	before := len(m.audit())
	x = pkexec()
	x.Type("not it\r")
	x.Expect("AUTHENTICATION FAILED")
	if status := x.Wait(); status == 0 || len(m.audit()) != before {
		t.Errorf("a wrong password: exit %d, factord has %d records, had %d\n%s", status, len(m.audit()), before, x.Screen())
	}
	x = pkexec()
	x.Type(m.who.Password + "\r")
	for range 3 {
		x.ExpectSecret(prompt)
		x.Type(code + "\r")
	}
	x.Expect("AUTHENTICATION FAILED")
	if status := x.Wait(); status == 0 {
		t.Errorf("a code used twice: exit %d\n%s", status, x.Screen())
	}
	m.Kill9()
	x = pkexec()
	x.Type(m.who.Password + "\r")
	x.Expect("AUTHENTICATION FAILED")
	if status := x.Wait(); status == 0 {
		t.Errorf("without factord: exit %d\n%s", status, x.Screen())
	}
}
