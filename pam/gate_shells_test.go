package pam_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
)

// metacharacters is every byte that can be in a command; the shell would do
// something with nearly each.
func metacharacters() string {
	all := []byte("x; $(id) `id` \"a'b\" \\ $HOME && | & > < * ? [a] {b,c} ~ ! # \n\t%s")
	for c := 1; c < 256; c++ {
		all = append(all, byte(c))
	}
	return string(all)
}

// recorder is a login shell that writes down how it is called; the helper itself
// it passes on.
const recorder = `#!/bin/sh
case "$2" in */factor-helper\ *) exec /bin/sh -c "$2";; esac
for arg; do printf '%%s\0' "$arg"; done >>%s/calls
printf 'end\n' >>%[1]s/calls
`

// The command reaches the login shell once, in one piece and untouched.
func TestForceCommandVerbatim(t *testing.T) {
	t.Parallel()
	factordtest.NeedRoot(t)
	dir := factordtest.OpenDir(t)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	shell := filepath.Join(dir, "shell")
	if err := os.WriteFile(shell, fmt.Appendf(nil, recorder, dir), 0o755); err != nil {
		t.Fatal(err)
	}
	g := newGate(t, gateOptions{rules: exemptUser, shell: shell})
	for _, command := range []string{metacharacters(), " ", "exec bash -c 'x'", strings.Repeat("y", 100_000), "--help", "-c"} {
		os.Remove(filepath.Join(dir, "calls"))
		if r := g.do("", g.client("ssh", "-l", g.who.Name, gated, "--", command)...); r != (result{}) {
			t.Errorf("%.40q: %+v", command, r)
		}
		calls, _ := os.ReadFile(filepath.Join(dir, "calls"))
		if want := "-c\x00" + command + "\x00end\n"; string(calls) != want {
			t.Errorf("called with %.400q, want %.400q", calls, want)
		}
	}
}

// Whatever the login shell, a session is what it is without ForceCommand.
func TestForceCommandShells(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"bash", "dash", "zsh", "fish"} {
		g := newGate(t, gateOptions{rules: exemptUser, shell: factordtest.NeedProgram(t, name)})
		g.put(".zshrc", "", 0o644) // or zsh asks about its first start
		for _, command := range []string{
			`echo once >>log; printf '%s|' "a  b" '$HOME' "$HOME" \\ 'x;y' | cat; echo err >&2; exit 7`,
			`sh -c 'tr "\0" "|" </proc/$PPID/cmdline'; cat | wc -c`,
			``,
		} {
			got, want := g.ssh(gated, command), g.ssh(plain, command)
			if got != want {
				t.Errorf("%s: %q: %+v, without ForceCommand %+v", name, command, got, want)
			}
		}
		script := g.client("ssh", "-T", "-l", g.who.Name, gated) // a login shell that reads its commands
		if r := g.do("echo script; exit 3\n", script...); r.status != 3 || !strings.HasSuffix(r.out, "script\n") {
			t.Errorf("%s: ssh -T <script: %+v", name, r)
		}
		if log, _ := os.ReadFile(filepath.Join(g.home, "log")); string(log) != "once\nonce\n" {
			t.Errorf("%s: the command ran %d times, want once with and once without", name, strings.Count(string(log), "\n"))
		}
		x := g.onTerminal(gated)
		x.Type("sh -c 'tr \"\\0\" \"|\" </proc/$PPID/cmdline'; exit 9\r")
		x.Expect("-" + name + "|")
		if status := x.Wait(); status != 9 {
			t.Errorf("%s: exit %d\n%s", name, status, x.Screen())
		}
	}
}

// A shell that runs no command does not run the helper either.
func TestForceCommandNologin(t *testing.T) {
	t.Parallel()
	g := newGate(t, gateOptions{rules: exemptUser, shell: "/usr/sbin/nologin"})
	for _, host := range []string{gated, plain} {
		if r := g.ssh(host, "id"); r.status != 1 || r.out != "This account is currently not available.\n" {
			t.Errorf("%s: %+v", host, r)
		}
	}
	if g.asked() != 0 {
		t.Error("factord was asked")
	}
}
