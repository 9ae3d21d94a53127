package conf

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestDatesThatAreOver(t *testing.T) {
	c, err := Parse("f", []byte("[[rule]]\nservices = ['su']\nmode = 'enrolled'\nuntil = '2025-01-31'\nfactors = ['totp']\nenroll = 'login'\nenroll_until = 2025-01-31\n"+
		"[[rule]]\nmode = 'enrolled'\nuntil = '9999-01-31'\nfactors = ['totp']\nenroll = 'login'\nenroll_until = 9999-01-31\n"), builtIn)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"f:1: rule #1: until is over: who has no factor is refused", "f:1: rule #1: enroll_until is over: nobody can set up a factor in a login"}
	got := slices.DeleteFunc(c.Doubts("f"), func(s string) bool { return strings.Contains(s, "PAM") })
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestDoubts(t *testing.T) {
	if !slices.ContainsFunc(filepath.SplitList(os.Getenv("PATH")), func(dir string) bool {
		_, err := os.Stat(filepath.Join(dir, "getent"))
		return err == nil
	}) {
		t.Skip("needs getent, of the C library")
	}
	dir := t.TempDir()
	c, err := Parse("f", []byte(`
[audit]
file = "`+dir+`/nowhere/audit.jsonl"
[[rule]]
groups = ["root", "no-such-group"]
users = ["root", "no-such-user"]
factors = ["totp"]
`), builtIn)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`f:4: rule #1: there is no group "no-such-group" here: who comes to this rule is refused`,
		`f:4: rule #1: there is no user "no-such-user" here`,
		"f: [audit] file: stat " + dir + "/nowhere: no such file or directory",
	}
	if got := c.Doubts("f"); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
