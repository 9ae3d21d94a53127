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

	"github.com/factord/factord/daemon/factordtest"
)

// source is the text of a file of the module.
func source(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../pam", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// found are the first groups of a pattern in a text, each once, in order.
func found(pattern, text string) []string {
	all := map[string]bool{}
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		all[match[1]] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// section is what stands below a heading of a page.
func section(t *testing.T, page, heading string) string {
	t.Helper()
	_, text, ok := strings.Cut(page, "\n.SH "+heading+"\n")
	if !ok {
		t.Fatalf("no section %s", heading)
	}
	text, _, _ = strings.Cut(text, "\n.SH ")
	return text
}

// Each page is rendered without a warning.
func TestPages(t *testing.T) {
	t.Parallel()
	groff := factordtest.NeedProgram(t, "groff")
	pages, err := filepath.Glob("*.[1-8]")
	if err != nil || len(pages) == 0 {
		t.Fatal("no pages", err)
	}
	for _, page := range pages {
		if out, err := exec.Command(groff, "-ww", "-man", "-z", page).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", page, err, out)
		}
	}
}

// The arguments in pam_factord(8) are those that pam/options.c understands.
func TestModuleArguments(t *testing.T) {
	t.Parallel()
	page, code := source(t, "../packaging/man/pam_factord.8"), source(t, "options.c")
	understood := append(found(`after\(arg, "(\w+=)"\)`, code), found(`strcmp\(arg, "(\w+)"\)`, code)...)
	slices.Sort(understood)
	if len(understood) < 5 {
		t.Fatalf("options.c reads arguments in another way than it did: %q", understood)
	}
	words := convWords(t, code)
	told := slices.DeleteFunc(found(`(?m)^\.TP\n\.(?:B|BR|BI) ([a-z_]+=?)(?: \S+)?$`, section(t, page, "ARGUMENTS")),
		func(word string) bool { return slices.Contains(words, word) })
	if !slices.Equal(told, understood) {
		t.Errorf("the page has %q, the module %q", told, understood)
	}
	synopsis := section(t, page, "SYNOPSIS")
	for _, argument := range understood {
		if !strings.Contains(synopsis, "\n.RB [ "+argument) {
			t.Errorf("the synopsis lacks %s", argument)
		}
	}
	for _, word := range words {
		if !strings.Contains(section(t, page, "ARGUMENTS"), "\n.TP\n.B "+word+"\n") {
			t.Errorf("the page lacks conv=%s", word)
		}
	}
}

// The options in factord-usb(8) are those that the program takes and tells of itself.
func TestAgentOptions(t *testing.T) {
	t.Parallel()
	page, code := source(t, "../packaging/man/factord-usb.8"), source(t, "../cmd/factord-usb/main.go")
	understood := found(`(?m)^\tcase (?:"-h", )?"--([a-z]+)":$`, code)
	told := found(`(?m)^\.TP\n\.B \\-\\-([a-z]+)$`, section(t, page, "OPTIONS"))
	if !slices.Equal(told, understood) || len(told) < 3 {
		t.Errorf("the page has %q, the program %q", told, understood)
	}
	for _, option := range understood {
		if !strings.Contains(section(t, page, "SYNOPSIS"), `\-\-`+option) {
			t.Errorf("the synopsis lacks %s", option)
		}
	}
	for _, path := range found(`(?m)^\.I (\S+)$`, section(t, page, "FILES")) {
		if !strings.Contains(source(t, "../Makefile")+source(t, "../packaging/systemd/factord-usb.socket")+source(t, "../packaging/systemd/factord-usb@.service"), filepath.Base(path)) &&
			filepath.Base(path) != "keys.md" {
			t.Errorf("nothing makes %s", path)
		}
	}
}

// convWords are the values of conv.
func convWords(t *testing.T, code string) []string {
	t.Helper()
	list := regexp.MustCompile(`words\[\] = \{(.*)\}`).FindStringSubmatch(code)
	if list == nil {
		t.Fatal("options.c has no words")
	}
	return found(`"(\w+)"`, list[1])
}

// The PAM codes in pam_factord(8) are those that the module returns.
func TestModuleCodes(t *testing.T) {
	t.Parallel()
	header, err := os.ReadFile("/usr/include/security/_pam_types.h")
	if err != nil {
		t.Fatal(err)
	}
	codes, _, _ := strings.Cut(string(header), "_PAM_RETURN_VALUES")
	codes = codes[strings.Index(codes, "#define PAM_SUCCESS"):]
	// Whatever is compared with is somebody else's.
	text := regexp.MustCompile(`[!=]= *PAM_\w+`).ReplaceAllString(source(t, "verdict.c")+source(t, "pam_factord.c"), "")
	text = regexp.MustCompile(`(?s)/\*.*?\*/`).ReplaceAllString(text, "")
	var returned []string
	for _, code := range found(`\b(PAM_[A-Z_]+)\b`, text) {
		if slices.Contains(found(`#define\s+(PAM_\w+)\s`, codes), code) {
			returned = append(returned, code)
		}
	}
	page := source(t, "../packaging/man/pam_factord.8")
	if told := found(`(?m)^\.TP\n\.B (PAM_\w+)$`, section(t, page, "RETURN VALUES")); !slices.Equal(told, returned) || len(told) < 6 {
		t.Errorf("the page has %q, the module %q", told, returned)
	}
}

// What the module may log is in pam_factord(8), and each page it refers to exists.
func TestModuleDiagnostics(t *testing.T) {
	t.Parallel()
	page := source(t, "../packaging/man/pam_factord.8")
	told := regexp.MustCompile(`\\f[IP]|\\\(dq`).ReplaceAllString(section(t, page, "DIAGNOSTICS"), "\"")
	texts := append(found(`LOG_[A-Z]+, "((?:[^"\\]|\\.)+)"`, source(t, "pam_factord.c")), found(`\[LINK_[A-Z]+\] = "([^"]+)"`, source(t, "link.c"))...)
	texts = append(texts, found(`"(nobody answers[^"]+)"`, source(t, "link.c"))...)
	if len(texts) < 10 {
		t.Fatalf("the module logs in another way than it did: %q", texts)
	}
	for _, text := range texts {
		for _, part := range strings.Split(strings.ReplaceAll(text, `\"`, `"`), "%s") {
			if part = strings.Trim(part, `": `); !strings.Contains(told, part) {
				t.Errorf("the page lacks %q", part)
			}
		}
	}
	for _, name := range found(`(?m)^\.BR (fact[\w.-]+ \(\d\))`, page) {
		if _, err := os.Stat(strings.NewReplacer(" (", ".", ")", "").Replace(name)); err != nil {
			t.Errorf("there is no page %s", name)
		}
	}
}
