package conf

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const (
	yubicoServer = "[[yubico.server]]\nurl = 'https://api.yubico.com/wsapi/2.0/verify'\n"
	yubicoKey    = "client_id = 12345\napi_key_file = 'credential:yubico-api-key'\n"
)

func TestYubico(t *testing.T) {
	first := YubicoServer{URL: "https://api.yubico.com/wsapi/2.0/verify", ClientID: 12345, APIKeyFile: "credential:yubico-api-key", Counters: true, Line: 4}
	second := YubicoServer{URL: "http://[::1]:8000/wsapi/2.0/verify", ClientID: 1, APIKeyFile: "/etc/key", CAFile: "/etc/ca.pem", Line: 8}
	for text, want := range map[string][]YubicoServer{
		"":                       nil,
		"[yubico]":               nil,
		yubicoServer + yubicoKey: {first},
		yubicoServer + yubicoKey + "ca_file = ''\ncounters = true": {first},
		yubicoServer + yubicoKey + "[[yubico.server]]\nurl = 'http://[::1]:8000/wsapi/2.0/verify'\nclient_id = 1\n" +
			"api_key_file = '/etc/key'\nca_file = '/etc/ca.pem'\ncounters = false": {first, second},
	} {
		c, err := Parse("f", []byte(text), builtIn)
		if err != nil || !reflect.DeepEqual(c.Yubico, want) {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", text, c, err, want)
		}
	}
}

func TestUnaskedYubico(t *testing.T) {
	for factors, want := range map[string]string{"'totp'": `f:4: [[yubico.server]]: no rule has the factor "yubico", so none is ever asked about a login`, "'totp', 'yubico'": ""} {
		c, err := Parse("f", []byte(yubicoServer+yubicoKey+"[[rule]]\nfactors = ["+factors+"]"), BuiltIn())
		if err != nil || strings.Join(c.Warnings, "\n") != want {
			t.Errorf("%s: %q, %v", factors, c.Warnings, err)
		}
	}
}

func TestBadYubico(t *testing.T) {
	url := func(s string) string { return "[[yubico.server]]\nurl = '" + s + "'\n" + yubicoKey }
	for text, want := range map[string]string{
		"[[yubico.server]]":                                          "f:1: client_id: is missing\nf:1: url: is missing\nf:1: api_key_file: is missing",
		"[yubico]\nserver = []":                                      "f:2: server: is empty",
		"[yubico]\nservers = 1":                                      "f:2: servers: unknown key",
		"[yubico.server]\nurl = ''":                                  "f:1: server: is a table, not an array of tables",
		"yubico = 1":                                                 "f:1: yubico: is an integer, not a table",
		yubicoServer + yubicoKey + "x=1":                             "f:5: x: unknown key",
		yubicoServer + "client_id = 0\napi_key_file = '/k'":          "f:3: client_id: 0 is not from 1 to 4294967295",
		yubicoServer + "client_id = 4294967296\napi_key_file = '/k'": "f:3: client_id: 4294967296 is not from 1 to 4294967295",
		yubicoServer + "client_id = '1'\napi_key_file = '/k'":        "f:3: client_id: is a string, not an integer",
		yubicoServer + "client_id = 1\napi_key_file = 'k'":           "f:4: api_key_file: is not a clean absolute path",
		yubicoServer + "client_id = 1\napi_key = 'k'":                "f:1: api_key_file: is missing\nf:4: api_key: unknown key",
		yubicoServer + yubicoKey + "ca_file = 'ca'":                  `f:5: ca_file: "ca" is not a clean absolute path`,
		yubicoServer + yubicoKey + "counters = 1":                    "f:5: counters: is an integer, not a boolean",
		yubicoServer + yubicoKey + yubicoServer + yubicoKey:          `f:6: url: "https://api.yubico.com/wsapi/2.0/verify" is in another [[yubico.server]] too`,
		url(""):                               `f:2: url: "" is not the address of a validation server`,
		url("api.yubico.com"):                 `f:2: url: "api.yubico.com" is not the address of a validation server`,
		url("https://api.yubico.com"):         `f:2: url: "https://api.yubico.com" is not the address of a validation server`,
		url("https://u:p@h/verify"):           "f:2: url: has a user or password in it",
		url("https://h/verify?x=1"):           `f:2: url: "https://h/verify?x=1" is not the address of a validation server`,
		url("ftp://h/verify"):                 `f:2: url: "ftp://h/verify" is not the address of a validation server`,
		url("http://api.yubico.com/verify"):   `f:2: url: "http://api.yubico.com/verify" is not https`,
		url("http://localhost.evil/verify"):   `f:2: url: "http://localhost.evil/verify" is not https`,
		strings.Repeat(url("https://h/v"), 9): "f:1: server: there are more than 8",
	} {
		_, err := Parse("f", []byte(text), builtIn)
		if err == nil || withoutHints(err) != want {
			t.Errorf("%s:\n got %v\nwant %s", text, err, want)
		}
	}
}

func withoutHints(err error) string {
	var lines []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if !strings.HasPrefix(line, "hint: ") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

func TestReadAPIKey(t *testing.T) {
	dir := t.TempDir()
	s := YubicoServer{APIKeyFile: "credential:key", Line: 4}
	const good = "oBVbNt7IZehZGR99rvq8d6RZ1DM="
	for text, want := range map[string]string{
		good: "", good + "\n": "",
		"":                          "is empty",
		"oBVbNt7I":                  "not an API key",
		"!" + good:                  "not an API key",
		good[:10] + " " + good[10:]: "has a character that no key has",
	} {
		if err := os.WriteFile(filepath.Join(dir, "key"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		key, err := s.ReadAPIKey("f", dir)
		switch {
		case want == "" && (err != nil || len(key) != 20):
			t.Errorf("%q: %x, %v", text, key, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), "f:4: api_key_file: ") || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: %v, want %q", text, err, want)
		case err != nil && strings.Contains(err.Error(), "oBVb"):
			t.Errorf("%q: the key is in the error: %v", text, err)
		}
	}
	if _, err := s.ReadAPIKey("f", ""); err == nil {
		t.Error("read without credentials")
	}
}
