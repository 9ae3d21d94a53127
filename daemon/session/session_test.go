package session_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
)

// needRoot skips tests in which uid 0 asks for others.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: only uid 0 may ask for other users")
	}
}

func newDaemon(t *testing.T, config string) *factordtest.Daemon {
	t.Helper()
	needRoot(t)
	return factordtest.NewDaemon(t, factordtest.Options{Config: config})
}

var (
	sudo   = wire.Auth{User: "alice", Service: "sudo"}
	proven = wire.Auth{User: "alice", Service: "sudo", First: true}
	remote = wire.Auth{User: "alice", Service: "sshd", RHost: "203.0.113.7"}
)

func expect(t *testing.T, v wire.Verdict, want string) {
	t.Helper()
	got := "deny " + v.Reason.String()
	if v.Allow {
		got = strings.TrimSpace("allow " + v.Basis.String() + " " + v.Factor)
	}
	if got != want {
		t.Errorf("got %q (%s), want %q", got, v.Text, want)
	}
}

func TestTOTPLogin(t *testing.T) {
	d := newDaemon(t, "")
	tok := d.MustEnroll("alice", "totp")
	code := factordtest.TOTP(t, tok, d.Clock.Now())
	expect(t, d.Login(sudo, "000000"), "deny denied")
	expect(t, d.Login(sudo, code), "allow factor totp")
	expect(t, d.Login(sudo, code), "deny replayed")
	expect(t, d.Login(remote, code), "deny replayed")
	d.Clock.Add(30 * time.Second)
	expect(t, d.Login(sudo, "hello", " "+factordtest.TOTP(t, tok, d.Clock.Now())+"\t"), "allow factor totp")
	expect(t, d.Login(sudo, "a", "b", "c"), "deny attempts")
	expect(t, d.Login(sudo, "", ""), "deny cancelled") // a bare Enter is no answer
	expect(t, d.Login(sudo, "", "", ""), "deny denied")
	expect(t, d.Login(sudo), "deny cancelled")
}

func TestClockSetBackAcceptsNothingTwice(t *testing.T) {
	d := newDaemon(t, "")
	tok := d.MustEnroll("alice", "totp")
	at := d.Clock.Now()
	expect(t, d.Login(sudo, factordtest.TOTP(t, tok, at)), "allow factor totp")
	for _, back := range []time.Duration{-30 * time.Second, -10 * time.Minute, -24 * time.Hour} {
		d.Clock.Add(back)
		for step := at.Add(-25 * time.Hour); step.Before(at.Add(time.Minute)); step = step.Add(time.Hour) {
			if v := d.Login(sudo, factordtest.TOTP(t, tok, d.Clock.Now())); v.Allow {
				t.Fatalf("clock back by %v: a code of then was accepted", back)
			}
			d.MustCall("UNLOCK user=alice")
		}
		if v := d.Login(sudo, factordtest.TOTP(t, tok, at)); v.Allow {
			t.Fatalf("clock back by %v: the code was accepted again", back)
		}
		d.MustCall("UNLOCK user=alice")
	}
}

func TestBackupAndBypass(t *testing.T) {
	d := newDaemon(t, "")
	set := d.MustEnroll("alice", "backup")
	p := &factordtest.Talk{Answers: []string{set.Codes[0]}}
	v, err := factordtest.Login(d.Socket, -1, sudo, p)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, v, "allow factor backup")
	if last := p.Shown[len(p.Shown)-1]; !strings.Contains(last, "9 backup codes left") {
		t.Errorf("remaining count not shown: %q", p.Shown)
	}
	expect(t, d.Login(sudo, set.Codes[0]), "deny replayed")
	renewed := d.MustEnroll("alice", "backup")
	expect(t, d.Login(sudo, set.Codes[1]), "deny denied")
	expect(t, d.Login(sudo, renewed.Codes[1]), "allow factor backup")

	code := field(d.MustCall("BYPASS user=alice for=1h"), "code")
	expect(t, d.Login(sudo, code), "allow factor bypass")
	expect(t, d.Login(sudo, code), "deny denied")
	code = field(d.MustCall("BYPASS user=alice for=1h"), "code")
	d.Clock.Add(61 * time.Minute)
	expect(t, d.Login(sudo, code), "deny denied")
	d.Clock.Add(-61 * time.Minute)
	d.MustCall("UNLOCK user=alice")
	expect(t, d.Login(sudo, code), "deny denied") // the clock is behind: nothing relaxes
}

// field takes a text field out of a line of JSON.
func field(line, name string) string {
	_, rest, _ := strings.Cut(line, `"`+name+`":"`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

func TestBypassCanBeForbidden(t *testing.T) {
	d := newDaemon(t, "[[rule]]\nfactors=[\"totp\"]\nbypass=false\n")
	d.MustEnroll("alice", "totp")
	expect(t, d.Login(sudo, field(d.MustCall("BYPASS user=alice"), "code")), "deny denied")
}

func TestRulesDecideWhichFactorsServe(t *testing.T) {
	d := newDaemon(t, "[[rule]]\nfactors=[\"backup\"]\n")
	tok, set := d.MustEnroll("alice", "totp"), d.MustEnroll("alice", "backup")
	expect(t, d.Login(sudo, factordtest.TOTP(t, tok, d.Clock.Now())), "deny denied")
	expect(t, d.Login(sudo, set.Codes[0]), "allow factor backup")
	d.MustCall("REMOVE user=alice id=" + set.ID)
	expect(t, d.Login(proven), "deny denied") // still enrolled, but with nothing for here
}

func TestModes(t *testing.T) {
	const rules = `
[[rule]]
name = "cron"
services = ["cron"]
mode = "exempt"
[[rule]]
name = "trial"
services = ["su"]
factors = ["totp"]
mode = "audit"
[[rule]]
name = "rollout"
services = ["sshd"]
factors = ["totp"]
mode = "enrolled"
until = "2033-05-20"
`
	d := newDaemon(t, rules)
	as := func(user, service string) wire.Auth { return wire.Auth{User: user, Service: service, First: true} }
	expect(t, d.Login(as("alice", "cron")), "allow exempt")
	expect(t, d.Login(as("nobody-such", "cron")), "deny denied")
	expect(t, d.Login(as("alice", "su")), "allow audit")
	expect(t, d.Login(as("nobody-such", "su"), "1"), "deny denied")
	expect(t, d.Login(as("alice", "sshd")), "allow not-enrolled")
	expect(t, d.Login(as("nobody-such", "sshd")), "deny denied")
	expect(t, d.Login(as("alice", "ftp")), "deny no-rule")
	tok := d.MustEnroll("alice", "totp")
	expect(t, d.Login(as("alice", "sshd"), "000000"), "deny denied")
	v := d.Login(as("alice", "su"), "000000", "1", "2")
	if expect(t, v, "allow audit"); v.Reason != wire.ReasonAttempts {
		t.Errorf("would have been %s", v.Reason)
	}
	expect(t, d.Login(as("alice", "su"), factordtest.TOTP(t, tok, d.Clock.Now())), "allow factor totp")
	d.Clock.Add(72 * time.Hour)
	expect(t, d.Login(as("bob", "sshd")), "deny not-enrolled") // until has passed
	d.Clock.Add(-72 * time.Hour)
	expect(t, d.Login(as("bob", "sshd")), "deny not-enrolled") // and stays passed
}

func TestWhoMayAsk(t *testing.T) {
	d := newDaemon(t, "")
	tok := d.MustEnroll("alice", "totp")
	code := factordtest.TOTP(t, tok, d.Clock.Now())
	expect(t, d.LoginAs(1002, sudo, code), "deny not-permitted") // bob, with alice's code
	expect(t, d.LoginAs(1002, wire.Auth{User: "root"}, code), "deny not-permitted")
	expect(t, d.LoginAs(1002, wire.Auth{User: "no-such"}, code), "deny not-permitted")
	expect(t, d.LoginAs(1002, wire.Auth{User: "bob"}), "deny not-enrolled")
	expect(t, d.LoginAs(60000, wire.Auth{}), "deny not-permitted") // no account
	expect(t, d.LoginAs(1001, wire.Auth{}, code), "allow factor totp")
	for _, verb := range []string{"UNLOCK user=bob", "BYPASS user=bob", "INVITE user=bob", "AUDIT", "LIST user=alice", "ENROLL factor=totp user=alice",
		"REMOVE user=alice id=totp-1", "EXPLAIN user=alice service=sudo", "ENROLL factor=totp no-confirm=1"} {
		if data, err := factordtest.Call(d.Socket, 1002, verb, code); err == nil {
			t.Errorf("bob may %s: %s", verb, data)
		}
	}
	d.Configure("[[rule]]\nfactors=[\"totp\"]\n")
	expect(t, d.LoginAs(1001, wire.Auth{User: "alice"}), "deny no-rule") // rules are root's by default
}

func TestNamesOfOneAccount(t *testing.T) {
	d := newDaemon(t, "")
	d.Users.Alias("ALICE", "alice")
	tok := d.MustEnroll("alice", "totp")
	code := factordtest.TOTP(t, tok, d.Clock.Now())
	expect(t, d.Login(wire.Auth{User: "ALICE"}, code), "allow factor totp")
	expect(t, d.Login(sudo, code), "deny replayed")
	d.Users.Set("alice", 4711) // somebody else has the name now
	d.Clock.Add(time.Minute)
	expect(t, d.Login(sudo, factordtest.TOTP(t, tok, d.Clock.Now())), "deny not-permitted")
	if _, err := factordtest.Call(d.Socket, -1, "BYPASS user=alice"); err == nil {
		t.Error("a bypass for another account was made")
	}
	d.MustCall("UNLOCK user=alice")
	expect(t, d.Login(sudo, factordtest.TOTP(t, tok, d.Clock.Now())), "allow factor totp")
}

func TestUnknownNamesLearnNothing(t *testing.T) {
	d := newDaemon(t, "")
	d.MustEnroll("alice", "totp")
	talk := func(user string) string {
		var all []string
		for range 9 {
			p := &factordtest.Talk{Answers: []string{"000000"}}
			v, err := factordtest.Login(d.Socket, -1, wire.Auth{User: user, Service: "sshd", RHost: "192.0.2.1"}, p)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, fmt.Sprint(p.Shown, v.Reason, v.Text))
		}
		return strings.Join(all, "\n")
	}
	alice := talk("alice")
	for _, other := range []string{"bob", "no-such-user"} {
		if got := talk(other); got != alice {
			t.Errorf("%s hears\n%s\nalice hears\n%s", other, got, alice)
		}
	}
}

func TestDirectoryDownIsUnavailable(t *testing.T) {
	d := newDaemon(t, "[[rule]]\ngroups=[\"wheel\"]\nmode=\"exempt\"\n[[rule]]\nfactors=[\"totp\"]\nmode=\"enrolled\"\n")
	expect(t, d.Login(proven), "deny unavailable") // wheel can't be looked up
	d.Users.Group("wheel", "bob")
	expect(t, d.Login(proven), "allow not-enrolled")
	d.Users.Break(true)
	expect(t, d.Login(proven), "deny unavailable")
}

func TestEnrolmentUnreadableIsUnavailable(t *testing.T) {
	d := newDaemon(t, "[[rule]]\nfactors=[\"totp\"]\nmode=\"enrolled\"\n")
	d.MustEnroll("alice", "totp")
	expect(t, d.Login(proven), "deny cancelled")
	spoilRecords(t, d)
	expect(t, d.Login(proven), "deny unavailable")
	expect(t, d.Login(wire.Auth{User: "bob", First: true}), "allow not-enrolled")
}
