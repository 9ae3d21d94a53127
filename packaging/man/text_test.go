package man_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factordtest/helptext"
)

// What a page shows can be run, as far as its words go: verbs and flags are known.
func TestExampleCommands(t *testing.T) {
	t.Parallel()
	tried := 0
	for _, name := range []string{"factord.8", "factor-helper.8", "factorctl.8", "factord.toml.5"} {
		for _, example := range examples(page(t, name)) {
			for command := range strings.FieldsFuncSeq(example, func(r rune) bool { return strings.ContainsRune("&|\n", r) }) {
				if _, as, ok := strings.Cut(command, " -- "); ok { // runuser's
					command = as
				}
				words := strings.Fields(command)
				at := slices.IndexFunc(words, func(w string) bool { return w == "factorctl" || w == "factord" })
				if at < 0 || slices.ContainsFunc(words[:at], func(w string) bool { return w == "systemctl" }) {
					continue
				}
				var flags map[string]helptext.Flag
				if words[at] == "factorctl" {
					verb := words[at+1:]
					for strings.HasPrefix(verb[0], "-") {
						verb = verb[2:]
					}
					flags = helptext.Flags(t, "factorctl", verb[0])
				} else {
					flags = helptext.Flags(t, "factord")
				}
				for _, word := range words[at+1:] {
					if flag, ok := strings.CutPrefix(word, "--"); ok && flags[flag] == (helptext.Flag{}) && !slices.Contains(slices.Collect(maps.Keys(flags)), flag) {
						t.Errorf("%s: %s: no flag %s", name, command, word)
					}
				}
				tried++
			}
		}
	}
	if tried < 15 {
		t.Errorf("only %d commands were found", tried)
	}
}

// examples are what a page shows between .EX and .EE.
func examples(page string) (all []string) {
	for _, part := range strings.Split(page, "\n.EX\n")[1:] {
		text, _, _ := strings.Cut(part, "\n.EE")
		all = append(all, text+"\n")
	}
	return all
}

// Every message in the pages' DIAGNOSTICS is one of the programs'.
func TestDiagnostics(t *testing.T) {
	t.Parallel()
	var code strings.Builder
	for _, dir := range []string{"../../cmd", "../../conf", "../../daemon", "../../helper"} {
		err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			code.Write(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	texts := strings.NewReplacer(`\"`, `"`).Replace(code.String())
	for _, name := range []string{"factord.8", "factor-helper.8", "factorctl.8", "factord.toml.5"} {
		text := section(t, page(t, name), "DIAGNOSTICS")
		messages := found(`(?m)^\.T[PQ]\n([^.].+)$`, text)
		if len(messages) < 4 {
			t.Errorf("%s: only %q", name, messages)
		}
		for _, message := range messages {
			for _, part := range regexp.MustCompile(`\\f[BI].*?\\fP`).Split(message, -1) {
				if part = strings.Trim(part, `": `); !strings.Contains(texts, part) {
					t.Errorf("%s: nothing says %q", name, part)
				}
			}
		}
	}
}

// What the pages call a file is installed, or made by a program.
func TestFiles(t *testing.T) {
	t.Parallel()
	made := source(t, "../Makefile")
	for _, name := range []string{"../cmd/factord/options.go", "../daemon/store/store.go", "../packaging/systemd/factord.service", "../packaging/systemd/factord.socket",
		"../packaging/systemd/factord.tmpfiles", "../packaging/systemd/factord-usb.socket"} {
		made += source(t, name)
	}
	for _, name := range []string{"factord.8", "factor-helper.8", "factorctl.8", "factord.toml.5"} {
		for _, path := range found(`(?m)^\.TP\n\.I (\S+)$`, section(t, page(t, name), "FILES")) {
			if !strings.Contains(made, filepath.Base(path)) {
				t.Errorf("%s: nothing makes %s", name, path)
			}
		}
	}
}

// The snippets that pages name exist.
func TestSnippets(t *testing.T) {
	t.Parallel()
	for _, name := range found(`\.IR? ([a-z]+\\-[a-z_]+) `, source(t, "../packaging/man/factor-helper.8")) {
		name = strings.ReplaceAll(name, `\-`, "-")
		if _, err := os.Stat("../../pam/snippets/" + name); err != nil {
			t.Error(err)
		}
	}
}

// Every page is installed, and names folders as they are.
func TestInstalled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if out, err := exec.Command("make", "-s", "-C", "../..", "install-texts", "DESTDIR="+dir, "PREFIX=/opt/factord").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	pages, err := filepath.Glob("*.[1-8]")
	if err != nil || len(pages) < 6 {
		t.Fatal(pages, err)
	}
	for _, page := range pages {
		installed, err := os.ReadFile(filepath.Join(dir, "opt/factord/share/man/man"+filepath.Ext(page)[1:], page))
		if err != nil {
			t.Error(err)
		}
		if want := strings.ReplaceAll(source(t, "../packaging/man/"+page), "/usr/local/", "/opt/factord/"); string(installed) != want {
			t.Errorf("%s is another after it was installed", page)
		}
	}
}

// Every page that a page refers to exists.
func TestReferences(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("*.[1-8]")
	if err != nil {
		t.Fatal(err)
	}
	for _, from := range pages {
		for _, name := range found(`\b((?:pam_)?factor[a-z._-]* "?\(\d)\b`, page(t, from)) {
			if _, err := os.Stat(strings.NewReplacer(" ", ".", "(", "", `"`, "").Replace(name)); err != nil {
				t.Errorf("%s: there is no page %s)", from, name)
			}
		}
	}
}
