package completions_test

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/conf"
	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/factordtest/helptext"
	"github.com/factord/factord/packaging/completions"
)

// patience is how long a shell may take for all lines.
const patience = time.Minute

// offers returns what a shell offers at the end of each line, in a folder with a file
// "notes" and a folder "state".
func offers(t *testing.T, shell string, lines ...string) map[string][]string {
	t.Helper()
	here, err := filepath.Abs(".")
	if err == nil {
		err = factordtest.DependOn("Makefile", "packaging/completions/*", "packaging/completions/testdata/*")
	}
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "notes"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "state"), 0o700); err != nil {
		t.Fatal(err)
	}
	bare := map[string]string{"bash": "--norc", "zsh": "-f", "fish": "--no-config"}[shell]
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, factordtest.NeedProgram(t, shell), append([]string{bare, filepath.Join(here, "testdata/offers."+shell), here}, lines...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "TERM=dumb", "LC_ALL=C.UTF-8")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	all, line := map[string][]string{}, ""
	for text := range strings.Lines(string(out)) {
		text, _, _ = strings.Cut(strings.TrimSuffix(text, "\n"), "\t") // fish describes what it offers
		if next, ok := strings.CutPrefix(text, "== "); ok {
			line = next
			all[line] = nil
		} else if text != "" {
			_, value, joined := strings.Cut(text, "=") // fish repeats the flag, bash and zsh offer --name=
			if joined && value != "" {
				text = value
			}
			all[line] = append(all[line], strings.TrimSuffix(text, "="))
		}
	}
	for line := range all {
		slices.Sort(all[line])
		all[line] = slices.Compact(all[line])
	}
	if len(all) != len(lines) {
		t.Fatalf("%d of %d lines were answered\n%s", len(all), len(lines), out)
	}
	return all
}

// eachShell runs a test with every shell.
func eachShell(t *testing.T, test func(t *testing.T, shell string)) {
	t.Parallel()
	for _, shell := range completions.Shells() {
		t.Run(shell, func(t *testing.T) { test(t, shell) })
	}
}

// Each shell offers every flag of each program and verb, and no others.
func TestFlags(t *testing.T) {
	want := map[string][]string{}
	add := func(line, program string, verb ...string) {
		for name := range helptext.Flags(t, program, verb...) {
			want[line] = append(want[line], "--"+name)
		}
		slices.Sort(want[line])
	}
	add("factord --", "factord")
	add("factor-helper --", "factor-helper")
	add("factorctl --", "factorctl")
	for _, verb := range helptext.Verbs(t) {
		add("factorctl "+verb+" --", "factorctl", verb)
		want["factorctl --socket s "+verb+" --"] = want["factorctl "+verb+" --"]
	}
	for _, factor := range append(conf.FactorNames(), "hotp") {
		add("factorctl enroll "+factor+" --", "factorctl", "enroll", factor)
		want["factorctl enroll --name x "+factor+" --"] = want["factorctl enroll "+factor+" --"]
	}
	eachShell(t, func(t *testing.T, shell string) {
		for line, got := range offers(t, shell, linesOf(shell, want)...) {
			got = slices.DeleteFunc(got, func(flag string) bool { return flag == "--name" && strings.Contains(line, flag) })
			wanted := slices.DeleteFunc(slices.Clone(want[line]), func(flag string) bool { return flag == "--name" && strings.Contains(line, flag) })
			if !slices.Equal(got, wanted) {
				t.Errorf("%s\n got %q\nwant %q", line, got, wanted)
			}
		}
	})
}

// linesOf are the lines that a shell completes. fish knows no program that is not in PATH,
// which factor-helper never is.
func linesOf(shell string, want map[string][]string) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(want)), func(line string) bool {
		return shell == "fish" && strings.HasPrefix(line, "factor-helper ")
	})
}

// Each shell offers what can stand in a place.
func TestValues(t *testing.T) {
	verbs := append(helptext.Verbs(t), "help")
	slices.Sort(verbs)
	factors := append(conf.FactorNames(), "hotp")
	slices.Sort(factors)
	shells := slices.Sorted(slices.Values(completions.Shells()))
	_, kinds, _ := strings.Cut(helptext.Of(t, "factorctl", "audit", "--help"), "only this KIND: ")
	kinds, _, _ = strings.Cut(kinds, "\n")
	want := map[string][]string{
		"factorctl ":                                verbs,
		"factorctl enr":                             {"enroll"},
		"factorctl --json --socket s enr":           {"enroll"},
		"factorctl --socket=s enr":                  {"enroll"},
		"factorctl help res":                        {"resync"},
		"factorctl enroll ":                         factors,
		"factorctl enroll --user u to":              {"totp", "touch"},
		"factorctl enroll totp ":                    nil,
		"factorctl enroll --name ":                  nil,
		"factorctl list --user daemo":               {"daemon"},
		"factorctl list --user=daemo":               {"daemon"},
		"factorctl bypass daemo":                    {"daemon"},
		"factorctl remove totp-1 daemo":             {"daemon"},
		"factorctl remove ":                         nil,
		"factorctl explain --ruser daemo":           {"daemon"},
		"factorctl check-config no":                 {"notes"},
		"factorctl import no":                       {"notes"},
		"factorctl import notes --users n":          {"notes"},
		"factorctl status no":                       nil,
		"factorctl enroll totp --secret-file no":    {"notes"},
		"factorctl audit --verify-file=no":          {"notes"},
		"factorctl audit --kind ":                   slices.Sorted(slices.Values(strings.Split(kinds, ", "))),
		"factorctl audit --verdict ":                {"allow", "deny", "wrong"},
		"factorctl audit --kind enroll --verdict a": {"allow"},
		"factorctl test --service passw":            {"passwd"},
		"factorctl explain --caller ":               {"root", "user"},
		"factorctl enroll fido2 --verification ":    {"built-in", "pin"},
		"factorctl enroll totp --algorithm ":        {"SHA1", "SHA256", "SHA512"},
		"factorctl import notes --factor ":          {"fido2", "yubico"},
		"factorctl completion ":                     shells,
		"factor-helper ch":                          {"check"},
		"factor-helper ssh --socket no":             {"notes"},
		"factor-helper check --service passw":       {"passwd"},
		"factord --config no":                       {"notes"},
		"factord --backup=no":                       {"notes"},
		"factord --rekey --new-key-file no":         {"notes"},
	}
	eachShell(t, func(t *testing.T, shell string) {
		for line, got := range offers(t, shell, linesOf(shell, want)...) {
			if strings.HasSuffix(line, " ") { // zsh goes on with flags where no argument is left
				got = slices.DeleteFunc(got, func(s string) bool { return strings.HasPrefix(s, "-") })
			}
			if !slices.Equal(got, want[line]) {
				t.Errorf("%s\n got %q\nwant %q", line, got, want[line])
			}
		}
		state := offers(t, shell, "factord --state ")["factord --state "]
		if len(state) != 1 || strings.TrimSuffix(state[0], "/") != "state" {
			t.Errorf("--state: %q", state)
		}
	})
}

// "make install" puts each file where its shell looks.
func TestInstalled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if out, err := exec.Command("make", "-s", "-C", "../..", "install-texts", "DESTDIR="+dir, "PREFIX=/usr").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, program := range []string{"factorctl", "factord", "factor-helper"} {
		for from, to := range map[string]string{
			program + ".bash": "bash-completion/completions/" + program,
			"_" + program:     "zsh/site-functions/_" + program,
			program + ".fish": "fish/vendor_completions.d/" + program + ".fish",
		} {
			if from == "factor-helper.fish" { // linesOf says why
				continue
			}
			want, err := os.ReadFile(from)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(filepath.Join(dir, "usr/share", to)); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: %v", to, err)
			}
		}
	}
}
