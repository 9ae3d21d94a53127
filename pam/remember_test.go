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

// Under the real sshd a proof is remembered for one key: pam_exec asks its
// "Password: " all the same, and Enter is enough.
func TestSSHRemembers(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{Config: wideRule + "remember = \"1h\"\n"})
	s := newSSHServer(t, 1)
	s.start(pamtest.Service(t, l.snippet("sshd-pam_exec")), strings.Replace(fmt.Sprintf(sshConfig, s.ports[0], s.dir, s.dir), "user.pub", "both", 1))
	public, err := os.ReadFile(filepath.Join(s.dir, "user.pub"))
	if err != nil {
		t.Fatal(err)
	}
	s.write("both", string(public))
	if err := os.Chmod(filepath.Join(s.dir, "both"), 0o644); err != nil { // sshd reads it as the user
		t.Fatal(err)
	}
	key := "user"
	enter := func(answer string) *pamtest.Terminal {
		x := pamtest.NewTerminal(t)
		x.Start(nil, s.client("ssh", "-i", filepath.Join(s.dir, key), "-l", l.who.Name, "port0", "id", "-un")...)
		x.Expect("Password: ")
		x.Type(answer + "\r")
		return x
	}
	remembered := func() {
		t.Helper()
		x := enter("")
		x.Expect("\n" + l.who.Name)
		if status := x.Wait(); status != 0 {
			t.Errorf("exit %d\n%s", status, x.Screen())
		}
		l.lastRecord(map[string]string{"verdict": "allow", "basis": "remembered", "rhost": "127.0.0.1"})
	}
	asked := func(why string) {
		t.Helper()
		x := enter("") // which is no answer, and so a second question comes
		x.Expect("Password: ")
		x.Kill()
		if x.Wait(); strings.Contains(x.Screen(), l.who.Name+"\r") {
			t.Errorf("%s, and yet in:\n%s", why, x.Screen())
		}
	}
	asked("nothing is proven yet")
	x := enter(l.code())
	x.Expect("\n" + l.who.Name)
	if status := x.Wait(); status != 0 {
		t.Fatalf("exit %d\n%s", status, x.Screen())
	}
	remembered()
	remembered()

	other := filepath.Join(s.dir, "other")
	if status, out := run(t, "", exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other)); status != 0 {
		t.Fatalf("ssh-keygen: %s", out)
	}
	both := ""
	for _, name := range []string{"user.pub", "other.pub"} {
		public, err := os.ReadFile(filepath.Join(s.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		both += string(public)
	}
	s.write("both", both) // the server's list; the client's own keys stay apart
	key = "other"
	asked("another key")
	key = "user"
	remembered()

	l.MustCall("FORGET user=" + l.who.Name)
	asked("forgotten")
}
