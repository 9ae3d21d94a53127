package session_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/policy"
	"github.com/factord/factord/daemon/session"
	"github.com/factord/factord/daemon/wire"
	"github.com/factord/factord/daemon/wire/agent"
)

// at returns where everybody is.
func at(p session.Place) factordtest.Places {
	return func(uint32) (session.Place, error) { return p, nil }
}

// Only who sits here is offered a key that is here; others need not be looked for, and
// explain says why.
func TestOnlyHere(t *testing.T) {
	away := errors.New("no such session")
	for name, c := range map[string]struct {
		places factordtest.Places
		auth   wire.Auth
		local  bool
		why    string
		text   string // usual if empty
	}{
		"at the seat":   {places: atSeat, local: true},
		"elsewhere":     {places: func(uint32) (session.Place, error) { return session.Place{Local: policy.No}, nil }, why: "not at this machine's own seat"},
		"nothing known": {places: func(uint32) (session.Place, error) { return session.Place{}, nil }, why: "where the session is, is unknown"},
		"an error":      {places: func(uint32) (session.Place, error) { return session.Place{Local: policy.Yes}, away }, why: "where the session is, is unknown: no such session"},
		"elsewhere, too": {places: at(session.Place{Session: "1", Owner: 1001, Local: policy.Yes, Elsewhere: "7"}), why: "alice is also logged in from elsewhere (session 7)",
			text: "your key works only while you are logged in nowhere else: end session 7 (loginctl terminate-session 7), and try again"},
		"perhaps elsewhere": {places: at(session.Place{Owner: 1001, Elsewhere: "7"}), why: "alice is also logged in from elsewhere (session 7)",
			text: "your key works only while you are logged in nowhere else: end session 7 (loginctl terminate-session 7), and try again"},
		"too many sessions": {places: at(session.Place{Session: "1", Owner: 1001, Local: policy.Yes}), why: "alice has too many sessions to know where they are"},
		"bob's session": {places: at(session.Place{Session: "1", Owner: 1002, Local: policy.Yes, Alone: true}), why: "the session at the seat is that of uid 1002, and not of alice",
			text: "your key works only in a session in which you have logged in yourself, at this machine"},
		"root's session": {places: at(session.Place{Session: "1", Owner: 0, Local: policy.Yes, Alone: true}), why: "the session at the seat is that of uid 0, and not of alice",
			text: "your key works only in a session in which you have logged in yourself, at this machine"},
		"bob's, who is elsewhere, too": {places: at(session.Place{Session: "1", Owner: 1002, Local: policy.Yes, Elsewhere: "7"}), why: "the session at the seat is that of uid 1002, and not of alice",
			text: "your key works only in a session in which you have logged in yourself, at this machine"},
		"bob's session over ssh": {places: at(session.Place{Session: "1", Owner: 1002, Local: policy.No}), why: "not at this machine's own seat"},
		"root names a rhost":     {places: atSeat, auth: wire.Auth{RHost: "::1"}, why: "not at this machine's own seat"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlugged()
			d := seated(t, p, c.places)
			c.auth.User, c.auth.Service, c.auth.First = "alice", "sudo", true
			p.answer <- factor.Proven
			v := d.Login(c.auth)
			expect(t, v, map[bool]string{true: "allow factor touch", false: "deny denied"}[c.local])
			if !c.local && v.Text != cmp.Or(c.text, "your key works only here") {
				t.Errorf("text %q", v.Text)
			}
			if refusals := d.MustCall("AUDIT refusals=1"); !c.local && !strings.Contains(refusals, c.why) {
				t.Errorf("refusals: %s", refusals)
			}
			if !c.local && len(p.asked) > 0 {
				t.Error("the key was asked")
			}
			explained := d.MustCall(wire.Command("EXPLAIN", "user", "alice", "service", "sudo", "rhost", c.auth.RHost))
			if want := `"missing":{"touch":"` + c.why + `"}`; c.local == strings.Contains(explained, `"missing"`) || !c.local && !strings.Contains(explained, want) {
				t.Errorf("%s, want %s", explained, want)
			}
			tok := d.MustEnroll("alice", "totp") // then nobody need be told
			k := &factordtest.Talk{Answers: []string{factordtest.TOTP(t, tok, d.Clock.Now())}}
			v, err := factordtest.Login(d.Socket, -1, c.auth, k)
			if err != nil || !v.Allow || strings.Contains(strings.Join(k.Shown, "|"), "works only") {
				t.Errorf("%+v, %v, shown %q", v, err, k.Shown)
			}
		})
	}
}

// Under subject = "caller" it is the caller who is asked, in a session of their own; else
// who runs su has no key but that of somebody who is not there.
func TestKeyOfWhoRunsSu(t *testing.T) {
	p := newPlugged()
	d := seated(t, p, atSeat)
	d.MustEnroll("bob", "touch")
	d.Configure("[[rule]]\nservices=[\"su\"]\nsubject=\"caller\"\nfactors=[\"touch\"]\n[[rule]]\nfactors=[\"touch\"]\n")
	su := wire.Auth{User: "bob", Service: "su", RUser: "alice", First: true}
	p.answer <- factor.Proven
	expect(t, d.Login(su), "allow factor touch")
	su.RUser = "bob" // who has come by su before
	expect(t, d.Login(su), "deny denied")
	su.Service, su.RUser = "runuser", "alice"
	expect(t, d.Login(su), "deny denied")
	if len(p.asked) != 1 {
		t.Errorf("keys were asked %d times", len(p.asked))
	}
}

// A name that is nobody's has no seat, also not root's.
func TestNobodysKey(t *testing.T) {
	p := newPlugged()
	d := seated(t, p, at(session.Place{Session: "1", Local: policy.Yes, Alone: true}))
	if v := d.Login(wire.Auth{User: "nobody-of-that-name", Service: "sudo", First: true}); v.Allow || len(p.asked) > 0 {
		t.Errorf("%+v", v)
	}
}

// A key is set up, and keys are looked at, by who sits here, and by nobody who may be
// elsewhere, too.
func TestSetUpOnlyHere(t *testing.T) {
	needRoot(t)
	seat := session.Place{Session: "1", Owner: 1001, Local: policy.Yes, Alone: true}
	d := factordtest.NewDaemon(t, factordtest.Options{Config: phoneRule, Factors: []factor.Factor{newPlugged()},
		Places:  factordtest.Places(func(uint32) (session.Place, error) { return seat, nil }),
		Plugged: func(context.Context, string) (agent.KeysReply, error) { return agent.KeysReply{}, nil }})
	for _, change := range []struct {
		hint string // none: not refused
		to   func(*session.Place)
	}{
		{"", func(*session.Place) {}},
		{"end session 7", func(p *session.Place) { p.Alone, p.Elsewhere = false, "7" }},
		{"in which you have logged in yourself", func(p *session.Place) { p.Owner = 1002 }},
		{"log in at the machine itself", func(p *session.Place) { p.Local = policy.No }},
		{"log in at the machine itself", func(p *session.Place) { p.Alone = false }},
	} {
		before := seat
		change.to(&seat)
		for verb, refusal := range map[string]string{"ENROLL factor=touch": "only at this machine's own seat", "KEYS": "only who sits at this machine"} {
			_, err := factordtest.Call(d.Socket, 1001, verb, "")
			text := fmt.Sprint(err)
			if strings.Contains(text, refusal) != (change.hint != "") || !strings.Contains(text, change.hint) {
				t.Errorf("%s: %v; want %q", verb, err, change.hint)
			}
		}
		seat = before
	}
}

// Where no rule takes a key, nobody asks where a client of root's is.
func TestPlaceIsLookedUpForKeysOnly(t *testing.T) {
	asked := 0
	p := newPlugged()
	d := seated(t, p, func(uint32) (session.Place, error) { asked++; return session.Place{}, nil })
	d.Configure("[[rule]]\nservices=[\"su\"]\nfactors=[\"touch\"]\n[[rule]]\nfactors=[\"totp\"]\n")
	d.Login(proven)
	if asked != 0 {
		t.Errorf("asked %d times for a rule without", asked)
	}
	d.Login(wire.Auth{User: "alice", Service: "su", First: true})
	if asked != 1 {
		t.Errorf("asked %d times for a rule with one", asked)
	}
}
