package pam_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
)

// evade, in a file that a shell reads before the helper runs, does what was asked
// for and never comes to the helper.
const evade = `exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"` + "\n"

// evades reports whether a command runs without a terminal, and so without
// anybody being asked.
func (g *gate) evades(options ...string) bool {
	g.t.Helper()
	r := g.ssh(gated, append(options, "echo ran")...)
	if r.status != 1 && r != (result{0, "ran\n", ""}) {
		g.t.Errorf("%q: %+v", options, r)
	}
	return r.status == 0
}

// What the login shell reads at its start comes before the helper. The line
// SetEnv closes that for bash and zsh; the session then reads its files as ever.
func TestForceCommandStartupFiles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		shell, file  string
		evaded, open bool // without SetEnv, and with it
	}{
		{"bash", ".bashrc", true, false},
		{"zsh", ".zshenv", true, false},
		{"fish", ".config/fish/config.fish", true, true},
		{"dash", ".profile", false, false},
	} {
		shell := factordtest.NeedProgram(t, c.shell)
		g := newGate(t, gateOptions{shell: shell, less: []string{"SetEnv"}})
		g.put(c.file, evade, 0o644)
		if got := g.evades(); got != c.evaded {
			t.Errorf("%s, without SetEnv: %v", c.file, got)
		}
		g = newGate(t, gateOptions{shell: shell})
		g.put(c.file, evade, 0o644)
		if got := g.evades(); got != c.open {
			t.Errorf("%s, with SetEnv: %v", c.file, got)
		}
		if c.open || c.shell == "dash" {
			continue
		}
		g.put(c.file, "GREETING=hello\n", 0o644)
		x := g.onTerminal("-tt", gated, "echo I say $GREETING")
		x.Expect("Passcode: ")
		x.Type(g.code() + "\r")
		x.Expect("I say hello")
		x.Wait()
	}
}

// A client's variables change neither verdict nor session where AcceptEnv lets
// them all in.
func TestForceCommandAcceptsEverything(t *testing.T) {
	t.Parallel()
	sent := "-oSetEnv=LD_PRELOAD=/none.so LD_LIBRARY_PATH=/tmp ENV=/x ZDOTDIR=/tmp PS4=x PROMPT_COMMAND=id SHELL=/bin/false LOGNAME=root " +
		"GODEBUG=inittrace=1 GOTRACEBACK=crash GOMAXPROCS=1 PAM_TYPE=auth SSH_TTY=/dev/null LC_X=1 LANG=C FACTORD=1"
	g := newGate(t, gateOptions{sshd: "AcceptEnv *\n"})
	if r := g.ssh(gated, sent, "touch ran"); r.status != 1 || r.out != "" {
		t.Errorf("%+v", r)
	}
	if _, err := os.Stat(filepath.Join(g.home, "ran")); err == nil {
		t.Error("the command ran")
	}
	g = newGate(t, gateOptions{rules: exemptUser, sshd: "AcceptEnv *\n", less: []string{"SetEnv"}})
	r := g.ssh(gated, sent, "env")
	for _, kept := range []string{"LC_X=1", "LANG=C", "FACTORD=1", "SHELL=/bin/bash", "LOGNAME=" + g.who.Name} {
		if !strings.Contains("\n"+r.out, "\n"+kept+"\n") {
			t.Errorf("%s is gone: %+v", kept, r)
		}
	}
	for _, dropped := range []string{"LD_", "ENV=", "ZDOTDIR", "PS4", "PROMPT_COMMAND", "SSH_ORIGINAL_COMMAND"} {
		if strings.Contains("\n"+r.out, "\n"+dropped) {
			t.Errorf("%s is still there: %+v", dropped, r)
		}
	}
	// One shell is started with LD_PRELOAD, by sshd, and complains.
	if n := strings.Count(r.errs, "LD_PRELOAD"); n != 1 {
		t.Errorf("%d programs were started with LD_PRELOAD: %s", n, r.errs)
	}
}

// The price of ForceCommand: a key's own command= is not obeyed. ~/.ssh/rc is
// not run.
func TestForceCommandTakesKeysCommands(t *testing.T) {
	t.Parallel()
	g := newGate(t, gateOptions{rules: exemptUser})
	g.put(".ssh/rc", "touch rc-ran\n", 0o644)
	key, err := os.ReadFile(filepath.Join(g.sshServer.dir, "user.pub"))
	if err != nil {
		t.Fatal(err)
	}
	g.write("user.pub", `command="echo only this" `+string(key))
	for host, want := range map[string]string{gated: "everything\n", plain: "only this\n"} {
		if r := g.ssh(host, "echo everything; ls"); r.status != 0 || r.out != want {
			t.Errorf("%s: %+v, want %q", host, r, want)
		}
		os.Remove(filepath.Join(g.home, "rc-ran"))
	}
}
