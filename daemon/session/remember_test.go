package session_test

import (
	"crypto/ed25519"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/policy"
	"github.com/factord/factord/daemon/session"
	"github.com/factord/factord/daemon/wire"
)

const rememberRule = `
[[rule]]
name = "remembering"
factors = ["totp", "backup"]
remember = "8h"
`

// authInfo is an SSH_AUTH_INFO_0 with a key made from a seed.
func authInfo(t *testing.T, seed byte) string {
	t.Helper()
	key, err := ssh.NewPublicKey(ed25519.NewKeyFromSeed([]byte(strings.Repeat(string('a'+seed), 32))).Public())
	if err != nil {
		t.Fatal(err)
	}
	return "publickey " + string(ssh.MarshalAuthorizedKey(key))
}

// client is somebody who logs in over and over.
type client struct {
	t     *testing.T
	d     *factordtest.Daemon
	token factordtest.Token
	auth  wire.Auth
	info  string
}

// overSSH is alice with a key, from an address, at a daemon whose rule remembers.
func overSSH(t *testing.T, o factordtest.Options) *client {
	t.Helper()
	factordtest.NeedRoot(t)
	if o.Config == "" {
		o.Config = rememberRule
	}
	d := factordtest.NewDaemon(t, o)
	auth := wire.Auth{User: "alice", Service: "sshd", RHost: "203.0.113.7", TTY: "ssh", AuthInfo: true, First: true}
	return &client{t, d, d.MustEnroll("alice", "totp"), auth, authInfo(t, 0)}
}

// login logs in, with a fresh code if prove is set.
func (c *client) login(prove bool) wire.Verdict {
	c.t.Helper()
	p := &factordtest.Talk{AuthInfo: c.info}
	if prove {
		c.d.Clock.Add(30 * time.Second)
		p.Answers = []string{factordtest.TOTP(c.t, c.token, c.d.Clock.Now())}
	}
	v, err := factordtest.Login(c.d.Socket, -1, c.auth, p)
	if err != nil {
		c.t.Fatal(err)
	}
	return v
}

// proves proves a factor; the next login in the same circumstances is remembered.
func (c *client) proves() {
	c.t.Helper()
	expect(c.t, c.login(true), "allow factor totp")
	expect(c.t, c.login(false), "allow remembered")
}

func TestRememberEachPart(t *testing.T) {
	for name, change := range map[string]func(*client){
		"key":           func(c *client) { c.info = authInfo(t, 1) },
		"no key":        func(c *client) { c.info = "" },
		"not a key":     func(c *client) { c.info = "publickey ssh-ed25519 AAAA\n" },
		"password":      func(c *client) { c.info = "password\n" },
		"address":       func(c *client) { c.auth.RHost = "203.0.113.8" },
		"a link":        func(c *client) { c.auth.RHost = "fe80::1%eth0" },
		"a name":        func(c *client) { c.auth.RHost = "host.example.com" },
		"no address":    func(c *client) { c.auth.RHost = "" },
		"service":       func(c *client) { c.auth.Service = "cockpit" },
		"no service":    func(c *client) { c.auth.Service = "" },
		"user":          func(c *client) { c.d.MustEnroll("bob", "totp"); c.auth.User = "bob" },
		"not remembers": func(c *client) { c.d.Configure(strings.Replace(rememberRule, `remember = "8h"`, "", 1)) },
		"factor":        func(c *client) { c.d.Configure(strings.Replace(rememberRule, `"totp", `, "", 1)) },
		"shorter": func(c *client) {
			c.d.Configure(strings.Replace(rememberRule, "8h", "1h", 1))
			c.d.Clock.Add(time.Hour)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := overSSH(t, factordtest.Options{})
			c.proves()
			before := *c
			change(c)
			if v := c.login(false); v.Allow {
				t.Errorf("another %s is remembered: %+v", name, v)
			}
			if name == "factor" || name == "shorter" || name == "not remembers" {
				return
			}
			expect(t, before.login(false), "allow remembered")
		})
	}
}

func TestMemoryIsDropped(t *testing.T) {
	for name, drop := range map[string]func(c *client){
		"forget": func(c *client) { c.d.MustCall("FORGET user=alice") },
		"forget oneself": func(c *client) {
			if _, err := factordtest.Call(c.d.Socket, 1001, "FORGET"); err != nil {
				t.Error(err)
			}
		},
		"removal": func(c *client) {
			c.d.MustEnroll("alice", "backup")
			c.proves()
			c.d.MustCall("REMOVE user=alice id=backup-1")
		},
		"enrolment":        func(c *client) { c.d.MustEnroll("alice", "hotp") },
		"new backup codes": func(c *client) { c.d.MustEnroll("alice", "backup") },
		"bypass":           func(c *client) { c.d.MustCall("BYPASS user=alice") },
		"lock": func(c *client) {
			c.auth.RHost = "198.51.100.1" // somebody else's
			for range 20 {
				c.d.Clock.Add(6 * time.Minute)
				expect(t, c.d.Login(c.auth, "000000"), "deny denied")
			}
			c.auth.RHost = "203.0.113.7"
		},
		"its time": func(c *client) { c.d.Clock.Add(8 * time.Hour) },
		"a clock set forward and back": func(c *client) {
			c.d.Clock.Add(9 * time.Hour)
			expect(t, c.d.Login(c.auth, "000000"), "deny denied")
			c.d.Clock.Add(-9 * time.Hour)
		},
		"another uid": func(c *client) {
			c.d.Users.Set("alice", 4711)
			expect(t, c.login(false), "deny not-permitted")
			c.d.MustCall("UNLOCK user=alice") // confirms the account, and forgets the other one's logins
		},
		"a damaged entry": func(c *client) {
			c.d.MustCall("BYPASS user=alice") // ends it
			spoil(c.t, c.d, "users")
			c.d.MustCall("UNLOCK user=alice") // counts the revisions anew
			c.d.MustCall("BYPASS user=alice")
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := overSSH(t, factordtest.Options{})
			c.proves()
			drop(c)
			if v := c.login(false); v.Allow {
				t.Errorf("still remembered: %+v", v)
			}
		})
	}
}

// A memory ends when it was said to, however often it is used.
func TestMemoryIsNotExtended(t *testing.T) {
	c := overSSH(t, factordtest.Options{})
	c.proves()
	for range 16 {
		expect(t, c.login(false), "allow remembered")
		c.d.Clock.Add(30*time.Minute - time.Second)
	}
	c.d.Clock.Add(16 * time.Second)
	if v := c.login(false); v.Allow {
		t.Errorf("remembered for longer than 8 h: %+v", v)
	}
}

func TestClockSetBackDoesNotExtendMemory(t *testing.T) {
	c := overSSH(t, factordtest.Options{})
	c.proves()
	c.d.Clock.Add(-4 * time.Second) // what time synchronisation does
	expect(t, c.login(false), "allow remembered")
	c.d.Clock.Add(-time.Hour)
	if v := c.login(false); v.Allow {
		t.Errorf("remembered while the clock is set back: %+v", v)
	}
	c.d.Clock.Add(time.Hour + 4*time.Second)
	expect(t, c.login(false), "allow remembered")
	c.d.Clock.Add(8 * time.Hour)
	if v := c.login(false); v.Allow {
		t.Errorf("remembered after its time: %+v", v)
	}
}

// What is no proof of a factor is not remembered, and what is remembered is none.
func TestOnlyProofsAreRemembered(t *testing.T) {
	c := overSSH(t, factordtest.Options{})
	code := c.d.MustCall("BYPASS user=alice")
	_, code, _ = strings.Cut(code, `"code":"`)
	code, _, _ = strings.Cut(code, `"`)
	v, err := factordtest.Login(c.d.Socket, -1, c.auth, &factordtest.Talk{AuthInfo: c.info, Answers: []string{code}})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, v, "allow factor bypass")
	if v := c.login(false); v.Allow {
		t.Errorf("a bypass code is remembered: %+v", v)
	}
	c.proves()
	if _, err := factordtest.Call(c.d.Socket, 1001, "REMOVE id=totp-1"); err == nil {
		t.Error("a remembered login counts as a proof for factorctl")
	}
}

// A caller that is not root can have no memory made, nor use one.
func TestUsersAreNotRemembered(t *testing.T) {
	here := factordtest.Places(func(uint32) (session.Place, error) {
		return session.Place{Session: "1", AddrKnown: true, Local: policy.Yes}, nil
	})
	c := overSSH(t, factordtest.Options{Places: here, Config: rememberRule + `callers = ["root", "user"]`})
	c.proves()
	for range 2 {
		c.d.Clock.Add(30 * time.Second)
		expect(t, c.d.LoginAs(1001, c.auth, factordtest.TOTP(t, c.token, c.d.Clock.Now())), "allow factor totp")
	}
}

func TestRememberOnThisMachine(t *testing.T) {
	place := session.Place{Session: "c1", AddrKnown: true, Local: policy.Yes}
	var lost error
	places := factordtest.Places(func(uint32) (session.Place, error) { return place, lost })
	c := overSSH(t, factordtest.Options{Places: places})
	c.auth = wire.Auth{User: "alice", Service: "sudo", TTY: "/dev/pts/3", RUser: "alice"}
	c.proves()
	for name, change := range map[string]func(){
		"tty":         func() { c.auth.TTY = "/dev/pts/4" },
		"no tty":      func() { c.auth.TTY = "" },
		"session":     func() { place.Session = "c2" },
		"no session":  func() { place.Session = "" },
		"logind gone": func() { place, lost = session.Place{}, errors.New("no logind") },
		"service":     func() { c.auth.Service = "su" },
		"caller":      func() { c.auth.RUser = "bob" },
	} {
		auth, was := c.auth, place
		change()
		if v := c.login(false); v.Allow {
			t.Errorf("another %s is remembered: %+v", name, v)
		}
		c.auth, place, lost = auth, was, nil
		expect(t, c.login(false), "allow remembered")
	}
	c.auth.TTY = "pts/3" // the same, as some programs name it
	expect(t, c.login(false), "allow remembered")
}

// A link-local address is another host on each link.
func TestLinkLocalIsNotRemembered(t *testing.T) {
	c := overSSH(t, factordtest.Options{})
	c.auth.RHost = "fe80::1%eth0"
	expect(t, c.login(true), "allow factor totp")
	for _, rhost := range []string{"fe80::1%eth0", "fe80::1%wlan0", "fe80::1"} {
		if c.auth.RHost = rhost; c.login(false).Allow {
			t.Errorf("%s is remembered", rhost)
		}
	}
}

// Where nothing can be remembered, root learns why.
func TestRememberSaysWhatIsMissing(t *testing.T) {
	c := overSSH(t, factordtest.Options{})
	c.info = ""
	expect(t, c.login(true), "allow factor totp")
	if got := c.d.MustCall("AUDIT last=1"); !strings.Contains(got, "not remembered, unknown: key of the first factor") {
		t.Errorf("audit: %s", got)
	}
	for command, want := range map[string]string{
		"EXPLAIN user=alice service=sshd rhost=203.0.113.7": `"remember":"8h0m0s for this address and one SSH key`,
		"EXPLAIN user=alice service=sshd rhost=example.com": `"remember":"no: the client's address is not known`,
		"EXPLAIN user=alice service=sudo":                   `"remember":"8h0m0s for one session and terminal`,
	} {
		if got := c.d.MustCall(command); !strings.Contains(got, want) {
			t.Errorf("%s: %s", command, got)
		}
	}
}

// Of a client that is not root, logind says where it is, and the client nothing.
func TestWhereUsersAre(t *testing.T) {
	const rules = `
[[rule]]
name = "office"
networks = ["192.0.2.0/24"]
factors = ["totp"]
callers = ["user"]
[[rule]]
name = "seat"
networks = ["local"]
factors = ["totp"]
callers = ["root", "user"]
[[rule]]
name = "rest"
mode = "exempt"
callers = ["root", "user"]
`
	factordtest.NeedRoot(t)
	var place session.Place
	var lost error
	d := factordtest.NewDaemon(t, factordtest.Options{Config: rules,
		Places: factordtest.Places(func(uint32) (session.Place, error) { return place, lost })})
	liar := wire.Auth{Service: "sshd", RHost: "192.0.2.1", RUser: "root", First: true}
	office, other := netip.MustParseAddr("192.0.2.9"), netip.MustParseAddr("2001:db8::1")
	for _, tc := range []struct {
		place session.Place
		lost  error
		uid   int
		want  string
	}{
		{session.Place{Addr: office, AddrKnown: true, Local: policy.No}, nil, 1001, "deny not-enrolled office"},
		{session.Place{Addr: other, AddrKnown: true, Local: policy.No}, nil, 1001, "allow exempt rest"},
		{session.Place{AddrKnown: true, Local: policy.Yes}, nil, 1001, "deny not-enrolled seat"},
		{session.Place{}, nil, 1001, "deny unavailable office"},
		{session.Place{AddrKnown: true}, nil, 1001, "deny unavailable seat"},
		{session.Place{}, errors.New("no logind here"), 1001, "deny unavailable office"},
		{session.Place{Local: policy.Yes}, nil, -1, "deny not-enrolled seat"},
		{session.Place{}, errors.New("no logind here"), -1, "deny unavailable seat"},
	} {
		place, lost = tc.place, tc.lost
		a := liar
		if tc.uid < 0 {
			a = wire.Auth{User: "alice", Service: "sudo", First: true}
		}
		v := d.LoginAs(tc.uid, a)
		got := "deny " + v.Reason.String() + " " + v.Rule
		if v.Allow {
			got = "allow " + v.Basis.String() + " " + v.Rule
		}
		if got != tc.want {
			t.Errorf("%+v, %v: got %s, want %s", tc.place, tc.lost, got, tc.want)
		}
	}
	if got := d.MustCall("AUDIT last=9"); strings.Contains(got, "192.0.2.1\"") || !strings.Contains(got, `"rhost":"2001:db8::1"`) {
		t.Errorf("the record believes the client: %s", got)
	}
	if got := d.MustCall("AUDIT refusals=1"); !strings.Contains(got, "unknown: client address: no logind here") && !strings.Contains(got, "unknown: seat: no logind here") {
		t.Errorf("nobody learns why: %s", got)
	}
	// Root, who says that the client has an address, says that it is not here.
	place, lost = session.Place{Local: policy.Yes}, nil
	expect(t, d.Login(wire.Auth{User: "alice", Service: "sshd", RHost: "192.0.2.1"}), "allow exempt")
}
