package man_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factordtest/helptext"
	"github.com/factord/factord/daemon/wire"
)

// page is the source of a page, with its signs as they are read.
func page(t *testing.T, name string) string {
	t.Helper()
	return strings.NewReplacer(`\-`, "-", `\(dq`, `"`, `\e`, `\`).Replace(source(t, "../packaging/man/"+name))
}

// entry is a paragraph with a tag: a flag, or a key of a file.
type entry struct{ tag, text string }

// entries are the paragraphs of a text, with what stands below each. Lists inside of one
// belong to it.
func entries(text string) (all []entry) {
	text = regexp.MustCompile(`(?s)\n\.RS\n.*?\n\.RE\n`).ReplaceAllStringFunc(text, func(list string) string {
		return strings.ReplaceAll(list, "\n.TP\n", "\n.tp\n")
	})
	for _, part := range strings.Split(text, "\n.TP\n")[1:] {
		tag, text, _ := strings.Cut(part, "\n")
		text, _, _ = strings.Cut(text, "\n.SS ")
		all = append(all, entry{tag, "\n" + text + "\n"})
	}
	return all
}

// preset is what an entry tells as its default, as TOML writes it; "": nothing.
func (e entry) preset() string {
	found := regexp.MustCompile(`\nDefault:\n\.[BI]R (.+) \.\n`).FindStringSubmatch(e.text)
	if found == nil {
		return ""
	}
	return found[1]
}

// told are the flags of a text, as helptext has them.
func told(text string) map[string]helptext.Flag {
	all := map[string]helptext.Flag{}
	flag := regexp.MustCompile(`^\.(?:B|BI|BR) (?:-h ", " )?--([a-z-]+)(?: " ([A-Z]+)")?$`)
	for _, e := range entries("\n" + text) {
		if found := flag.FindStringSubmatch(e.tag); found != nil {
			all[found[1]] = helptext.Flag{Argument: found[2], Default: e.preset()}
		}
	}
	return all
}

func compare(t *testing.T, where string, got, want map[string]helptext.Flag) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if flag, ok := got[name]; !ok || flag != want[name] {
			t.Errorf("%s: --%s is %+v in the page, %+v in the program", where, name, flag, want[name])
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s: the page has --%s, which the program has not", where, name)
		}
	}
}

// The flags, arguments and defaults in a program's page are those of the program, and
// its own text tells of all that its code takes.
func TestProgramFlags(t *testing.T) {
	t.Parallel()
	for program, code := range map[string]struct{ file, flag string }{
		"factord":       {"../cmd/factord/options.go", `f\.\w+Var\(&o\.\w+, "([a-z-]+)"`},
		"factor-helper": {"../helper/args.go", `"--([a-z]+)"`},
	} {
		text, flags := page(t, program+".8"), helptext.Flags(t, program)
		compare(t, program, told(section(t, text, "OPTIONS")), flags)
		taken := append(found(code.flag, source(t, code.file)), "help")
		slices.Sort(taken)
		if names := slices.Sorted(maps.Keys(flags)); !slices.Equal(names, slices.Compact(taken)) {
			t.Errorf("%s takes %q, and tells of %q", program, taken, names)
		}
		for name := range flags {
			if !strings.Contains(section(t, text, "SYNOPSIS"), "--"+name) {
				t.Errorf("the synopsis of %s lacks --%s", program, name)
			}
		}
	}
}

// The verbs in factorctl(8) are those of factorctl, each with its flags.
func TestVerbs(t *testing.T) {
	t.Parallel()
	text := page(t, "factorctl.8")
	everywhere := helptext.Flags(t, "factorctl")
	compare(t, "factorctl", told(section(t, text, "OPTIONS")), everywhere)
	var verbs []string
	for _, part := range strings.Split(section(t, text, "VERBS"), "\n.SS ")[1:] {
		heading, text, _ := strings.Cut(part, "\n")
		verb, _, _ := strings.Cut(heading, " ")
		verbs = append(verbs, verb)
		flags := helptext.Flags(t, "factorctl", verb)
		maps.DeleteFunc(flags, func(name string, _ helptext.Flag) bool { _, ok := everywhere[name]; return ok })
		compare(t, verb, told(text), flags)
	}
	slices.Sort(verbs)
	if real := helptext.Verbs(t); !slices.Equal(verbs, real) {
		t.Errorf("the page has %q, the program %q", verbs, real)
	}
	taken := found(`verb != "([a-z]+)"`, source(t, "../helper/args.go"))
	if told := found(`(?m)^\.TP\n\.B ([a-z]+)$`, section(t, page(t, "factor-helper.8"), "VERBS")); len(told) != 3 || !slices.Equal(slices.Sorted(slices.Values(append(told, "help"))), taken) {
		t.Errorf("factor-helper(8) has %q, the program %q", told, taken)
	}
}

// The verdicts in factorctl(8) are those of the wire.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	allow, deny, _ := strings.Cut(section(t, page(t, "factorctl.8"), "VERDICTS"), "\n.B deny\n")
	var bases, reasons []string
	for b := wire.BasisFactor; b <= wire.BasisUnavailable; b++ {
		bases = append(bases, b.String())
	}
	for r := wire.ReasonDenied; r.Code() != wire.ReasonInternal.Code() || r == wire.ReasonInternal; r++ { // beyond the last it is internal
		reasons = append(reasons, r.String())
	}
	for _, list := range []struct {
		text string
		want []string
	}{{allow, bases}, {deny, reasons}} {
		told := strings.Fields(strings.NewReplacer(`", "`, " ").Replace(strings.Join(found(`(?m)^\.TP\n\.BR? (.+)$`, list.text), " ")))
		slices.Sort(told)
		if slices.Sort(list.want); !slices.Equal(told, list.want) {
			t.Errorf("the page has %q, the wire %q", told, list.want)
		}
	}
}

// The exit statuses of factor-helper(8) are those of the program.
func TestHelperStatus(t *testing.T) {
	t.Parallel()
	code := source(t, "../helper/helper.go") + source(t, "../helper/session.go")
	text := section(t, page(t, "factor-helper.8"), "EXIT STATUS")
	for _, number := range found(`\n\t?(?:const )?exit\w+ += (\d+)`, code) {
		if !strings.Contains(text, "\n.B "+number+"\n") && !strings.Contains(text, " "+number+" ") {
			t.Errorf("the page lacks %s", number)
		}
	}
}
