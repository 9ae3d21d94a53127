package pam_test

import (
	"bytes"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
)

// start runs a factord that is to end by itself, because something is wrong, and
// returns its exit status and what it says.
func start(t *testing.T, p *factordtest.Process) (int, string) {
	t.Helper()
	timed := append([]string{"--kill-after=1", "10"}, p.Args()...)
	status, out := run(t, "", exec.Command("timeout", timed...))
	t.Logf("exit %d: %s", status, out)
	return status, out
}

// refusesToStart fails the test unless factord exits 1 with a hint.
func refusesToStart(t *testing.T, p *factordtest.Process) {
	t.Helper()
	status, out := start(t, p)
	if status != 1 || !strings.Contains(out, "\nhint: ") {
		t.Errorf("exit %d, want 1 and a hint:\n%s", status, out)
	}
	if _, err := factordtest.Dial(p.Socket, -1); err == nil {
		t.Error("somebody listens")
	}
}

func TestBadConfig(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(path string) error{
		"missing":        os.Remove,
		"world-writable": func(path string) error { return os.Chmod(path, 0o666) },
		"group-writable": func(path string) error { return os.Chmod(path, 0o620) },
		"another's":      func(path string) error { return os.Chown(path, 65534, 0) },
		"contradictory": func(path string) error {
			return os.WriteFile(path, []byte("[[rule]]\nmode = \"exempt\"\nfactors = [\"totp\"]\n"), 0o600)
		},
		"unknown key": func(path string) error {
			return os.WriteFile(path, []byte("[[rule]]\nfactors = [\"totp\"]\nfail_open = true\n"), 0o600)
		},
		"unreachable rule": func(path string) error {
			return os.WriteFile(path, []byte(factordtest.AnyRule+factordtest.AnyRule), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			factordtest.NeedRoot(t)
			p := factordtest.Prepare(t, factordtest.ProcessOptions{})
			if err := spoil(p.ConfigFile); err != nil {
				t.Fatal(err)
			}
			refusesToStart(t, p)
		})
	}
}

// An empty configuration is one without a rule: factord runs, and refuses all.
func TestEmptyConfig(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{Config: "\n"})
	for _, service := range []string{"", "sshd", "sudo"} {
		if v := l.Login(-1, l.auth(service), l.code()); v.Allow || v.Reason != wire.ReasonNoRule {
			t.Errorf("%q: %+v", service, v)
		}
	}
}

// A state that can't be trusted is no state: factord does not start with less.
func TestBadState(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{})
	for range 20 {
		l.Login(-1, l.auth("sudo"), "000")
	}
	l.Stop()
	good := map[string][]byte{}
	for _, name := range []string{"factord.db", "seal.key"} {
		good[name] = read(t, filepath.Join(l.State, name))
	}
	random := make([]byte, 64<<10)
	rand.Read(random)
	db := good["factord.db"]
	for _, c := range []struct {
		name, file string
		content    []byte // nil: the file is missing
	}{
		{"database missing", "factord.db", nil},
		{"database empty", "factord.db", []byte{}},
		{"database cut in the first page", "factord.db", db[:1000]},
		{"database cut in the second page", "factord.db", db[:6000]},
		{"database cut after the meta pages", "factord.db", db[:8192]},
		{"database cut in half", "factord.db", db[:len(db)/8192*4096]},
		{"database of noise", "factord.db", random},
		{"database of zeroes", "factord.db", make([]byte, len(db))},
		{"meta pages of noise", "factord.db", append(bytes.Clone(random[:8192]), db[8192:]...)},
		{"data pages of noise", "factord.db", append(bytes.Clone(db[:8192]), random[:len(random)-8192]...)},
		{"key missing", "seal.key", nil},
		{"key empty", "seal.key", []byte{}},
		{"key of another", "seal.key", []byte(strings.Repeat("0123456789abcdef", 4) + "\n")},
		{"key of noise", "seal.key", random[:100]},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := factordtest.Prepare(t, factordtest.ProcessOptions{})
			for name, content := range good {
				if name == c.file {
					content = c.content
				}
				path := filepath.Join(p.State, name)
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
				if name == c.file && content == nil {
					continue
				}
				if err := os.WriteFile(path, content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			refusesToStart(t, p)
		})
	}
}
