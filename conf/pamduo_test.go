package conf

import (
	"strings"
	"testing"
)

// Whoever comes from pam_duo or login_duo brings their configuration along, and hears
// what stands for each key here.
func TestKeysOfPamDuo(t *testing.T) {
	for key, hint := range map[string]string{
		"failmode": `unavailable = "allow"`, "groups": "[[rule]]", "group": "[[rule]]", "autopush": "Enter", "prompts": "three", "pushinfo": "leave it out",
		"http_proxy": "proxy = ", "https_timeout": "deadline = ", "cafile": "ca_file = ", "send_gecos": "username = ", "gecos_delim": "user_map", "gecos_username_pos": "user_map",
		"gecos_parsed": "user_map", "accept_env_factor": "leave it out", "fallback_local_ip": "leave it out", "verified_push": "leave it out",
		"noverify": "ca_file = ", "motd": "pam_motd", "dev_fips_mode": "leave it out",
	} {
		for _, value := range []string{"'yes'", "1", "true"} {
			_, err := Parse("f", []byte(duoSection+"skey_file = '/k'\n"+key+" = "+value+duoRule), Factors{"totp", "duo"})
			if err == nil || !strings.HasPrefix(err.Error(), "f:5: "+key+": ") || !strings.Contains(err.Error(), "is a key of pam_duo and login_duo") ||
				strings.Count(err.Error(), "f:") != 1 {
				t.Fatalf("%s: %v", key, err)
			}
			if _, got, _ := strings.Cut(err.Error(), "\nhint: "); !strings.Contains(got, hint) {
				t.Errorf("%s: hint %q, want %q", key, got, hint)
			}
		}
	}
	_, err := Parse("f", []byte(duoSection+"skey_file = '/k'\nfail_mode = 'safe'"+duoRule), Factors{"totp", "duo"})
	if err == nil || !strings.Contains(err.Error(), "unknown key\nhint: the keys here are accept_bypass, ca_file") {
		t.Errorf("no key of theirs: %v", err)
	}
}

// Their syntax is not TOML.
func TestSyntaxOfPamDuo(t *testing.T) {
	for _, text := range []string{"[duo]\n; Duo integration key\nikey = DIXXXXXXXXXXXXXXXXXX\n", "[duo]\nikey = DIXXXXXXXXXXXXXXXXXX\n", "[duo]\nhost = api-x.duosecurity.com\n", "[duo]\nskey = abc\n"} {
		_, err := Parse("f", []byte(text), Factors{"duo"})
		if err == nil || !strings.Contains(err.Error(), "hint: ") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A file of theirs is known as one, whole or pasted into ours, and so is no line of ours.
func TestFileOfPamDuo(t *testing.T) {
	const hint = "hint: this looks like login_duo.conf: "
	const theirs = "[duo]\n; Duo integration key\nikey = DIXXXXXXXXXXXXXXXXXX\n; Duo secret key\nskey = abc\nhost = api-x.duosecurity.com\n"
	bare := strings.ReplaceAll(theirs, "; ", "# ")
	for text, want := range map[string]bool{
		theirs: true, bare: true, "\n" + theirs + "failmode = safe\n": true, duoRule + bare: true, duoRule + theirs + duoRule: true,
		strings.ReplaceAll(bare, " = ", "="):                 true,
		"[duo]\nikey = 'DI'\nhost = api-x.duosecurity.com\n": false,
		"; x\n" + duoSection:                                 false,
		"[totp]\n; x\n":                                      false,
		duoSection + "skey_file = '/k'\n[[rule]]\nservices = [sshd]\n; x\nikey = DI\n": false,
	} {
		_, err := Parse("f", []byte(text), Factors{"totp", "duo"})
		if err == nil || strings.Contains(err.Error(), hint) != want || strings.Contains(err.Error(), "abc") {
			t.Errorf("%q: %v", text, err)
		}
		if want && (strings.Count(err.Error(), "hint: ") != 1 || !strings.Contains(err.Error(), `"From pam_duo or login_duo"`)) {
			t.Errorf("%q: %v", text, err)
		}
	}
	_, err := Parse("f", []byte(duoSection+"skey = 'k'"+duoRule+"failmode = 'safe'\n"), Factors{"duo"})
	if err == nil || !strings.HasPrefix(err.Error(), `f:7: failmode: is a key of pam_duo and login_duo, not of factord`) || !strings.Contains(err.Error(), `hint: leave it out: `) || !strings.Contains(err.Error(), `unavailable = "allow"`) {
		t.Error(err)
	}
	_, err = Parse("f", []byte(duoSection+"skey = 'k'"+duoRule+"colour = 'red'\n"), Factors{"duo"})
	if err == nil || !strings.Contains(err.Error(), "colour: unknown key\nhint: the keys here are bypass, callers") {
		t.Error(err)
	}
}
