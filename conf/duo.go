package conf

import (
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/factord/factord/daemon/policy"
)

// Duo is [duo]: an application of the type "Auth API" in Duo's Admin Panel.
type Duo struct {
	Ikey string
	Host string // host[:port]
	// Skey is the secret key if it is written in the file; SkeyFile is where else it
	// is, for ReadSkey.
	Skey     Secret
	SkeyFile string
	// Username has "{user}" where the user's name goes. UserMap and UserIDMap are of
	// those for whom Duo's username or user_id is another.
	Username           string
	UserMap, UserIDMap map[string]string
	CAFile             string // "": the system's trust store
	Proxy              string // http://host:port; "": none
	Signature          string // "v5", "v2-sha512" or "v2-sha1"
	PreauthTimeout     time.Duration
	Deadline           time.Duration
	AcceptBypass       bool
	Line               int // of skey or skey_file
}

const (
	placeholder           = "{user}"
	defaultPreauthTimeout = 5 * time.Second
	defaultDeadline       = 50 * time.Second
	attemptTime           = 60 * time.Second // after which every attempt ends
	maxIkey               = 64               // bytes; Duo's have 20
	maxHost               = 253              // bytes of a DNS name
)

// readDuo returns nil if there is no [duo].
func readDuo(file *table) *Duo {
	written := file.has("duo")
	t := file.section("duo")
	if !written || t.values == nil {
		return nil
	}
	defer t.done()
	t.foreign, t.foreignHints = pamDuo, pamDuoHints()
	d := &Duo{Signature: "v5", Username: placeholder, Line: t.line("skey_file", "skey")}
	d.Ikey = needed(t, "ikey", readIkey)
	d.Host = needed(t, "host", readHost)
	readSkey(t, d)
	if s, ok := t.text("username"); ok {
		d.Username = s
		t.judge("username", checkTemplate(s))
	}
	d.UserMap = t.pairs("user_map", readDuoName)
	d.UserIDMap = t.pairs("user_id_map", readDuoName)
	for user := range d.UserIDMap {
		if _, twice := d.UserMap[user]; twice {
			t.fail("user_id_map", "leave one of them out", "%q is in user_map too", user)
		}
	}
	if file, ok := t.text("ca_file"); ok && file != "" {
		if !filepath.IsAbs(file) || filepath.Clean(file) != file {
			t.fail("ca_file", "leave it out to trust what the system trusts", "%q is not a clean absolute path", file)
		}
		d.CAFile = file
	}
	if proxy, ok := t.text("proxy"); ok && proxy != "" {
		d.Proxy = proxy
		t.judge("proxy", checkProxy(proxy))
	}
	if s := t.word("signature", "v5", "v2-sha512", "v2-sha1"); s != "" {
		d.Signature = s
	}
	readPatience(t, d)
	d.AcceptBypass = t.truth("accept_bypass", true)
	return d
}

func readPatience(t *table, d *Duo) {
	var ok bool
	if d.PreauthTimeout, ok = t.duration("preauth_timeout", false); !ok {
		d.PreauthTimeout = defaultPreauthTimeout
	}
	if d.Deadline, ok = t.duration("deadline", false); !ok {
		d.Deadline = defaultDeadline
	}
	if d.Deadline > attemptTime {
		t.report.warn(t.line("deadline"), "[duo]: a deadline of %.0f s is never reached: an attempt ends after %.0f s", d.Deadline.Seconds(), attemptTime.Seconds())
	}
}

func readSkey(t *table, d *Duo) {
	skey, literal := t.text("skey")
	file, named := t.text("skey_file")
	d.Skey, d.SkeyFile = Secret(skey), file
	switch {
	case literal && named:
		t.fail("skey", "leave skey out", "is written beside skey_file")
	case literal:
		t.judge("skey", d.Skey.check())
	case named:
		t.judge("skey_file", readSecretFile(file))
	case !t.has("skey") && !t.has("skey_file"):
		t.fail("skey_file", `skey_file = "credential:duo-skey", say`, "is missing: it says where the secret key is")
	}
}

// needed reads a text that [duo] can't do without.
func needed(t *table, key string, read func(string) flaw) string {
	s, ok := t.text(key)
	switch {
	case ok:
		t.judge(key, read(s))
		if strings.Contains(s, "XXXXXXXX") {
			t.report.warn(t.line(key), "[duo]: %s is the example's: put in what Duo's Admin Panel shows", key)
		}
	case !t.has(key):
		t.fail(key, "Duo's Admin Panel shows it with the application", "is missing")
	}
	return s
}

// readIkey refuses what would end the name in an Authorization header: RFC 7617.
func readIkey(s string) flaw {
	if s == "" || len(s) > maxIkey || strings.Trim(s, alphanumeric+"_-") != "" {
		return flaw{fmt.Sprintf("%q is not an integration key", s), `it is like "DIXXXXXXXXXXXXXXXXXX"`}
	}
	return flaw{}
}

func readHost(s string) flaw {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port = s, "443"
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || host == "" || len(host) > maxHost || strings.Trim(host, alphanumeric+".-:") != "" || net.ParseIP(host) == nil && strings.Contains(host, ":") {
		return flaw{fmt.Sprintf("%q is not an API hostname", s), `it is like "api-XXXXXXXX.duosecurity.com", without https://`}
	}
	return flaw{}
}

func checkProxy(s string) flaw {
	u, err := url.Parse(s)
	switch {
	case strings.Contains(s, "@"): // also in what is no URL, which is not shown then
		return flaw{"has a user or password in it", "factord knows no passwords for proxies"}
	case err != nil || u.Scheme != "http" || u.Hostname() == "" || u.Port() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return flaw{fmt.Sprintf("%q is not a proxy", s), `write it like "http://proxy.example.com:3128"`}
	}
	return flaw{}
}

// checkTemplate refuses one without the placeholder above all: it would make all
// users one and the same person.
func checkTemplate(s string) flaw {
	before, after, found := strings.Cut(s, placeholder)
	switch {
	case !found:
		return flaw{fmt.Sprintf("%q has no {user} in it", s), `write it like "{user}" or "{user}@example.com"`}
	case strings.ContainsAny(before+after, "{}"):
		return flaw{fmt.Sprintf("%q has braces that are not one {user}", s), ""}
	case len(s) > maxName || !isPrintable(s):
		return flaw{fmt.Sprintf("%q is not a name", s), ""}
	}
	return flaw{}
}

// readDuoName accepts usernames and user_ids.
func readDuoName(s string) flaw {
	if s == "" || len(s) > maxName || !isPrintable(s) || strings.TrimSpace(s) != s {
		return flaw{fmt.Sprintf("%q is not a name at Duo", s), ""}
	}
	return flaw{}
}

// checkDuo compares [duo] with the rules.
func checkDuo(file *table, tables []*table, rules policy.Rules) {
	used := false
	for i := range rules {
		if !slices.Contains(rules[i].Factors, "duo") {
			continue
		}
		used = true
		if !file.has("duo") {
			tables[i].fail("factors", "write [duo] with ikey, host and skey_file, or leave the factor out", `has "duo", and there is no [duo]`)
		}
	}
	if file.has("duo") && !used {
		file.report.warn(file.line("duo"), `[duo]: no rule has the factor "duo", so Duo is never asked`)
	}
}

// ReadSkey returns the secret key, wherever it is. name is the configuration's, and
// credentials the folder of systemd's credentials, or "".
func (d *Duo) ReadSkey(name, credentials string) (Secret, error) {
	return d.readSkey(name, func(place string) (Secret, error) { return loadSecret(place, credentials) })
}

func (d *Duo) readSkey(name string, load func(place string) (Secret, error)) (Secret, error) {
	if d.SkeyFile == "" {
		return d.Skey, nil
	}
	skey, err := load(d.SkeyFile)
	if err != nil {
		return "", fmt.Errorf("%s: skey_file: %w", place(name, d.Line), err)
	}
	return skey, nil
}

// secretIn is an error if a file of this mode has a secret in it that everybody can
// read.
func (d *Duo) secretIn(name string, mode fs.FileMode) error {
	if d == nil || d.Skey == "" || mode.Perm()&0o004 == 0 {
		return nil
	}
	return &Error{File: name, Line: d.Line, Key: "skey", What: fmt.Sprintf("mode %04o of this file lets everybody read it", mode.Perm()),
		Hint: `chmod o-r ` + name + `, or skey_file = "credential:duo-skey"`}
}
