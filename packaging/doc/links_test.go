package doc_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A page's links lead somewhere: in the source, and where it is installed.
func TestLinks(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("*.md")
	if err != nil || len(pages) < 5 {
		t.Fatal(pages, err)
	}
	source := []string{"../../README.md", "../../CONTRIBUTING.md"}
	source = append(source, pages...)
	check(t, source)

	dir := t.TempDir()
	if out, err := exec.Command("make", "-s", "-C", "../..", "install-texts", "DESTDIR="+dir, "PREFIX=/usr").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	installed, err := filepath.Glob(filepath.Join(dir, "usr/share/doc/factord/*.md"))
	if err != nil || len(installed) != len(pages)+1 {
		t.Fatal(installed, err)
	}
	check(t, installed)
}

var link = regexp.MustCompile(`\]\(([^)]*)\)`)

func check(t *testing.T, pages []string) {
	t.Helper()
	links := 0
	for _, page := range pages {
		for _, m := range link.FindAllStringSubmatch(read(t, page), -1) {
			if strings.HasPrefix(m[1], "https://") {
				continue
			}
			links++
			path, anchor, _ := strings.Cut(m[1], "#")
			target := page
			if path != "" {
				target = filepath.Join(filepath.Dir(page), path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %s leads nowhere", page, m[1])
			} else if anchor != "" && !slices.Contains(anchors(read(t, target)), anchor) {
				t.Errorf("%s: %s has no such chapter", page, m[1])
			}
		}
	}
	if links < 20 {
		t.Errorf("%d links in %q", links, pages)
	}
}

var heading = regexp.MustCompile(`(?m)^#+ (.*)$`)

// anchors are what GitHub makes of a page's headings.
func anchors(text string) []string {
	var all []string
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		name := regexp.MustCompile(`[^\w\- ]`).ReplaceAllString(strings.ToLower(m[1]), "")
		all = append(all, strings.ReplaceAll(name, " ", "-"))
	}
	return all
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
