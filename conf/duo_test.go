package conf

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

const duoSection = "[duo]\nikey = 'DIWJ8X6AEYOR5OMC6TQ1'\nhost = 'api-1.example.com'\n"

const duoRule = "\n[[rule]]\nfactors = ['duo']\n"

func TestDuo(t *testing.T) {
	defaults := Duo{Ikey: "DIWJ8X6AEYOR5OMC6TQ1", Host: "api-1.example.com", SkeyFile: "credential:duo-skey", Username: "{user}", Signature: "v5",
		PreauthTimeout: 5 * time.Second, Deadline: 50 * time.Second, AcceptBypass: true, Line: 4}
	all := Duo{Ikey: "DIWJ8X6AEYOR5OMC6TQ1", Host: "api-1.example.com", Skey: "k", Username: "{user}@example.com",
		UserMap: map[string]string{"root": "alice", `CORP\bob smith`: "bob"}, UserIDMap: map[string]string{"svc": "DU1"},
		CAFile: "/etc/ca.pem", Proxy: "http://proxy:3128", Signature: "v2-sha1", PreauthTimeout: time.Second, Deadline: 9 * time.Second, Line: 4}
	for _, tt := range []struct {
		text string
		want Duo
	}{
		{"skey_file = 'credential:duo-skey'\n", defaults},
		{"skey_file = 'credential:duo-skey'\nca_file = ''\nproxy = ''\naccept_bypass = true\nsignature = 'v5'", defaults},
		{"skey = 'k'\nusername = '{user}@example.com'\nuser_map = { root = 'alice', 'CORP\\bob smith' = 'bob' }\nca_file = '/etc/ca.pem'\nproxy = 'http://proxy:3128'\n" +
			"signature = 'v2-sha1'\npreauth_timeout = '1s'\ndeadline = '9s'\naccept_bypass = false\n[duo.user_id_map]\nsvc = 'DU1'", all},
	} {
		c, err := Parse("f", []byte(duoSection+tt.text+duoRule), Factors{"duo"})
		if err != nil || !reflect.DeepEqual(*c.Duo, tt.want) || len(c.Warnings) > 0 {
			t.Errorf("%s: %v\n got %+v", tt.text, err, c)
		}
	}
	for _, host := range []string{"api-1.example.com:8443", "127.0.0.1:443", "[::1]:443", "localhost"} {
		if f := readHost(host); f.what != "" {
			t.Errorf("%s: %s", host, f.what)
		}
	}
}

func TestBadDuo(t *testing.T) {
	const file = "skey_file = '/etc/factord/skey'\n"
	tests := []struct{ text, want string }{
		{"[duo]" + duoRule, "f:1: ikey: is missing\nf:1: host: is missing\nf:1: skey_file: is missing: it says where the secret key is"},
		{"duo = 1" + duoRule, "f:1: duo: is an integer, not a table"},
		{duoSection + file + "timeout = '5s'" + duoRule, "f:5: timeout: unknown key"},
		{duoSection + file + "skey = 'k'" + duoRule, "f:5: skey: is written beside skey_file"},
		{duoSection + "skey = 'sec ret'" + duoRule, "f:4: skey: has a character that no key has"},
		{duoSection + "skey = ''" + duoRule, "f:4: skey: is empty"},
		{duoSection + "skey = 7" + duoRule, "f:4: skey: is an integer, not a string"},
		{duoSection + "skey_file = 'credential:../x'" + duoRule, `f:4: skey_file: "../x" is not the name of a credential`},
		{duoSection + "skey_file = 'credential:..'" + duoRule, `f:4: skey_file: ".." is not the name of a credential`},
		{duoSection + "skey_file = 'skey'" + duoRule, "f:4: skey_file: is not a clean absolute path"},
		{"[duo]\nikey = 'a:b'\nhost = 'https://api'\n" + file + duoRule, `f:2: ikey: "a:b" is not an integration key` + "\n" + `f:3: host: "https://api" is not an API hostname`},
		{"[duo]\nikey = ''\nhost = 'api:0'\n" + file + duoRule, `f:2: ikey: "" is not an integration key` + "\n" + `f:3: host: "api:0" is not an API hostname`},
		{duoSection + file + "username = 'alice'" + duoRule, `f:5: username: "alice" has no {user} in it`},
		{duoSection + file + "username = '{user}{user}'" + duoRule, `f:5: username: "{user}{user}" has braces that are not one {user}`},
		{duoSection + file + "username = \"{user}\\n\"" + duoRule, `f:5: username: "{user}\n" is not a name`},
		{duoSection + file + "user_map = { '-x' = 'a', b = '', c = 1 }" + duoRule, `f:5: -x: "-x" is not a user name` + "\n" + `f:5: b: "" is not a name at Duo` + "\n" + "f:5: c: is an integer, not a string"},
		{duoSection + file + "user_map = 'alice'" + duoRule, "f:5: user_map: is a string, not a table"},
		{duoSection + file + "user_map.a = 'b'\nuser_id_map.a = 'DU1'" + duoRule, `f:6: user_id_map: "a" is in user_map too`},
		{duoSection + file + "ca_file = 'ca.pem'" + duoRule, `f:5: ca_file: "ca.pem" is not a clean absolute path`},
		{duoSection + file + "proxy = 'proxy:3128'" + duoRule, `f:5: proxy: "proxy:3128" is not a proxy`},
		{duoSection + file + "proxy = 'https://proxy:3128'" + duoRule, `f:5: proxy: "https://proxy:3128" is not a proxy`},
		{duoSection + file + "proxy = 'http://u:secret@proxy:3128'" + duoRule, "f:5: proxy: has a user or password in it"},
		{duoSection + file + "signature = 'v4'" + duoRule, `f:5: signature: unknown value "v4"`},
		{duoSection + file + "preauth_timeout = '0s'\ndeadline = '-1s'" + duoRule, `f:5: preauth_timeout: "0s" is no time at all` + "\n" + `f:6: deadline: "-1s" is negative`},
		{duoSection + file + "accept_bypass = 'no'" + duoRule, "f:5: accept_bypass: is a string, not a boolean"},
		{"\n[[rule]]\nname = 'a'\nfactors = ['totp', 'duo']", `f:4: factors: has "duo", and there is no [duo]`},
	}
	for _, tt := range tests {
		c, err := Parse("f", []byte(tt.text), Factors{"totp", "duo"})
		if err == nil {
			t.Errorf("%q: accepted as %+v", tt.text, c)
			continue
		}
		var got []string
		for line := range strings.Lines(err.Error()) {
			if !strings.HasPrefix(line, "hint: ") {
				got = append(got, strings.TrimSpace(line))
			}
		}
		if strings.Join(got, "\n") != tt.want {
			t.Errorf("%q:\n got %s\nwant %s", tt.text, strings.Join(got, "\n"), tt.want)
		}
	}
}

func TestDuoWarnings(t *testing.T) {
	for text, want := range map[string]string{
		"skey = 'k'\n[[rule]]\nfactors = ['totp']\n":       `f:1: [duo]: no rule has the factor "duo", so Duo is never asked`,
		"skey = 'k'\ndeadline = '2m'" + duoRule:            "f:5: [duo]: a deadline of 120 s is never reached: an attempt ends after 60 s",
		"skey = 'k'" + duoRule + "unavailable = 'allow'\n": "",
	} {
		c, err := Parse("f", []byte(duoSection+text), Factors{"totp", "duo"})
		if err != nil {
			t.Error(err)
		} else if got := strings.Join(c.Warnings, "\n"); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// What is copied from the documentation is not Duo's, and nothing tells before a login.
func TestDuoExample(t *testing.T) {
	const text = "[duo]\nikey = 'DIXXXXXXXXXXXXXXXXXX'\nhost = 'api-XXXXXXXX.duosecurity.com'\nskey = 'k'\n" + duoRule
	c, err := Parse("f", []byte(text), Factors{"totp", "duo"})
	if err != nil || len(c.Warnings) != 2 || !strings.HasPrefix(c.Warnings[1], "f:3: [duo]: host is the example's") {
		t.Errorf("%v, %q", err, c.Warnings)
	}
}

// A secret key is in the file only if not everybody can read that.
func TestSkeyInTheFile(t *testing.T) {
	literal := duoSection + "skey = 'verysecret'\n" + duoRule
	if c, err := Load(write(t, literal, 0o640), Factors{"duo"}); err != nil || c.Duo.Skey != "verysecret" {
		t.Error(err)
	}
	_, err := Load(write(t, literal, 0o644), Factors{"duo"})
	if err == nil || !strings.Contains(err.Error(), ":4: skey: mode 0644 of this file lets everybody read it\nhint: chmod o-r ") || strings.Contains(err.Error(), "verysecret") {
		t.Error(err)
	}
	if _, err := Load(write(t, duoSection+"skey_file = '/x'\n"+duoRule, 0o644), Factors{"duo"}); err != nil {
		t.Error(err)
	}
}

func TestReadSkey(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string, mode os.FileMode) {
		path := filepath.Join(dir, name)
		if os.WriteFile(path, []byte(text), 0o600) != nil || os.Chmod(path, mode) != nil {
			t.Fatal(path)
		}
	}
	put("good", "verysecret\n", 0o440)
	put("bare", "verysecret", 0o400)
	put("windows", "verysecret\r\n", 0o400)
	put("open", "verysecret\n", 0o644)
	put("empty", "\n", 0o400)
	put("lines", "verysecret\nverysecret\n", 0o400)
	put("long", strings.Repeat("k", 300), 0o400)
	for place, want := range map[string]string{
		"credential:good": "", dir + "/good": "", "credential:bare": "", "credential:windows": "",
		"credential:missing": "no such file", dir + "/open": "mode 0644 lets everybody read it\nhint: chmod o-r", "credential:empty": "is empty",
		"credential:lines": "has a character that no key has", "credential:long": "is longer than 256 bytes", dir: "not a regular file",
	} {
		d := &Duo{SkeyFile: place, Line: 7}
		skey, err := d.ReadSkey("f", dir)
		switch {
		case want == "" && (err != nil || string(skey) != "verysecret"):
			t.Errorf("%s: %v", place, err)
		case want != "" && (err == nil || skey != "" || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "f:7: skey_file: ") || strings.Contains(err.Error(), "verysecret")):
			t.Errorf("%s: %v, want %q", place, err, want)
		}
	}
	if _, err := (&Duo{SkeyFile: "credential:good"}).ReadSkey("f", ""); err == nil || !strings.Contains(err.Error(), "LoadCredential=good") {
		t.Error(err)
	}
	if skey, err := (&Duo{Skey: "k"}).ReadSkey("f", ""); err != nil || skey != "k" {
		t.Error(err)
	}
}

func TestSecretIsHidden(t *testing.T) {
	d := &Duo{Skey: "verysecret"}
	encoded, _ := json.Marshal(d)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "skey", d.Skey, "duo", d)
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %s %q %x", d, *d, d.Skey, d.Skey, d.Skey, d.Skey), string(encoded), log.String()} {
		if strings.Contains(text, "very") || strings.Contains(text, "766572") || !strings.Contains(text, "[secret]") {
			t.Error(text)
		}
	}
}
