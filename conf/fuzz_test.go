package conf

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/factord/factord/daemon/policy"
)

func FuzzParse(f *testing.F) {
	f.Add(string(Sample()), uint16(0))
	f.Add(everything, uint16(7))
	f.Add(winding, uint16(0))
	f.Add(duoSection+"skey = 'k'\nuser_map = {root = 'alice'}\nuser_id_map = {root = 'DU1'}\n[[rule]]\nfactors = ['duo']\n", uint16(0))
	f.Add(yubicoServer+yubicoKey+"ca_file = '/ca.pem'\ncounters = false\n", uint16(3))
	f.Add("rule = [{factors = ['totp'], services = ['su']}]\n", uint16(0xffff))
	f.Add("\ufeff[\"rule\"]\r\n'a'.\"b\" = \"\"\"\\\"\"\"\"\n[[a.b]]\nx={y=[1,{z=2}]}", uint16(1))
	f.Fuzz(func(t *testing.T, text string, request uint16) {
		c, err := Parse("f", []byte(text), builtIn)
		if (c == nil) == (err == nil) {
			t.Fatalf("config %v and error %v", c, err)
		}
		if err != nil {
			checkError(t, text, err)
			return
		}
		checkConfig(t, c)
		p := c.Rules.Plan(requestOf(request))
		if p.Refuse == policy.NotRefused && p.Mode != policy.Exempt && len(p.Factors) == 0 {
			t.Errorf("a plan without factors: %+v", p)
		}
	})
}

func checkError(t *testing.T, text string, err error) {
	var syntax toml.ParseError
	if errors.As(err, &syntax) {
		t.Errorf("an error of the decoder came through: %v", err)
	}
	for line := range strings.Lines(err.Error()) {
		if !strings.HasPrefix(line, "f:") && !strings.HasPrefix(line, "hint: ") || !isPrintable(strings.TrimSuffix(line, "\n")) {
			t.Errorf("a line that is not one of an error: %q", line)
		}
	}
	var e *Error
	if errors.As(err, &e) && e.Line > strings.Count(text, "\n")+1 {
		t.Errorf("line %d is behind the end of the file", e.Line)
	}
}

func checkConfig(t *testing.T, c *Config) {
	if len(c.Rules) == 0 && len(c.Warnings) == 0 {
		t.Error("no rule and no warning")
	}
	if c.Daemon.IdleExit < 0 || c.TOTP.Window < 0 || c.TOTP.Window > MaxWindow {
		t.Errorf("out of range: %+v", c)
	}
	if d := c.Duo; d != nil && (d.Ikey == "" || d.Host == "" || (d.Skey == "") == (d.SkeyFile == "") || d.PreauthTimeout <= 0 || d.Deadline <= 0 ||
		!strings.Contains(d.Username, "{user}") || d.Signature == "") {
		t.Errorf("not a [duo]: %+v", d)
	}
	last := 0
	for i := range c.Rules {
		r := &c.Rules[i]
		if len(r.Callers) == 0 || r.Name == "" || r.Remember < 0 || (len(r.Factors) == 0) != (r.Mode == policy.Exempt) {
			t.Errorf("not a rule: %+v", r)
		}
		if r.Line < last || r.Line == 0 {
			t.Errorf("rule %d is said to be in line %d", i+1, r.Line)
		}
		last = r.Line
	}
}

func requestOf(n uint16) policy.Request {
	bits := func(width int) int {
		v := int(n) & (1<<width - 1)
		n >>= width
		return v
	}
	return policy.Request{
		User:      []string{"alice", "bob", "root", ""}[bits(2)],
		Service:   []string{"sshd", "sudo", "su", "login"}[bits(2)],
		Caller:    policy.Caller(bits(1)),
		Addr:      []netip.Addr{{}, netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("::1"), netip.MustParseAddr("192.0.2.7")}[bits(2)],
		AddrKnown: bits(1) == 1,
		Local:     policy.Known(bits(2)),
		Groups:    map[string]policy.Membership{"wheel": policy.Membership(bits(2))},
		Now:       time.Date(2025+bits(2), 6, 1, 0, 0, 0, 0, time.UTC),
	}
}

func FuzzPAMStack(f *testing.F) {
	f.Add("auth [success=1 default=ignore] pam_unix.so\nauth requisite pam_deny.so\nauth required pam_factord.so\n", "@include a\n")
	f.Add("auth [success=ignore ignore=ignore auth_err=1 default=die] pam_succeed_if.so quiet service in a:b\nauth required pam_factord.so\n", "auth substack a\nauth include b\n")
	f.Fuzz(func(t *testing.T, a, b string) {
		known := map[string]*service{"a": {lines: parsePAM("a", a)}, "b": {lines: parsePAM("b", b)}}
		for _, name := range []string{"a", "b", "c"} {
			surely, more := calls(known, name, "auth")
			for _, l := range surely {
				if !l.asks() {
					t.Errorf("%+v asks nothing", l)
				}
			}
			if name == "c" && !more {
				t.Error("of a file that is not there all is known")
			}
		}
	})
}
