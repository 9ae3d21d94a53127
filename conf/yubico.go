package conf

import (
	"encoding/base64"
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/factord/factord/daemon/policy"
)

// YubicoServer is one [[yubico.server]], which verifies OTPs of YubiKeys by the
// validation protocol 2.0.
type YubicoServer struct {
	URL        string
	ClientID   uint32
	APIKeyFile string // for ReadAPIKey
	CAFile     string // "": the system's trust store
	// Counters: the server is asked for the counters of an OTP, and signs them.
	Counters bool
	Line     int // of api_key_file
}

const (
	maxServers = 8
	minAPIKey  = 16 // bytes; Yubico's have 20
)

func readYubico(t *table) (servers []YubicoServer) {
	defer t.done()
	tables := t.sections("server")
	if len(tables) > maxServers {
		t.fail("server", "", "there are more than %d", maxServers)
		return nil
	}
	for _, in := range tables {
		s := readYubicoServer(in)
		if slices.ContainsFunc(servers, func(other YubicoServer) bool { return other.URL == s.URL && s.URL != "" }) {
			in.fail("url", "", "%q is in another [[yubico.server]] too", s.URL)
		}
		servers = append(servers, s)
	}
	return servers
}

func readYubicoServer(t *table) YubicoServer {
	defer t.done()
	missing := func(key, hint string) {
		if !t.has(key) {
			t.fail(key, hint, "is missing")
		}
	}
	s := YubicoServer{ClientID: uint32(t.number("client_id", 0, 1, math.MaxUint32)), Line: t.line("api_key_file")}
	missing("client_id", "Yubico gives one out at https://upgrade.yubico.com/getapikey/")
	var ok bool
	if s.URL, ok = t.text("url"); ok {
		t.judge("url", checkServer(s.URL))
	}
	missing("url", `YubiCloud is "https://api.yubico.com/wsapi/2.0/verify"`)
	if s.APIKeyFile, ok = t.text("api_key_file"); ok {
		t.judge("api_key_file", readSecretFile(s.APIKeyFile))
	}
	missing("api_key_file", `api_key_file = "credential:yubico-api-key", say: without the key nobody knows whose the answers are`)
	if file, ok := t.text("ca_file"); ok && file != "" {
		if !filepath.IsAbs(file) || filepath.Clean(file) != file {
			t.fail("ca_file", "leave it out to trust what the system trusts", "%q is not a clean absolute path", file)
		}
		s.CAFile = file
	}
	s.Counters = t.truth("counters", true)
	return s
}

// warnUnasked tells of servers that no rule needs.
func warnUnasked(file *table, servers []YubicoServer, rules policy.Rules) {
	needs := func(r policy.Rule) bool { return slices.Contains(r.Factors, "yubico") }
	if len(servers) > 0 && !slices.ContainsFunc(rules, needs) {
		file.report.warn(servers[0].Line, `[[yubico.server]]: no rule has the factor "yubico", so none is ever asked about a login`)
	}
}

// checkServer accepts an address over TLS. Without, whoever is on the way could read
// an OTP and be first with it; so only this machine itself may do without.
func checkServer(s string) flaw {
	if strings.Contains(s, "@") { // also in what is no URL, which is not shown then
		return flaw{"has a user or password in it", "factord knows no passwords for validation servers"}
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Hostname() == "" || u.RawQuery != "" || u.ForceQuery || strings.Contains(s, "#") ||
		u.Scheme != "https" && u.Scheme != "http" || u.Path == "" || u.Path == "/" || !isPrintable(s) {
		return flaw{fmt.Sprintf("%q is not the address of a validation server", s), `it is like "https://api.yubico.com/wsapi/2.0/verify"`}
	}
	if addr, err := netip.ParseAddr(u.Hostname()); u.Scheme == "http" && (err != nil || !addr.IsLoopback()) {
		return flaw{fmt.Sprintf("%q is not https", s), "only a server at 127.0.0.1 or [::1] can be asked without TLS"}
	}
	return flaw{}
}

// ReadAPIKey returns the key that signs requests and answers. name is the
// configuration's, and credentials the folder of systemd's credentials, or "".
func (s *YubicoServer) ReadAPIKey(name, credentials string) ([]byte, error) {
	return s.readAPIKey(name, func(place string) (Secret, error) { return loadSecret(place, credentials) })
}

func (s *YubicoServer) readAPIKey(name string, load func(place string) (Secret, error)) ([]byte, error) {
	fail := func(err error) ([]byte, error) {
		return nil, fmt.Errorf("%s: api_key_file: %w", place(name, s.Line), err)
	}
	text, err := load(s.APIKeyFile)
	if err != nil {
		return fail(err)
	}
	key, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil || len(key) < minAPIKey { // the error would quote the key
		return fail(fmt.Errorf("%s: not an API key: base64 of %d bytes or more", s.APIKeyFile, minAPIKey))
	}
	return key, nil
}
