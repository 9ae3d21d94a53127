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
