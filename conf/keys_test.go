package conf

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What factord would refuse its keys for at start, a check says too, in the same words.
func TestCheckKeys(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if os.MkdirAll(filepath.Dir(path), 0o755) != nil || os.WriteFile(path, []byte(text), 0o600) != nil || os.Chmod(path, mode) != nil {
			t.Fatal(path)
		}
		return path
	}
	const key = "oBVbNt7IZehZGR99rvq8d6RZ1DM=\n"
	good, open := put("good", key, 0o640), put("open", key, 0o644)
	put("credstore/there", key, 0o600)
	put("credstore/loose", key, 0o644) // systemd's copy is not
	put("credstore/empty", "\n", 0o600)
	put("sealed/locked", "not to be read by us", 0o600)
	k := keyCheck{stores: []string{dir + "/nowhere", dir + "/credstore"}, sealed: []string{dir + "/sealed"}}
	for place, want := range map[string]struct{ refused, doubt string }{
		good:               {},
		open:               {refused: "/open: mode 0644 lets everybody read it\nhint: chmod o-r "},
		dir + "/missing":   {refused: "no such file or directory"},
		"credential:there": {}, "credential:loose": {}, "credential:locked": {},
		"credential:empty":   {refused: "/credstore/empty: is empty"},
		"credential:missing": {doubt: "there is no credential \"missing\" here: neither " + dir + "/nowhere/missing nor " + dir + "/credstore/missing"},
	} {
		c := &Config{Duo: &Duo{SkeyFile: place, Line: 4}, Yubico: []YubicoServer{{APIKeyFile: place, Line: 9}}}
		doubts, err := c.checkKeys("f", k)
		for _, at := range []string{"f:4: skey_file: ", "f:9: api_key_file: "} {
			got := ""
			for _, e := range joined(err) {
				if text := e.Error(); strings.HasPrefix(text, at) {
					got = text
				}
			}
			if (got == "") != (want.refused == "") || !strings.Contains(got, want.refused) {
				t.Errorf("%s: %v, want %q", place, err, want.refused)
			}
			if all := strings.Join(doubts, "\n"); (all == "") != (want.doubt == "") || want.doubt != "" && !strings.Contains(all, at+want.doubt) {
				t.Errorf("%s: doubts %q, want %q", place, all, want.doubt)
			}
		}
	}
	// As factord's own: it takes the folder of systemd's and no other.
	k.credentials = dir
	c := &Config{Duo: &Duo{SkeyFile: "credential:there", Line: 4}}
	_, err := c.checkKeys("f", k)
	if _, want := c.Duo.ReadSkey("f", dir); err == nil || err.Error() != want.Error() {
		t.Errorf("%v, want %v", err, want)
	}
	if !strings.Contains(err.Error(), "hint: ") || !strings.Contains(err.Error(), "systemctl restart factord.service") {
		t.Errorf("without what is to be done: %v", err)
	}
}

// Of the configuration in use a credential that is missing is an error, unless the unit
// takes it from elsewhere, or can't be seen.
func TestCheckCredentials(t *testing.T) {
	unit := func(files ...string) string {
		dir := t.TempDir()
		for i := 0; i < len(files); i += 2 {
			path := filepath.Join(dir, files[i])
			if os.MkdirAll(filepath.Dir(path), 0o755) != nil || os.WriteFile(path, []byte(files[i+1]), 0o644) != nil {
				t.Fatal(path)
			}
		}
		return dir
	}
	const service, dropIn = "factord.service", "factord.service.d/a.conf"
	store := unit("duo-stored", "verysecret\n")
	const refused, misnamed = "there is no credential", "does not load the credential"
	shipped, err := os.ReadFile("../packaging/systemd/factord.service")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, want string
		units      []string
	}{
		{"duo-skey", refused, []string{unit(service, string(shipped))}},
		{"duo_skey", refused, []string{unit(service, string(shipped))}},
		{"duo-stored", misnamed, []string{unit(service, string(shipped))}},
		{"duo-stored", "", []string{unit(service, string(shipped)), unit(dropIn, "[Service]\nLoadCredential=duo-stored\n")}},
		{"duo-stored", "", []string{unit(service, "[Service]\nImportCredential=duo-*\n")}},
		{"duo-skey", refused, []string{unit(service, "[Service]\nImportCredential=duo-*\n")}},
		{"duo-skey", "", []string{unit(service, "[Service]\nLoadCredential=duo-skey:/root/skey\n")}},
		{"duo-skey", refused, []string{unit(service, "[Service]\n#LoadCredential=duo-skey:/root/skey\n")}},
		{"duo-skey", "", []string{unit(dropIn, "[Service]\nLoadCredentialEncrypted = duo-skey:/etc/duo\n"), unit(service, string(shipped))}},
		{"duo-skey", "", []string{unit(service, "[Service]\nSetCredential=duo-skey:x\n")}},
		{"duo-skey", "", []string{unit(service, "[Service]\nLoadCredential=duo:/etc/duo\nLoadCredential=%N-skey:/x\n")}},
		{"duo-skey", refused, []string{unit(service, ""), unit(service, "[Service]\nLoadCredential=duo-skey:/root/skey\n")}}, // the other goes before
	} {
		c := &Config{Duo: &Duo{SkeyFile: "credential:" + tt.name, Line: 4}}
		k := keyCheck{stores: []string{store}, units: tt.units, used: true}
		doubts, err := c.checkKeys("f", k)
		if len(doubts) > 0 || (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s with %q: %v, doubts %q, want %q", tt.name, tt.units, err, doubts, tt.want)
		}
		k.used = false
		if doubts, err := c.checkKeys("f", k); err != nil || (len(doubts) > 0) != (tt.name != "duo-stored") {
			t.Errorf("%s of a file that is not in use: %v, doubts %q", tt.name, err, doubts)
		}
	}
	c := &Config{Duo: &Duo{SkeyFile: "credential:duo-skey", Line: 4}}
	if doubts, err := c.checkKeys("f", keyCheck{stores: []string{store}, units: []string{store}, used: true}); err != nil || len(doubts) != 1 {
		t.Errorf("without a unit: %v, doubts %q", err, doubts)
	}
}

// Nor does factord start without the certificates that it is to trust.
func TestCheckRoots(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"ca.pem": "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", "empty.pem": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"ca.pem": "", "empty.pem": "ca_file: DIR/empty.pem has no certificate in PEM", "missing.pem": "ca_file: open DIR/missing.pem: no such file or directory",
	} {
		c := &Config{Duo: &Duo{Skey: "k", CAFile: filepath.Join(dir, name)}}
		_, err := c.checkKeys("f", keyCheck{})
		if want = strings.Replace(want, "DIR", dir, 1); want == "" && err != nil || want != "" && (err == nil || err.Error() != "duo: reading "+want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

// Root reads everything: that factord can't is told, in the words that factord has for it.
func TestKeysOfTheAccount(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can try with another's rights")
	}
	dir := t.TempDir()
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "skey")
	if err := os.WriteFile(path, []byte("verysecret"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &Config{Duo: &Duo{SkeyFile: path, Line: 4}}
	want := "f:4: skey_file: open " + path + ": permission denied\nhint: chgrp factord " + path + " && chmod 640 " + path
	if _, err := c.checkKeys("f", keyCheck{account: "nobody", used: true}); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if doubts, err := c.checkKeys("f", keyCheck{account: "nobody"}); err != nil || len(doubts) != 1 || !strings.Contains(doubts[0], "nobody can't read it") {
		t.Errorf("of a file that is not in use: %v, %v", doubts, err)
	}
	if err := os.Chown(path, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if doubts, err := c.checkKeys("f", keyCheck{account: "nobody", used: true}); err != nil || len(doubts) != 0 {
		t.Errorf("of the account's own: %v, %v", doubts, err)
	}
}

func joined(err error) []error {
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		return all.Unwrap()
	}
	return nil
}
