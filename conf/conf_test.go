package conf

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/policy"
)

var builtIn = Factors{"totp", "backup"}

func TestSample(t *testing.T) {
	c, err := Parse("factord.toml", Sample(), builtIn)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Warnings) > 0 {
		t.Errorf("warnings: %q", c.Warnings)
	}
	q := policy.Request{User: "alice", Service: "sshd", Caller: policy.CallerRoot, AddrKnown: true}
	if p := c.Rules.Plan(q); p.Refuse != policy.NotRefused || p.Mode != policy.Enrolled {
		t.Errorf("sshd: %+v", p)
	}
	q.Service = "su"
	if p := c.Rules.Plan(q); p.Refuse != policy.RefuseNoRule {
		t.Errorf("su: %+v", p)
	}
}

// What the sample explains in comments can be written so.
func TestSampleComments(t *testing.T) {
	section, tried := "", 0
	whole := map[string][]string{"[duo]": nil, "[[yubico.server]]": nil} // at once: one key alone is not enough
	for line := range strings.Lines(string(Sample())) {
		if header := strings.TrimLeft(line, "# "); strings.HasPrefix(header, "[") {
			section = strings.TrimSpace(header)
		} else if header == "\n" && whole[section] != nil {
			section = ""
		}
		key, value, found := strings.Cut(strings.TrimLeft(line, "#. "), " = ")
		if !strings.HasPrefix(line, "#") || !found || strings.Contains(strings.TrimSpace(key), " ") {
			continue
		}
		value, _, _ = strings.Cut(value, "  ")
		value, _, _ = strings.Cut(value, " ...")
		text := section + "\n" + key + " = " + value
		if lines, ok := whole[section]; ok { // up to the next blank line
			whole[section] = append(lines, key+" = "+value)
			continue
		}
		if !slices.Contains([]string{"idle_exit", "issuer", "window", "file", "strict", "backend", "rp_id", "attestation", "ca_file"}, strings.TrimSpace(key)) {
			text = "[[rule]]\n" + key + " = " + value
		}
		if strings.TrimSpace(key) == "enroll_until" {
			text += "\nenroll = 'login'"
		}
		if strings.HasPrefix(text, "[[rule]]") && strings.TrimSpace(key) != "factors" {
			text += "\nfactors = ['touch', 'totp']"
		}
		tried++
		if _, err := Parse("sample", []byte(text), builtIn); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	duo, server := whole["[duo]"], whole["[[yubico.server]]"]
	if tried < 11 || len(duo) < 12 || len(server) != 5 {
		t.Errorf("found only %d, and %d of [duo], %d of [[yubico.server]]", tried, len(duo), len(server))
	}
	if y, err := Parse("sample", []byte("[[yubico.server]]\n"+strings.Join(server, "\n")), builtIn); err != nil || !y.Yubico[0].Counters || y.Yubico[0].CAFile == "" {
		t.Errorf("%+v, %v", y, err)
	}
	c, err := Parse("sample", []byte("[duo]\n"+strings.Join(duo, "\n")+duoRule), Factors{"duo"})
	if err != nil || c.Duo.UserMap["root"] != "alice" || c.Duo.UserIDMap["svc"] == "" || c.Duo.CAFile == "" || c.Duo.Proxy == "" {
		t.Errorf("%+v, %v", c, err)
	}
	defaults, err := Parse("sample", []byte("[duo]\n"+strings.Join(duo[:3], "\n")+duoRule), Factors{"duo"})
	if err != nil {
		t.Fatal(err)
	}
	// What the sample shows of the others is the default, but for maps and files.
	c.Duo.UserMap, c.Duo.UserIDMap, c.Duo.CAFile, c.Duo.Proxy = nil, nil, "", ""
	if !reflect.DeepEqual(c.Duo, defaults.Duo) {
		t.Errorf("\n got %+v\nwant %+v", c.Duo, defaults.Duo)
	}
}

func TestDefaults(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "[daemon]\n[totp]\n[audit]\n"} {
		c, err := Parse("f", []byte(text), builtIn)
		if err != nil {
			t.Fatal(err)
		}
		want := &Config{Daemon: Daemon{IdleExit: 5 * time.Minute}, TOTP: TOTP{Window: 1}, USB: USB{Backend: "hidraw"}, FIDO2: FIDO2{RPID: "factord"}, Warnings: []string{"f: no rule: every login is refused"}}
		if !reflect.DeepEqual(c, want) {
			t.Errorf("%q:\n got %+v\nwant %+v", text, c, want)
		}
	}
}

const everything = `
[daemon]
idle_exit = "0"
[totp]
issuer = "example.com"
window = 0
[audit]
strict = true
file = "/var/log/factord.jsonl"
[usb]
backend = "libusb"
[fido2]
rp_id = "pam://host.example"
[piv]
attestation = "required"
ca_file = "/etc/factord/piv-ca.pem"

[[rule]]
name = "all"
services = ["sshd", "polkit-1"]
users = ["alice", 'CORP\bob smith', "host1$"]
groups = ["wheel", "Domain Users"]
networks = ["local", "10.0.0.0/8", "192.0.2.7", "2001:db8::/32"]
callers = ["root"]
factors = ["touch", "totp"]
mode = "enrolled"
until = "2027-01-31"
subject = "caller"
remember = "8h"
enroll = "login"
enroll_until = 2027-12-31
unavailable = "allow"
bypass = false
presence = false

[[rule]]
mode = "exempt"
callers = ["user", "root"]
`

func TestEverything(t *testing.T) {
	c, err := Parse("f", []byte(everything), Factors{"totp", "touch"})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Warnings) != 2 { // of keys that have no effect yet
		t.Errorf("warnings: %q", c.Warnings)
	}
	c.Warnings = nil
	want := &Config{
		TOTP:  TOTP{Issuer: "example.com"},
		Audit: Audit{Strict: true, File: "/var/log/factord.jsonl", Line: 9},
		USB:   USB{Backend: "libusb"}, FIDO2: FIDO2{RPID: "pam://host.example"}, PIV: PIV{Attested: true, CAFile: "/etc/factord/piv-ca.pem"},
		Rules: policy.Rules{{
			Name: "all", Line: 18,
			Services: []string{"sshd", "polkit-1"},
			Users:    []string{"alice", `CORP\bob smith`, "host1$"},
			Groups:   []string{"wheel", "Domain Users"},
			Networks: []policy.Network{{Local: true}, {Prefix: netip.MustParsePrefix("10.0.0.0/8")},
				{Prefix: netip.MustParsePrefix("192.0.2.7/32")}, {Prefix: netip.MustParsePrefix("2001:db8::/32")}},
			Callers:          []policy.Caller{policy.CallerRoot},
			Factors:          []string{"touch", "totp"},
			Mode:             policy.Enrolled,
			Until:            time.Date(2027, 2, 1, 0, 0, 0, 0, time.Local),
			SubjectCaller:    true,
			Remember:         8 * time.Hour,
			EnrollLogin:      true,
			EnrollUntil:      time.Date(2028, 1, 1, 0, 0, 0, 0, time.Local),
			UnavailableAllow: true,
			NoBypass:         true,
			NoPresence:       true,
		}, {
			Name: "#2", Line: 36, Mode: policy.Exempt,
			Callers: []policy.Caller{policy.CallerUser, policy.CallerRoot},
		}},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("\n got %+v\nwant %+v", c, want)
	}
}

// A day ends when the next begins, even where a clock change makes that 01:00.
func TestDateAcrossClockChange(t *testing.T) {
	beirut, err := time.LoadLocation("Asia/Beirut")
	if err != nil {
		t.Skip(err)
	}
	defer func(l *time.Location) { time.Local = l }(time.Local)
	time.Local = beirut
	for _, date := range []string{`"2024-03-30"`, `2024-03-30`} {
		c, err := Parse("f", []byte("[[rule]]\nfactors = ['totp']\nmode = 'enrolled'\nuntil = "+date), builtIn)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Rules[0].Until.UTC().Format(time.RFC3339); got != "2024-03-30T22:00:00Z" {
			t.Errorf("%s ends at %s", date, got)
		}
	}
}

func TestWarnings(t *testing.T) {
	tests := []struct{ text, want string }{
		{"[[rule]]\nname = 'a'\nfactors = ['yubico', 'totp']", `f:3: rule "a": factor "yubico" is not built into this factord, it is passed over`},
		{"[[rule]]\nfactors = ['yubico']", `f:2: rule #1: factor "yubico" is not built into this factord, it is passed over` + "\n" +
			`f:2: rule #1: no factor of it is built into this factord, so nobody can pass it`},
		{"[[rule]]\ncallers = ['user']\nfactors = ['totp']\nremember = '1h'\nenroll = 'login'\nunavailable = 'allow'",
			"f:4: rule #1: remember has no effect for a caller that is not root\n" +
				"f:6: rule #1: unavailable has no effect for a caller that is not root\n" +
				"f:5: rule #1: enroll has no effect for a caller that is not root\n" +
				"f:6: rule #1: unavailable has no effect in this factord: no factor asks a server"},
		{"[[rule]]\ncallers = ['user', 'root']\nfactors = ['totp']\nremember = '1h'", ""},
		{"[[rule]]\nfactors = ['hmac']\npresence = false", "f:2: rule #1: factor \"hmac\" is not built into this factord, it is passed over\n" +
			"f:2: rule #1: no factor of it is built into this factord, so nobody can pass it\n" +
			"f:3: rule #1: presence has no effect in this factord: no factor is a key"},
		{"[[rule]]\nfactors = ['backup', 'totp']\nenroll = 'login'\nenroll_until = 2027-01-31", ""},
		{"[[rule]]\nfactors = ['backup']\nenroll = 'login'", "f:3: rule #1: enroll has no effect: of its factors none can be set up in a login, as totp, duo can"},
		{"[[rule]]\nfactors = ['totp']\nenroll = 'login'\nsubject = 'caller'",
			`f:3: rule #1: enroll has no effect: with subject = "caller" the first factor may be another person's`},
	}
	for _, tt := range tests {
		c, err := Parse("f", []byte(tt.text), builtIn)
		if err != nil {
			t.Errorf("%q: %v", tt.text, err)
			continue
		}
		if got := strings.Join(c.Warnings, "\n"); got != tt.want {
			t.Errorf("%q:\n got %s\nwant %s", tt.text, got, tt.want)
		}
	}
}

func TestAuditApart(t *testing.T) {
	dir := t.TempDir()
	os.Mkdir(filepath.Join(dir, "real"), 0o700)
	os.Symlink("real", filepath.Join(dir, "state"))
	for file, refused := range map[string]bool{
		"/state/seal.key": true, "/state/log/x": true, "/real/seal.key": true, "/state": true,
		"/statement": false, "/state.jsonl": false, "/x": false,
	} {
		c, err := Parse("f", []byte("[audit]\nstrict = true\nfile = '"+dir+file+"'\n"), nil)
		if err != nil {
			t.Fatal(err)
		}
		err = c.Audit.Apart("f", dir+"/state/")
		if (err != nil) != refused || refused && !strings.HasPrefix(err.Error(), "f:3: file: ") {
			t.Errorf("%s: %v", file, err)
		}
	}
	if err := (Audit{}).Apart("f", "/"); err != nil {
		t.Errorf("without a file: %v", err)
	}
}
