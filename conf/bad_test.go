package conf

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// in is the text of one rule, from its second line on.
func in(lines string) string { return "[[rule]]\n" + lines + "\n" }

const ok = "factors = ['totp']\n"

// A configuration and what is said about it, without hints.
func TestBad(t *testing.T) {
	tests := []struct{ text, want string }{
		// Syntax.
		{"[daemon]\nidle_exit = ", "f:2: daemon.idle_exit: unexpected EOF; expected value"},
		{"a = 1\na = 2", "f:2: a: key 'a' has already been defined"},
		{"[daemon]\n[daemon]", "f:2: key 'daemon' has already been defined"},
		{"x = " + strings.Repeat("[", 40), "f:1: nested deeper than 16 levels"},
		{"\n" + strings.Repeat("a.", 40) + "b = 1", "f:2: nested deeper than 16 levels"},
		{"\n[" + strings.Repeat("a.", 40) + "b]", "f:2: nested deeper than 16 levels"},

		// Unknown keys.
		{"colour = 'red'", "f:1: colour: unknown key"},
		{"\n[duos]\nikey = 'DI'", "f:2: [duos]: this factord has no such section"},
		{"[usb]\nrp_id = 'a'\n[fido2]\nbackend = 'hidraw'\n[piv]\nroots = '/a'", "f:2: rp_id: unknown key\nf:4: backend: unknown key\nf:6: roots: unknown key"},
		{"[daemon]\nidle_exit = '5m'\nidle-exit = '5m'", "f:3: idle-exit: unknown key"},
		{"[totp]\nWindow = 1", "f:2: Window: unknown key"},
		{"[audit]\na.b = 1", "f:2: a: unknown key"},
		{"[[rule]]\n" + ok + "[rule.x]\ny = 1", "f:3: x: unknown key"},
		{"\"\\u001b[2J\" = 1", "f:1: ?[2J: unknown key"},

		// Shapes.
		{"daemon = 1", "f:1: daemon: is an integer, not a table"},
		{"[[daemon]]", "f:1: daemon: is an array of tables, not a table"},
		{"[rule]\n" + ok, "f:1: rule: is a table, not an array of tables"},
		{"rule = []", "f:1: rule: is empty"},
		{"rule = [{factors = ['totp']}, 3]", "f:1: rule: entry 2 is an integer, not a table"},

		// Sections.
		{"[daemon]\nidle_exit = 5", "f:2: idle_exit: is an integer, not a string"},
		{"[daemon]\nidle_exit = '5'", `f:2: idle_exit: "5" is not a duration`},
		{"[daemon]\nidle_exit = '-5m'", `f:2: idle_exit: "-5m" is negative`},
		{"daemon = {\n idle_exit = '1d' }", `f:2: idle_exit: "1d" is not a duration`},
		{"daemon.idle_exit = ''", `f:1: idle_exit: "" is not a duration`},
		{"[totp]\nwindow = 11", "f:2: window: 11 is not from 0 to 10"},
		{"[totp]\nwindow = -1", "f:2: window: -1 is not from 0 to 10"},
		{"[totp]\nwindow = 1.5", "f:2: window: is a number with a fraction, not an integer"},
		{"[totp]\nissuer = 'a:b'", `f:2: issuer: "a:b" has a colon`},
		{"[totp]\nissuer = \"a\\u0007\"", `f:2: issuer: "a\a" has a character that can't be shown`},
		{"[totp]\nissuer = '" + strings.Repeat("a", 65) + "'", `f:2: issuer: is longer than 64 bytes`},
		{"[audit]\nfile = 'audit.jsonl'", `f:2: file: "audit.jsonl" is not a clean absolute path`},
		{"[audit]\nfile = '/var/log/../x'", `f:2: file: "/var/log/../x" is not a clean absolute path`},
		{"[audit]\nstrict = 'yes'", "f:2: strict: is a string, not a boolean"},

		{"[usb]\nbackend = 'usbfs'", `f:2: backend: unknown value "usbfs"`},
		{"[fido2]\nrp_id = ''", `f:2: rp_id: "" is not the name of a relying party`},
		{"[fido2]\nrp_id = 'pam://'", `f:2: rp_id: "pam://" is not the name of a relying party`},
		{"[fido2]\nrp_id = 'Example.com'", `f:2: rp_id: "Example.com" is not the name of a relying party`},
		{"[fido2]\nrp_id = '" + strings.Repeat("a", 254) + "'", `f:2: rp_id: "` + strings.Repeat("a", 254) + `" is not the name of a relying party`},
		{"[piv]\nattestation = true", "f:2: attestation: is a boolean, not a string"},
		{"[piv]\nattestation = 'always'", `f:2: attestation: unknown value "always"`},
		{"[piv]\nca_file = 'ca.pem'", `f:2: ca_file: "ca.pem" is not a clean absolute path`},

		// Names of rules.
		{in("name = ''\n" + ok), "f:2: name: is empty"},
		{in("name = '#3'\n" + ok), `f:2: name: "#3" looks like the number of a rule without a name`},
		{in("name = \"a\\nb\"\n" + ok), `f:2: name: "a\nb" has a character that can't be shown`},
		{in("name = '" + strings.Repeat("é", 33) + "'\n" + ok), "f:2: name: is longer than 64 bytes"},
		{in("name = 'a'\nservices = ['su']\n"+ok) + in("name = 'a'\n"+ok), `f:7: name: "a" is the name of the rule in line 1 too`},

		// Criteria.
		{in("services = []\n" + ok), "f:2: services: is empty"},
		{in("services = 'sshd'\n" + ok), "f:2: services: is a string, not a list"},
		{in("services = ['sshd', 1]\n" + ok), "f:2: services: has an integer in it, not a string"},
		{in("services = ['su',\n  # the same\n  'su']\n" + ok), `f:4: services: "su" is in it twice`},
		{in("services = ['../su', 'su ', '']\n" + ok), `f:2: services: "../su" is not the name of a service` + "\n" +
			`f:2: services: "su " is not the name of a service` + "\n" + `f:2: services: "" is not the name of a service`},
		{in("users = ['-a']\n" + ok), `f:2: users: "-a" is not a user name`},
		{in("users = ['a ', ' a', '', '$', 'a$b', 'a:b', 'ü']\n" + ok), `f:2: users: "a " is not a user name` + "\n" +
			`f:2: users: " a" is not a user name` + "\n" + `f:2: users: "" is not a user name` + "\n" + `f:2: users: "$" is not a user name` + "\n" +
			`f:2: users: "a$b" is not a user name` + "\n" + `f:2: users: "a:b" is not a user name` + "\n" + `f:2: users: "ü" is not a user name`},
		{in("users = ['" + strings.Repeat("a", 257) + "']\n" + ok), `f:2: users: "` + strings.Repeat("a", 257) + `" is not a user name`},
		{in("groups = ['wheel ']\n" + ok), `f:2: groups: "wheel " is not a group name`},
		{in("networks = ['10.1.2.3/8']\n" + ok), `f:2: networks: "10.1.2.3/8" has host bits set`},
		{in("networks = ['example.com', 'fe80::1%eth0', '10/8', 'LOCAL']\n" + ok), `f:2: networks: "example.com" is not a network` + "\n" +
			`f:2: networks: "fe80::1%eth0" is not a network` + "\n" + `f:2: networks: "10/8" is not a network` + "\n" + `f:2: networks: "LOCAL" is not a network`},
		{in("networks = ['::ffff:10.0.0.0/104']\n" + ok), `f:2: networks: "::ffff:10.0.0.0/104" is an IPv4 network written as IPv6, which matches no client`},
		{in("networks = ['192.0.2.1', '192.0.2.1/32']\n" + ok), `f:2: networks: "192.0.2.1/32" is in it twice`},
		{in("callers = ['admin']\n" + ok), `f:2: callers: unknown value "admin"`},

		// Demands.
		{in(""), `f:1: factors: a rule of mode "require" needs factors`},
		{in("factors = []"), "f:2: factors: is empty"},
		{in("factors = ['totp', 'totp']"), `f:2: factors: "totp" is in it twice`},
		{in("factors = ['TOTP', 'bypass', 'hotp']"), `f:2: factors: unknown factor "TOTP"` + "\n" +
			`f:2: factors: unknown factor "bypass"` + "\n" + `f:2: factors: unknown factor "hotp"`},
		{in("mode = 'off'\nuntil = '2027-01-31'\n" + ok), `f:2: mode: unknown value "off"`},
		{in("until = '2027-01-31'\n" + ok), `f:2: until: has no meaning in mode "require"`},
		{in("mode = 'audit'\nuntil = '2027-01-31'\n" + ok), `f:3: until: has no meaning in mode "audit"`},
		{in("mode = 'enrolled'\nuntil = '31.1.2027'\n" + ok), `f:3: until: "31.1.2027" is not a date`},
		{in("mode = 'enrolled'\nuntil = '2027-02-30'\n" + ok), `f:3: until: "2027-02-30" is not a date`},
		{in("mode = 'enrolled'\nuntil = 2027-01-31T12:00:00\n" + ok), `f:3: until: is a date with a time`},
		{in("mode = 'enrolled'\nuntil = 2027\n" + ok), `f:3: until: is an integer, not a date`},
		{in("subject = 'root'\n" + ok), `f:2: subject: unknown value "root"`},
		{in("callers = ['root', 'user']\nsubject = 'caller'\n" + ok), "f:3: subject: a caller that is not root can't be believed about who calls"},
		{in("remember = '0'\n" + ok), `f:2: remember: "0" is no time at all`},
		{in("remember = '-1h'\n" + ok), `f:2: remember: "-1h" is negative`},
		{in("remember = '720h1s'\n" + ok), "f:2: remember: is longer than 30 days (720h)"},
		{in("enroll = 'always'\n" + ok), `f:2: enroll: unknown value "always"`},
		{in("enroll_until = '2027-01-31'\n" + ok), "f:2: enroll_until: has no meaning without enroll"},
		{in("unavailable = true\n" + ok), "f:2: unavailable: is a boolean, not a string"},
		{in("unavailable = 'Allow'\n" + ok), `f:2: unavailable: unknown value "Allow"`},
		{in("presence = false\n" + ok), "f:2: presence: has no meaning without the factor of a key"},
		{in("bypass = 'no'\n" + ok), "f:2: bypass: is a string, not a boolean"},
		{in("mode = 'exempt'\nbypass = true\n" + ok), `f:3: bypass: has no meaning in mode "exempt", which asks for nothing` + "\n" +
			`f:4: factors: has no meaning in mode "exempt", which asks for nothing`},
		{in("mode = 'exempt'\nremember = '1h'\nunavailable = 'deny'\nenroll = 'login'\nenroll_until = 2027-01-31"),
			`f:3: remember: has no meaning in mode "exempt", which asks for nothing` + "\n" +
				`f:4: unavailable: has no meaning in mode "exempt", which asks for nothing` + "\n" +
				`f:5: enroll: has no meaning in mode "exempt", which asks for nothing` + "\n" +
				`f:6: enroll_until: has no meaning in mode "exempt", which asks for nothing`},

		// Rules that are never reached.
		{in(ok) + in("name = 'b'\nusers = ['alice']\n"+ok), `f:4: rule: "b" is never reached: #1 in line 1 matches all that it matches`},
		{in("name = 'a'\nnetworks = ['10.0.0.0/8', 'local']\n"+ok) + in("networks = ['10.1.0.0/16', 'local']\nservices = ['su']\n"+ok),
			`f:6: rule: #2 is never reached: "a" in line 1 matches all that it matches`},
		{in("callers = ['root', 'user']\nmode = 'exempt'") + in("callers = ['user']\n"+ok),
			"f:4: rule: #2 is never reached: #1 in line 1 matches all that it matches"},
		{in("services = ['sshd']\n"+ok) + in("name = 'b'\nservices = ['sudo']\n"+ok) + in("services = ['sshd', 'sudo']\nusers = ['alice']\n"+ok),
			`f:10: rule: #3 is never reached: #1 in line 1 and "b" in line 5 together match all that it matches`},
		{in("networks = ['nowhere']\n"+ok) + in(ok), `f:2: networks: "nowhere" is not a network`},

		// All at once, in the order of lines.
		{in("name = '#1'\n"+ok+"colour = 1") + "[totp]\nwindow = 99\n[hmac]\n" + in("mode = 1"), `f:2: name: "#1" looks like the number of a rule without a name` + "\n" +
			"f:4: colour: unknown key\nf:6: window: 99 is not from 0 to 10\nf:7: [hmac]: this factord has no such section\nf:9: mode: is an integer, not a string"},
	}
	for _, tt := range tests {
		c, err := Parse("f", []byte(tt.text), builtIn)
		if err == nil || c != nil {
			t.Errorf("%q: accepted as %+v, want %s", tt.text, c, tt.want)
			continue
		}
		lines := strings.Split(err.Error(), "\n")
		lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, "hint: ") })
		if got := strings.Join(lines, "\n"); got != tt.want {
			t.Errorf("%q:\n got %s\nwant %s", tt.text, got, tt.want)
		}
	}
}

func TestHints(t *testing.T) {
	tests := []struct{ text, want string }{
		{in("factors = ['bypass']"), "hint: leave it out: a bypass code from root is always accepted, unless the rule says bypass = false"},
		{in("factors = ['hotp']"), `hint: write "totp": it covers HOTP tokens too`},
		{in("factors = ['otp']"), "hint: the factors are duo, totp, backup, yubico, touch, hmac, piv, fido2"},
		{in("networks = ['10.1.2.3/8']\n" + ok), `hint: write "10.0.0.0/8" or "10.1.2.3"`},
		{in("networks = ['::ffff:10.0.0.0/104']\n" + ok), `hint: write "10.0.0.0/8"`},
		{in("networks = ['::ffff:10.0.0.1']\n" + ok), `hint: write "10.0.0.1/32"`},
		{in("enroll = 'now'\n" + ok), `hint: write "login"`},
		{in("mode = 'on'\n" + ok), `hint: write one of "require", "enrolled", "audit", "exempt"`},
		{"[rule]\n" + ok, "hint: a rule begins with [[rule]], in two brackets"},
		{"[rule]\n" + ok + "[rule]\n" + ok, "hint: a rule begins with [[rule]], in two brackets"},
		{in(ok) + "[rule]\n" + ok, "hint: a rule begins with [[rule]], in two brackets"},
		{"[totp]\ncolour = 1", "hint: the keys here are issuer, window"},
		{"[totp]\nwindows = 1", "hint: did you mean window?"},
		{in("service = ['sudo']\n" + ok), "hint: did you mean services?"},
		{in("user = ['alice']\n" + ok), "hint: did you mean users?"},
		{in("factor = ['totp']\n" + ok), "hint: did you mean factors?"},
		{in("remember = 8h\n" + ok), "hint: a duration stands in quotes"},
		{in("remember = 90m\n" + ok), "hint: a duration stands in quotes"},
		{in("remember = 8hours\n" + ok), "hint: a duration stands in quotes"},
		{"[daemon]\nidle_exit=5m # short", "hint: a duration stands in quotes"},
	}
	for _, tt := range tests {
		_, err := Parse("f", []byte(tt.text), builtIn)
		if err == nil || !strings.HasSuffix(err.Error(), "\n"+tt.want) {
			t.Errorf("%q: %v, want %s", tt.text, err, tt.want)
		}
	}
}

// A caller that wants more than text finds the parts of an error.
func TestErrorParts(t *testing.T) {
	_, err := Parse("f", []byte("[totp]\nwindow = 99"), builtIn)
	var e *Error
	if !errors.As(err, &e) || e.File != "f" || e.Line != 2 || e.Key != "window" {
		t.Errorf("%#v", e)
	}
}

func TestTooManyRules(t *testing.T) {
	_, err := Parse("f", []byte(strings.Repeat("[[rule]]\n", 1001)), builtIn)
	if err == nil || err.Error() != "f:1001: rule: there are more than 1000 rules" {
		t.Error(err)
	}
}

// A list that is not closed is noticed in a later line: the hint names its own.
func TestUnclosedList(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"[[rule]]\nservices = [\"sshd\", \"sudo\"\nfactors = [\"totp\"]\n", "\nhint: is the list that begins in line 2 closed?"},
		{"[[rule]]\nservices = [\n  \"sshd\",\n  \"sudo\"\n\nfactors = [\"totp\"]\n", "\nhint: is the list that begins in line 2 closed?"},
		{"[[rule]]\nservices = [\"sshd\"\n", "\nhint: is the list that begins in line 2 closed?"},
		{"[[rule]]\nservices = [\"sshd\"]\nfactors = totp\n", "\nhint: a text stands in quotes"},
	} {
		_, err := Parse("f", []byte(tt.text), builtIn)
		if err == nil {
			t.Fatalf("%q is taken", tt.text)
		}
		if _, hint, _ := strings.Cut(err.Error(), "\nhint"); hint != strings.TrimPrefix(tt.want, "\nhint") {
			t.Errorf("%q: %v", tt.text, err)
		}
	}
}
