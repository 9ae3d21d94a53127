package pam_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
)

// nssConfig has a service for each way in which a group's lookup can fail.
const nssConfig = `
[totp]
window = 10

[[rule]]
services = ["enrolled"]
factors = ["totp"]
mode = "enrolled"

[[rule]]
services = ["group-down"]
groups = ["down"]
mode = "exempt"

[[rule]]
services = ["group-gone"]
groups = ["gone"]
mode = "exempt"

[[rule]]
services = ["group-later"]
groups = ["later"]
mode = "exempt"

[[rule]]
services = ["group-unknown"]
groups = ["no-such-group"]
mode = "exempt"

[[rule]]
services = ["group-hangs"]
groups = ["hangs"]
mode = "exempt"

[[rule]]
name = "rest"
factors = ["totp"]
`

// nssTime is how long a lookup may take (daemon/session), and a verdict then.
const nssTime = 8 * time.Second

// nssLab is a factord whose user database has a backend that fails.
func nssLab(t *testing.T) (l *lab, up string) {
	t.Helper()
	factordtest.NeedRoot(t)
	gcc := factordtest.NeedProgram(t, "gcc")
	factordtest.NeedProgram(t, "unshare")
	dir := t.TempDir()
	module := filepath.Join(dir, "libnss_factordtest.so.2")
	if status, out := run(t, "", exec.Command(gcc, "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", module, "testdata/nss_factordtest.c")); status != 0 {
		t.Fatalf("gcc: %s", out)
	}
	nsswitch := filepath.Join(dir, "nsswitch.conf")
	if err := os.WriteFile(nsswitch, []byte("passwd: files factordtest\ngroup: files factordtest\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	up = filepath.Join(dir, "up")
	const script = `mount --bind "$0" /etc/nsswitch.conf && exec "$@"`
	return newLab(t, factordtest.ProcessOptions{Config: nssConfig,
		Wrap: []string{"unshare", "--mount", "--propagation", "private", "sh", "-c", script, nsswitch},
		Env:  []string{"LD_LIBRARY_PATH=" + dir, "FACTORDTEST_UP=" + up}}), up
}

// A user database that fails, in whatever way, lets nobody in, and says so in
// time.
func TestNSSFails(t *testing.T) {
	t.Parallel()
	l, up := nssLab(t)
	var all sync.WaitGroup
	for _, c := range []struct {
		user, service string
		want          wire.Reason
	}{
		{"down", "sudo", wire.ReasonUnavailable},
		{"later", "sudo", wire.ReasonUnavailable},
		{"large", "sudo", wire.ReasonUnavailable},
		{"hangs", "sudo", wire.ReasonUnavailable},
		{"gone", "sudo", wire.ReasonDenied}, // to the C library that is nobody
		{"gone", "enrolled", wire.ReasonDenied},
		{"hangs", "enrolled", wire.ReasonUnavailable},
		{"nobody-at-all", "enrolled", wire.ReasonDenied},
		{l.who.Name, "group-down", wire.ReasonUnavailable},
		{l.who.Name, "group-gone", wire.ReasonUnavailable},
		{l.who.Name, "group-later", wire.ReasonUnavailable},
		{l.who.Name, "group-hangs", wire.ReasonUnavailable},
		{l.who.Name, "group-unknown", wire.ReasonUnavailable},
	} {
		all.Go(func() {
			begun := time.Now()
			v, err := factordtest.Login(l.Socket, -1, wire.Auth{User: c.user, Service: c.service}, &factordtest.Talk{Answers: []string{"000"}})
			if err != nil || v.Allow || v.Reason != c.want || time.Since(begun) > nssTime {
				t.Errorf("%s, %s: %+v, %v after %v, want %v", c.user, c.service, v, err, time.Since(begun), c.want)
			}
		})
	}
	for range 3 { // meanwhile
		begun := time.Now()
		if v := l.Login(-1, l.auth("sudo"), l.code()); !v.Allow || time.Since(begun) > 4*time.Second {
			t.Errorf("a user of /etc/passwd: %+v after %v", v, time.Since(begun))
		}
	}
	all.Wait()

	// Who is enrolled stays so when the backend can't be asked.
	if err := os.WriteFile(up, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l.MustEnroll("known", "totp")
	known := wire.Auth{User: "known", Service: "enrolled"}
	if v := l.Login(-1, known, "000"); v.Allow || v.Reason != wire.ReasonDenied {
		t.Errorf("backend is up: %+v", v)
	}
	os.Remove(up)
	if v := l.Login(-1, known, "000"); v.Allow || v.Reason != wire.ReasonUnavailable {
		t.Errorf("backend is down: %+v", v)
	}
}

// With a backend that hangs, another uid's connections must not hold up root's
// logins of users whom /etc/passwd has.
func TestNSSHangsForOthers(t *testing.T) {
	t.Parallel()
	l, _ := nssLab(t)
	for range 60 {
		dial(t, l.Socket, nobody).send("AUTH user=hangs service=sudo\n")
	}
	l.AwaitConnections(60, 5*time.Second)
	begun := time.Now()
	if v := l.Login(-1, l.auth("sudo"), l.code()); !v.Allow {
		t.Errorf("%+v after %v", v, time.Since(begun))
	}
}
