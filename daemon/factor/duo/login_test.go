package duo_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/duo"
	"github.com/factord/factord/daemon/factor/duo/authapi"
	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/factordtest/duosim"
	"github.com/factord/factord/daemon/wire"
)

const anyRule = `
[[rule]]
name = "any"
factors = ["duo", "totp", "backup"]
callers = ["root", "user"]
`

// duoTable is what a rule with Duo needs beside it. The tests make their own factor.
const duoTable = `
[duo]
ikey = "DITEST"
host = "localhost"
skey = "not-used-here"
`

// setup of a login: a Duo, a daemon that asks it, and what both have written.
type setup struct {
	*factordtest.Daemon
	t     *testing.T
	sim   *duosim.Server
	duo   *duo.Factor
	clock *clock
	log   *lockedBuffer
}

// clock is the factor's own, which the daemon's is set with.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

// options of a setup.
type options struct {
	sim      duosim.Config
	rule     string // after anyRule
	deadline time.Duration
	preauth  time.Duration
	refuse   bool // AcceptBypass = false
	names    authapi.Names
	attempt  time.Duration
}

func alice(change ...func(*duosim.User)) duosim.User {
	u := duosim.User{Name: "alice", Devices: []duosim.Device{duosim.Phone("Pixel 5", "+15555550123")}, Passcodes: []string{"123456", "7654321", "987654321"}}
	for _, c := range change {
		c(&u)
	}
	return u
}

func newSetup(t *testing.T, o options) *setup {
	t.Helper()
	if o.sim.Users == nil {
		o.sim.Users = []duosim.User{alice()}
	}
	s := &setup{t: t, sim: duosim.Start(t, o.sim), log: &lockedBuffer{}, clock: &clock{now: factordtest.Start}}
	client, err := authapi.New(authapi.Config{Ikey: s.sim.IKey(), Skey: factor.Secret(s.sim.SKey()), Host: s.sim.Host(), CAFile: s.sim.CAFile(),
		Deadline: o.deadline, PreauthTimeout: o.preauth})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	s.duo = duo.New(duo.Config{Client: client, Host: "web1", AcceptBypass: !o.refuse, Names: o.names, Now: s.clock.Now})
	s.Daemon = factordtest.NewDaemon(t, factordtest.Options{Config: duoTable + anyRule + o.rule, Factors: []factor.Factor{s.duo}, Log: s.log, AttemptTime: o.attempt})
	return s
}

// pass lets time go by, for the daemon and the limits.
func (s *setup) pass(d time.Duration) {
	s.Daemon.Clock.Add(d)
	s.clock.mu.Lock()
	s.clock.now = s.clock.now.Add(d)
	s.clock.mu.Unlock()
}

// person answers questions, and does something when a text comes.
type person struct {
	factordtest.Talk
	hears func(text string) // before it answers
}

func (p *person) Info(text string) { p.Talk.Info(text); p.hears(text) }

func (p *person) Ask(kind, text string) ([]byte, wire.Reply) {
	if kind != wire.AuthInfo {
		p.hears(text)
	}
	return p.Talk.Ask(kind, text)
}

var first = wire.Auth{User: "alice", Service: "sshd", RHost: "203.0.113.7", First: true, Conv: wire.ConvPrompt, Command: "id -u"}

// does logs in as a says; on is a text upon which do is done.
func (s *setup) does(a wire.Auth, on string, do func(), answers ...string) (wire.Verdict, string) {
	s.t.Helper()
	p := &person{Talk: factordtest.Talk{Answers: answers}, hears: func(text string) {
		if do != nil && strings.Contains(text, on) {
			do()
		}
	}}
	v, err := factordtest.Converse(s.Socket, -1, a, p)
	if err != nil {
		s.t.Fatal(err)
	}
	return v, strings.Join(p.Shown, "|")
}

// must is what is done at the simulator.
func (s *setup) must(do func(string) error) func() {
	return func() {
		s.t.Helper()
		if err := do("alice"); err != nil {
			s.t.Error(err)
		}
	}
}

func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

const list = "1  push to Pixel 5 (XXX-XXX-0123)|2  call Pixel 5 (XXX-XXX-0123)|3  passcodes by SMS to Pixel 5 (XXX-XXX-0123)|"

// TestLogin is what a person sees, and what comes of what they do.
func TestLogin(t *testing.T) {
	for name, c := range map[string]struct {
		o       options
		auth    func(*wire.Auth)
		answers []string
		on      string
		do      func(*setup) func()
		want    wire.Reason // ReasonNone: allowed
		basis   wire.Basis
		text    string // of the verdict
		shown   string
	}{
		"push": {answers: []string{""}, on: "Push sent", do: func(s *setup) func() { return s.must(s.sim.Approve) }, basis: wire.BasisFactor,
			shown: list + "Passcode, or Enter for a push: |Push sent to Pixel 5 (XXX-XXX-0123): approve it"},
		"call": {answers: []string{"2"}, on: "Calling", do: func(s *setup) func() { return s.must(s.sim.Approve) }, basis: wire.BasisFactor,
			shown: list + "Passcode, or Enter for a push: |Calling Pixel 5 (XXX-XXX-0123): answer and press a key"},
		"push where text shows with a prompt": {auth: func(a *wire.Auth) { a.Conv = wire.ConvFlush }, answers: []string{"", ""}, on: "Push sent",
			do: func(s *setup) func() { return s.must(s.sim.Approve) }, basis: wire.BasisFactor,
			shown: list + "Passcode, or Enter for a push: |Push sent to Pixel 5 (XXX-XXX-0123): approve it, then press Enter: "},
		"push where nobody can type": {auth: func(a *wire.Auth) { a.Conv = wire.ConvInfo }, on: "Push sent",
			do: func(s *setup) func() { return s.must(s.sim.Approve) }, basis: wire.BasisFactor,
			shown: "Push sent to Pixel 5 (XXX-XXX-0123): approve it"},
		"passcode":          {answers: []string{"123 456"}, basis: wire.BasisFactor},
		"long passcode":     {answers: []string{"987654321"}, basis: wire.BasisFactor},
		"wrong, then right": {answers: []string{"111111", "123456"}, basis: wire.BasisFactor, shown: list + "Passcode, or Enter for a push: |wrong code|Passcode, or Enter for a push: "},
		"denied":            {answers: []string{""}, on: "Push sent", do: func(s *setup) func() { return s.must(s.sim.Deny) }, want: wire.ReasonPushDenied, text: "the push was denied"},
		"fraud": {answers: []string{""}, on: "Push sent", do: func(s *setup) func() { return s.must(s.sim.Fraud) }, want: wire.ReasonPushDenied,
			text: "the push was denied and reported: no more are sent until your administrator unlocks them (factorctl unlock alice)"},
		"discreet push": {auth: func(a *wire.Auth) { a.First = false }, answers: []string{""}, on: "Push sent", do: func(s *setup) func() { return s.must(s.sim.Approve) }, basis: wire.BasisFactor,
			shown: "Passcode: |Push sent to your phone: approve it"},
		"discreet passcode": {auth: func(a *wire.Auth) { a.First = false }, answers: []string{"123456"}, basis: wire.BasisFactor, shown: "Passcode: "},
		"waived": {o: options{sim: duosim.Config{Users: []duosim.User{alice(func(u *duosim.User) { u.Status = duosim.Bypass })}}}, basis: wire.BasisFactor,
			shown: "Duo asks for no second factor: Account is in bypass"},
		"not let in": {o: options{sim: duosim.Config{Users: []duosim.User{alice(func(u *duosim.User) { u.Status = duosim.Disabled })}}}, want: wire.ReasonDenied,
			text: "Duo does not let you in: Your account is disabled; ask your administrator"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSetup(t, c.o)
			a := first
			if c.auth != nil {
				c.auth(&a)
			}
			var do func()
			if c.do != nil {
				do = c.do(s)
			}
			v, shown := s.does(a, c.on, do, c.answers...)
			if v.Allow != (c.want == wire.ReasonNone) || !v.Allow && v.Reason != c.want || v.Basis != c.basis || c.text != "" && v.Text != c.text {
				t.Errorf("%+v\n%s", v, s.log)
			}
			if c.shown != "" && shown != c.shown {
				t.Errorf("shown %q\nwant  %q", shown, c.shown)
			}
		})
	}
}
