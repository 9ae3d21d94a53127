package pam_test

import (
	"crypto/rand"
	"crypto/sha256"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/pam/pamtest"
)

// expect fails the test unless a client ended as it should.
func (g *gate) expect(want result, argv ...string) {
	g.t.Helper()
	if r := g.do("", argv...); r != want {
		g.t.Errorf("%q:\n%+v, want\n%+v", argv, r, want)
	}
}

// remote is a path in the person's home, as scp writes it.
func (g *gate) remote(path string) string { return g.who.Name + "@" + gated + ":" + path }

// sshCommand is ssh as rsync and git take it.
func (g *gate) sshCommand() string {
	return strings.Join(g.client("ssh", "-l", g.who.Name), " ")
}

func sum(t *testing.T, path string) [sha256.Size]byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(data)
}

// Programs find their protocol undisturbed, whichever way they copy.
func TestForceCommandCopies(t *testing.T) {
	t.Parallel()
	factordtest.NeedProgram(t, "rsync")
	for _, subsystem := range []string{"internal-sftp", "internal-sftp -f AUTH -l INFO", "/usr/lib/openssh/sftp-server"} {
		g := newGate(t, gateOptions{rules: exemptUser, sftp: subsystem})
		from := filepath.Join(t.TempDir(), "from")
		makeFile(t, from, 1<<20)
		copies := map[string][]string{
			"scp":   g.client("scp", "-q", from, g.remote("scp")),
			"scp-O": g.client("scp", "-q", "-O", from, g.remote("scp-O")),
			"rsync": {"rsync", "-e", g.sshCommand(), from, g.remote("rsync")},
		}
		for name, argv := range copies {
			g.expect(result{}, argv...)
			if sum(t, from) != sum(t, filepath.Join(g.home, name)) {
				t.Errorf("%s with %q: the copy differs", name, subsystem)
			}
		}
		batch := "put " + from + " sftp\nget sftp " + from + "-back\nls -1 sftp\n"
		r := g.do(batch, g.client("sftp", "-q", "-b", "-", g.who.Name+"@"+gated)...)
		if r.status != 0 || r.errs != "" || !strings.HasSuffix(r.out, "\nsftp\n") || sum(t, from) != sum(t, from+"-back") {
			t.Errorf("sftp with %q: %+v", subsystem, r)
		}
		g.lastRecord(map[string]string{"verdict": "allow", "basis": "exempt", "command": subsystem})
	}
}

func makeFile(t *testing.T, path string, size int64) {
	t.Helper()
	f, err := os.Create(path)
	if err == nil {
		_, err = io.CopyN(f, rand.Reader, size)
	}
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}

// 100 MB arrive as they were sent, there and back.
func TestForceCommandLargeCopy(t *testing.T) {
	t.Parallel()
	g := newGate(t, gateOptions{rules: exemptUser})
	from := filepath.Join(t.TempDir(), "from")
	makeFile(t, from, 100<<20)
	for _, option := range []string{"-s", "-O"} {
		g.expect(result{}, g.client("scp", "-q", option, from, g.remote("large"))...)
		g.expect(result{}, g.client("scp", "-q", option, g.remote("large"), from+option)...)
		if sum(t, from) != sum(t, filepath.Join(g.home, "large")) || sum(t, from) != sum(t, from+option) {
			t.Errorf("scp %s: the copy differs", option)
		}
	}
}

// git clones, commits and pushes.
func TestForceCommandGit(t *testing.T) {
	t.Parallel()
	factordtest.NeedProgram(t, "git")
	g := newGate(t, gateOptions{rules: exemptUser})
	if r := g.ssh(plain, "git init -q --bare -b main r.git"); r.status != 0 {
		t.Fatalf("%+v", r)
	}
	work := filepath.Join(t.TempDir(), "work")
	env := []string{"GIT_SSH_COMMAND=" + g.sshCommand(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com",
		"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com"}
	for _, args := range [][]string{
		{"clone", "-q", gated + ":r.git", work}, {"-C", work, "commit", "-q", "--allow-empty", "-m", "first"},
		{"-C", work, "push", "-q", "origin", "HEAD:main"}, {"clone", "-q", gated + ":r.git", work + "-2"},
	} {
		if r := g.doIn(env, "", append([]string{"git"}, args...)...); r.status != 0 {
			t.Fatalf("git %q: %+v", args, r)
		}
	}
	log, err := exec.Command("git", "-C", work+"-2", "log", "--format=%s").Output()
	if err != nil || string(log) != "first\n" {
		t.Errorf("%q, %v", log, err)
	}
	g.lastRecord(map[string]string{"verdict": "allow", "command": "git-upload-pack 'r.git'"})
}

// Each session of one connection is asked for itself; with MaxSessions 1 there
// is no second one.
func TestForceCommandMultiplexed(t *testing.T) {
	t.Parallel()
	for _, single := range []bool{false, true} {
		o := gateOptions{}
		if !single {
			o.less = []string{"MaxSessions"}
		}
		g := newGate(t, o)
		share := []string{"-o", "ControlPath=" + filepath.Join(g.sshServer.dir, "control"), "-o", "ControlMaster=auto"}
		first := g.onTerminal(append(share, "-tt", gated, "echo first; read line")...)
		first.Expect("Passcode: ")
		first.Type(g.code() + "\r")
		first.Expect("first")

		second := g.onTerminal(append(share, "-tt", gated, "echo second")...)
		if single {
			second.Expect("Session open refused by peer")
		} else {
			second.Expect("Passcode: ")
			second.Type(g.code() + "\r")
			second.Expect("second")
			pamtest.Await(t, "a second verdict", 5*time.Second, func() bool { return g.asked() == 2 })
		}
		first.Type("\r")
		first.Wait()
	}
}
