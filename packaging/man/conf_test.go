package man_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/factord/factord/conf"
	"github.com/factord/factord/daemon/factordtest"
)

// Tables of a configuration, with what each can't do without.
const (
	duoTable  = "[duo]\nikey = 'DI'\nhost = 'example.com'\nskey_file = 'credential:skey'\n"
	ruleTable = "[[rule]]\nfactors = ['duo', 'touch', 'totp']\n"
)

// tables are all of factord.toml, each in a configuration at whose end its keys can stand.
func tables() map[string]string {
	return map[string]string{
		"[daemon]": "[daemon]\n", "[totp]": "[totp]\n", "[audit]": "[audit]\n", "[usb]": "[usb]\n", "[fido2]": "[fido2]\n", "[piv]": "[piv]\n",
		"[duo]":             ruleTable + duoTable,
		"[[yubico.server]]": "[[yubico.server]]\nurl = 'https://example.com/verify'\nclient_id = 1\napi_key_file = '/key'\n",
		"[[rule]]":          duoTable + ruleTable,
	}
}

// described are the entries of factord.toml(5) by their tables and keys.
func described(t *testing.T) map[string]map[string]entry {
	t.Helper()
	text := page(t, "factord.toml.5")
	all := map[string]map[string]entry{}
	add := func(table, text string) {
		all[table] = map[string]entry{}
		for _, e := range entries("\n" + text) {
			if key := regexp.MustCompile(`^\.BR (\w+) " \(`).FindStringSubmatch(e.tag); key != nil {
				all[table][key[1]] = e
			}
		}
	}
	for _, part := range strings.Split(section(t, text, "SETTINGS"), "\n.SS ")[1:] {
		table, text, _ := strings.Cut(part, "\n")
		add(table, text)
	}
	add("[[rule]]", section(t, text, "RULES"))
	return all
}

// faults are what is wrong with a configuration.
func faults(text string) (all []*conf.Error) {
	_, err := conf.Parse("f", []byte(text), conf.BuiltIn())
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return nil
	}
	for _, err := range joined.Unwrap() {
		if fault := (*conf.Error)(nil); errors.As(err, &fault) {
			all = append(all, fault)
		}
	}
	return all
}

// hinted is the hint about a key.
func hinted(text, key string) string {
	for _, fault := range faults(text) {
		if fault.Key == key {
			return fault.Hint
		}
	}
	return ""
}

// listed are the words of a hint behind its beginning.
func listed(t *testing.T, hint, beginning string) []string {
	t.Helper()
	words, ok := strings.CutPrefix(hint, beginning)
	if !ok {
		t.Fatalf("the hint is %q, not %q", hint, beginning)
	}
	return strings.Split(words, ", ")
}

// The page has every table and every key of the configuration, and no others.
func TestKeys(t *testing.T) {
	t.Parallel()
	pages := described(t)
	sections := listed(t, hinted("[nothing]", "[nothing]"), "the sections are ")
	for table, text := range tables() {
		keys := listed(t, hinted(text+"nothing = 1\n", "nothing"), "the keys here are ")
		for _, key := range keys {
			if _, ok := pages[table][key]; !ok {
				t.Errorf("the page lacks %s of %s", key, table)
			}
		}
		for key := range pages[table] {
			if !slices.Contains(keys, key) {
				t.Errorf("the page has %s of %s, which there is not", key, table)
			}
		}
	}
	for table := range pages {
		name, _, _ := strings.Cut(strings.Trim(table, "[]"), ".")
		sections = slices.DeleteFunc(sections, func(s string) bool { return s == name })
		if table != "Values" && tables()[table] == "" {
			t.Errorf("the page has %s, which this test does not know", table)
		}
	}
	if len(sections) > 0 {
		t.Errorf("the page lacks %q", sections)
	}
}

// The type, the default and the values of each key are those that the page tells.
func TestKeyValues(t *testing.T) {
	t.Parallel()
	for table, base := range tables() {
		for key, e := range described(t)[table] {
			where := table + " " + key
			tag := regexp.MustCompile(`^\.BR \w+ " \(([a-z ]+)(, needed.*)?\)"$`).FindStringSubmatch(e.tag)
			if tag == nil {
				t.Errorf("%s: %q", where, e.tag)
				continue
			}
			without := regexp.MustCompile(`(?m)^`+key+` = .*\n`).ReplaceAllString(base, "")
			if needed := without != base; needed != (tag[2] != "") || needed && len(faults(without)) == 0 {
				t.Errorf("%s is needed: %v; the page says %q", where, needed, e.tag)
			}
			checkKind(t, where, without, key, tag[1])
			checkWords(t, where, without, key, e.text)
			if preset := e.preset(); preset != "" {
				checkPreset(t, where, base, key+" = "+preset+"\n")
			}
		}
	}
	text := described(t)["[[rule]]"]["factors"].text
	factors := conf.FactorNames()
	slices.Sort(factors)
	if told := found(`"([a-z0-9]+)"`, text); !slices.Equal(told, factors) {
		t.Errorf("the page has the factors %q, the program %q", told, factors)
	}
}

// checkKind gives a key a value of another kind than the page tells.
func checkKind(t *testing.T, where, text, key, told string) {
	t.Helper()
	kind := map[string]struct{ wrong, is string }{
		"text": {"1", "a string"}, "path": {"1", "a string"}, "secret place": {"1", "a string"}, "duration": {"1", "a string"}, "date": {"1", "a date"},
		"integer": {"'1'", "an integer"}, "boolean": {"'true'", "a boolean"}, "list": {"'a'", "a list"}, "table": {"'a'", "a table"},
	}[told]
	all := faults(text + key + " = " + kind.wrong + "\n")
	if kind.is == "" || !slices.ContainsFunc(all, func(f *conf.Error) bool { return f.Key == key && strings.HasSuffix(f.What, "not "+kind.is) }) {
		t.Errorf("%s is told to be %s: %v", where, told, all)
	}
}

// checkWords looks for the words that a key can have.
func checkWords(t *testing.T, where, text, key, told string) {
	t.Helper()
	for _, value := range []string{"'nothing'", "['nothing']"} {
		words, ok := strings.CutPrefix(hinted(text+key+" = "+value+"\n", key), "write one of ")
		for word := range strings.SplitSeq(words, ", ") {
			if ok && !strings.Contains(told, word) {
				t.Errorf("the page lacks %s of %s", word, where)
			}
		}
	}
}

// checkPreset compares a configuration with the same and a line more.
func checkPreset(t *testing.T, where, text, line string) {
	t.Helper()
	usual, err := conf.Parse("f", []byte(text), conf.BuiltIn())
	if err != nil {
		t.Fatal(err)
	}
	same, err := conf.Parse("f", []byte(text+line), conf.BuiltIn())
	if err != nil || !reflect.DeepEqual(withoutWarnings(same), withoutWarnings(usual)) {
		t.Errorf("%s: this is not the default: %s %v", where, line, err)
	}
}

// withoutWarnings is a configuration but for what it warns of.
func withoutWarnings(c *conf.Config) conf.Config {
	bare := *c
	bare.Warnings = nil
	return bare
}

// The bounds that the page tells are those of the program.
func TestBounds(t *testing.T) {
	t.Parallel()
	text := strings.Join(strings.Fields(page(t, "factord.toml.5")), " ")
	many := func(n int, s string) string { return "'" + strings.Repeat(s, n) + "'" }
	rules := func(n int) string {
		var all strings.Builder
		for i := range n {
			fmt.Fprintf(&all, "[[rule]]\nusers = ['u%d']\nfactors = ['totp']\n", i)
		}
		return all.String()
	}
	servers := func(n int) string {
		var all strings.Builder
		for i := range n {
			fmt.Fprintf(&all, "[[yubico.server]]\nurl = 'https://example.com/%d'\nclient_id = 1\napi_key_file = '/key'\n", i)
		}
		return all.String()
	}
	key := func(table, line string) string {
		name, _, _ := strings.Cut(line, " ")
		return regexp.MustCompile(`(?m)^`+name+` = .*\n`).ReplaceAllString(tables()[table], "") + line + "\n"
	}
	for _, bound := range []struct{ told, good, bad string }{
		{"from 0 to 10.", key("[totp]", "window = 0"), key("[totp]", "window = -1")},
		{"from 0 to 10.", key("[totp]", "window = 10"), key("[totp]", "window = 11")},
		{"at most 64 bytes, without a colon", key("[totp]", "issuer = "+many(64, "a")), key("[totp]", "issuer = "+many(65, "a"))},
		{"at most 64 bytes, without a colon", key("[totp]", "issuer = 'a'"), key("[totp]", "issuer = 'a:b'")},
		{`"0" is never`, key("[daemon]", "idle_exit = '0'"), key("[daemon]", "idle_exit = '-1s'")},
		{"at most 64 letters, digits, _ and -", key("[duo]", "ikey = "+many(64, "D")), key("[duo]", "ikey = "+many(65, "D"))},
		{"It must be there once", key("[duo]", "username = 'a{user}'"), key("[duo]", "username = '{user}{user}'")},
		{"without a password", key("[duo]", "proxy = 'http://h:1'"), key("[duo]", "proxy = 'http://u:p@h:1'")},
		{"From 1 to 4294967295", key("[[yubico.server]]", "client_id = 1"), key("[[yubico.server]]", "client_id = 0")},
		{"From 1 to 4294967295", key("[[yubico.server]]", "client_id = 4294967295"), key("[[yubico.server]]", "client_id = 4294967296")},
		{"Without TLS only at an address of this machine", key("[[yubico.server]]", "url = 'http://127.0.0.1/v'"), key("[[yubico.server]]", "url = 'http://192.0.2.1/v'")},
		{"Of up to 8 all", servers(8), servers(9)},
		{"at most 253 bytes", key("[fido2]", "rp_id = "+many(253, "a")), key("[fido2]", "rp_id = "+many(254, "a"))},
		{"at most 1000", rules(1000), rules(1001)},
		{"at most 64 bytes, and no other rule's", key("[[rule]]", "name = "+many(64, "a")), key("[[rule]]", "name = "+many(65, "a"))},
		{`Up to "720h"`, key("[[rule]]", "remember = '720h'"), key("[[rule]]", "remember = '720h1s'")},
		{"No list may be empty", key("[[rule]]", "users = ['a']"), key("[[rule]]", "users = []")},
		{"None of the keys below may stand beside it", "[[rule]]\nmode = 'exempt'\n", "[[rule]]\nmode = 'exempt'\nbypass = true\n"},
		{`Not with "user" in`, key("[[rule]]", "subject = 'caller'"), key("[[rule]]", "callers = ['user']\nsubject = 'caller'")},
		{`With .BR "mode = "enrolled""`, key("[[rule]]", "mode = 'enrolled'\nuntil = 2027-01-31"), key("[[rule]]", "until = 2027-01-31")},
		{"With .BR enroll :", key("[[rule]]", "enroll = 'login'\nenroll_until = '2027-01-31'"), key("[[rule]]", "enroll_until = '2027-01-31'")},
	} {
		if !strings.Contains(text, bound.told) {
			t.Errorf("the page does not say %q", bound.told)
		}
		if _, err := conf.Parse("f", []byte(bound.good), conf.BuiltIn()); err != nil {
			t.Errorf("%s: %v", bound.told, err)
		}
		if _, err := conf.Parse("f", []byte(bound.bad), conf.BuiltIn()); err == nil {
			t.Errorf("%s: not so:\n%.100s", bound.told, bound.bad)
		}
	}
}

// factorctl check-config takes each configuration that a page shows.
func TestExampleConfigurations(t *testing.T) {
	t.Parallel()
	programs, file, tried := factordtest.Build(t), filepath.Join(t.TempDir(), "factord.toml"), 0
	for _, name := range []string{"factord.toml.5", "factor-helper.8"} {
		for _, example := range examples(page(t, name)) {
			if !strings.Contains(example, "[[rule]]") {
				continue
			}
			tried++
			example = strings.ReplaceAll(example, "XXXXXXXX", "12345678") // Duo's names, as a reader fills them in
			if err := os.WriteFile(file, []byte(example), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command(filepath.Join(programs, "factorctl"), "check-config", file).CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s\n%s", name, err, out, example)
			}
			if c, err := conf.Load(file, conf.BuiltIn()); err != nil || len(c.Warnings) > 0 {
				t.Errorf("%s: %q, %v\n%s", name, c.Warnings, err, example)
			}
		}
	}
	if tried < 6 {
		t.Errorf("only %d were found", tried)
	}
}
