package pam_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
)

// evadingLibrary does what evade does, in whatever program it is loaded into.
const evadingLibrary = `
#include <stdlib.h>
#include <unistd.h>
__attribute__((constructor)) static void evade(void)
{
	char *command = getenv("SSH_ORIGINAL_COMMAND");
	unsetenv("LD_PRELOAD");
	if (command)
		execl("/bin/sh", "sh", "-c", command, (char *)0);
}
`

// traps are the variables that make sshd's own "$SHELL -c" do something else.
func (g *gate) traps() []string {
	g.t.Helper()
	gcc := factordtest.NeedProgram(g.t, "gcc")
	library := filepath.Join(g.sshServer.dir, "evade.so")
	cmd := exec.Command(gcc, "-Wall", "-Werror", "-shared", "-fPIC", "-x", "c", "-o", library, "-")
	if status, out := run(g.t, evadingLibrary, cmd); status != 0 {
		g.t.Fatalf("gcc: %s", out)
	}
	return []string{"BASH_ENV=" + g.put("evade", evade, 0o644), "LD_PRELOAD=" + library}
}

// Variables make the first shell run something, wherever they come from. The
// snippet lets in none of a client's or a user's, and SetEnv empties those that
// come by another way. (Without SHLVL, bash reads ~/.bashrc and not BASH_ENV.)
func TestForceCommandVariables(t *testing.T) {
	t.Parallel()
	withPAM := func(option string) gateOptions {
		return gateOptions{pam: gateService + "session required pam_env.so " + option + "\n"}
	}
	for _, c := range []struct {
		name string
		o    gateOptions
		file string // "": the client sends it
		open bool   // where SetEnv empties nothing
	}{
		{"AcceptEnv *", gateOptions{sshd: "AcceptEnv *\n"}, "", true},
		{"AcceptEnv as shipped", gateOptions{}, "", false},
		{"PermitUserEnvironment yes", gateOptions{sshd: "PermitUserEnvironment yes\n"}, ".ssh/environment", true},
		{"PermitUserEnvironment as shipped", gateOptions{}, ".ssh/environment", false},
		{"user_readenv=1", withPAM("user_readenv=1"), ".pam_environment", true},
		{"user_readenv=0", withPAM("user_readenv=0"), ".pam_environment", false},
	} {
		g := newGate(t, c.o)
		for _, trap := range g.traps() {
			if g.trapped(trap, c.file) {
				t.Errorf("%s: %s evades the helper", c.name, trap)
			}
		}
		c.o.less, c.o.more = []string{"SetEnv"}, "    SetEnv SHLVL=1\n"
		g = newGate(t, c.o)
		for _, trap := range g.traps() {
			if got := g.trapped(trap, c.file); got != c.open {
				t.Errorf("%s, without the snippet's SetEnv: %s evades the helper: %v", c.name, trap, got)
			}
		}
	}
}

// trapped reports whether a variable, from the client or in a file of the
// user's, makes a command run unasked.
func (g *gate) trapped(variable, file string) bool {
	g.t.Helper()
	if file == "" {
		return g.evades("-o", "SetEnv="+variable)
	}
	defer os.Remove(g.put(file, variable+"\n", 0o600))
	return g.evades()
}
