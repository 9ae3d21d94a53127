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

// remembering is a lab behind the real sshd, whose rule remembers.
type remembering struct {
	*lab
	sshServer
	t *testing.T
}

// newRemembering lets in two keys, "user" and "other".
func newRemembering(t *testing.T) *remembering {
	t.Helper()
	l := newLab(t, factordtest.ProcessOptions{Config: wideRule + "remember = \"1h\"\n"})
	r := &remembering{lab: l, sshServer: newSSHServer(t, 1), t: t}
	if status, out := run(t, "", exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(r.dir, "other"))); status != 0 {
		t.Fatalf("ssh-keygen: %s", out)
	}
	both := ""
	for _, name := range []string{"user.pub", "other.pub"} {
		public, err := os.ReadFile(filepath.Join(r.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		both += string(public)
	}
	r.write("both", both)
	if err := os.Chmod(filepath.Join(r.dir, "both"), 0o644); err != nil { // sshd reads it as the user
		t.Fatal(err)
	}
	config := strings.Replace(fmt.Sprintf(sshConfig, r.ports[0], r.dir, r.dir), "user.pub", "both", 1)
	r.start(pamtest.Service(t, l.snippet("sshd-pam_exec")), config)
	return r
}

// enter logs in with a key and gives one answer. pam_exec asks its "Password: "
// whatever factord remembers.
func (r *remembering) enter(key, answer string) *pamtest.Terminal {
	r.t.Helper()
	x := pamtest.NewTerminal(r.t)
	x.Start(nil, r.client("ssh", "-i", filepath.Join(r.dir, key), "-l", r.who.Name, "port0", "id", "-un")...)
	x.Expect("Password: ")
	x.Type(answer + "\r")
	return x
}

// allowed expects a login that goes on, on a basis.
func (r *remembering) allowed(answer, basis string) {
	r.t.Helper()
	x := r.enter("user", answer)
	x.Expect("\n" + r.who.Name)
	if status := x.Wait(); status != 0 {
		r.t.Errorf("exit %d\n%s", status, x.Screen())
	}
	r.lastRecord(map[string]string{"verdict": "allow", "basis": basis, "rhost": "127.0.0.1"})
}

// asked expects that Enter is no answer: a second question comes.
func (r *remembering) asked(why, key string) {
	r.t.Helper()
	x := r.enter(key, "")
	x.Expect("Password: ")
	x.Kill()
	if x.Wait(); strings.Contains(x.Screen(), r.who.Name+"\r") {
		r.t.Errorf("%s, and yet in:\n%s", why, x.Screen())
	}
}

// Under the real sshd a proof is remembered for the key that it came with.
func TestSSHRemembers(t *testing.T) {
	t.Parallel()
	r := newRemembering(t)
	r.asked("nothing is proven yet", "user")
	r.allowed(r.code(), "factor")
	r.allowed("", "remembered")
	r.allowed("", "remembered")
	r.asked("another key", "other")
	r.allowed("", "remembered")
	r.MustCall("FORGET user=" + r.who.Name)
	r.asked("forgotten", "user")
}
