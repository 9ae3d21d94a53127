// Package helptext reads what the programs say of themselves with --help. A manual page or
// a shell's completions are compared with that, so that they can't fall behind.
package helptext

import (
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
)

// Flag is a flag of a program, as its --help tells of it.
type Flag struct {
	Argument string // what stands for its value, FILE say; "": it has none
	Default  string // "": none is told
}

// Flags returns the flags, without their dashes, that a program or a verb of it tells of.
func Flags(t testing.TB, program string, verb ...string) map[string]Flag {
	t.Helper()
	text := Of(t, program, append(verb, "--help")...)
	flag := regexp.MustCompile(`(?m)^ +(?:-\w, )?--([a-z-]+)(?: ([A-Z]+))?(?:$|  )`)
	usual := regexp.MustCompile(`\(default "?([^ ")]+)"?\)`)
	all := map[string]Flag{}
	places := flag.FindAllStringSubmatchIndex(text, -1)
	for i, at := range places {
		end := len(text)
		if i+1 < len(places) {
			end = places[i+1][0]
		}
		var f Flag
		if at[4] >= 0 {
			f.Argument = text[at[4]:at[5]]
		}
		if value := usual.FindStringSubmatch(text[at[0]:end]); value != nil {
			f.Default = value[1]
		}
		all[text[at[2]:at[3]]] = f
	}
	if len(all) == 0 {
		t.Fatalf("%s %q tells of no flags", program, verb)
	}
	return all
}

// Verbs returns those of factorctl.
func Verbs(t testing.TB) []string {
	t.Helper()
	all := map[string]bool{}
	for line := range strings.Lines(Of(t, "factorctl", "__complete", "")) {
		if verb, _, _ := strings.Cut(strings.TrimSpace(line), "\t"); verb != "" && verb != "help" && verb[0] != ':' {
			all[verb] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// Of is what a program prints.
func Of(t testing.TB, program string, args ...string) string {
	t.Helper()
	if err := factordtest.DependOn("cmd/factord/*.go", "cmd/factorctl/ctl/*.go", "helper/*.go"); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(filepath.Join(factordtest.Build(t), program), args...).Output()
	if err != nil {
		t.Fatalf("%s %q: %v", program, args, err)
	}
	return string(out)
}
