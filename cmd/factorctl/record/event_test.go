package record

import (
	"strings"
	"testing"
)

func TestWhat(t *testing.T) {
	for _, test := range []struct {
		event Event
		want  string
	}{
		{Event{Kind: "verdict", User: "alice", Service: "sshd", RHost: "203.0.113.7", Verdict: "allow", Basis: "factor", Factor: "totp", ID: "totp-1", Rule: "#2", Micros: 2_130_400},
			"allow   alice       sshd      203.0.113.7      totp (totp-1)  rule #2  2.1304s"},
		{Event{Kind: "verdict", User: "alice", Service: "sudo", TTY: "/dev/pts/1", Verdict: "allow", Basis: "exempt", Rule: "my rule"},
			`allow   alice       sudo      /dev/pts/1       basis exempt  rule "my rule"`},
		{Event{Kind: "answer", User: "alice", Service: "sudo", Reason: "replayed", Factor: "totp", Log: "was spent"},
			"wrong   alice       sudo      -                totp  reason replayed  was spent"},
		{Event{Kind: "bypass", User: "alice", PeerUID: 0, Log: "valid for 1h0m0s"},
			"bypass  alice       -         by uid 0  valid for 1h0m0s"},
		{Event{Kind: "sent", User: "bob", Service: "sshd", RHost: "203.0.113.7", Factor: "duo", Log: "Duo: sent, by sms"},
			"sent    bob         sshd      203.0.113.7      duo  Duo: sent, by sms"},
		{Event{Kind: "enroll", User: "bob", Service: "sshd", RHost: "203.0.113.7", PeerUID: 0, Factor: "totp", ID: "totp-1", Log: "enrolled in this login"},
			"enroll  bob         sshd      203.0.113.7      totp (totp-1)  enrolled in this login"},
		{Event{Kind: "verdict", User: "bob", Service: "sshd", RHost: "203.0.113.7", Phase: "account", Verdict: "allow", Basis: "exempt"},
			"allow   bob         sshd      203.0.113.7      basis exempt  (account phase)"},
	} {
		if got := test.event.What(); got != test.want {
			t.Errorf("%q\n%q is wanted", got, test.want)
		}
	}
}

func TestWhatHidesControls(t *testing.T) {
	const bad = "a\x1b[2J\x07\u009b\u202e"
	e := Event{Kind: bad, User: bad, Service: bad, RHost: bad, TTY: bad, Verdict: bad, Basis: bad, Reason: bad, Rule: bad, Factor: bad, ID: bad, Log: bad}
	for _, e := range []Event{e, {Kind: bad, ID: bad}, {Kind: "verdict", TTY: bad, Basis: bad}, {Kind: "verdict", RHost: bad, Rule: "#" + bad}} {
		if s := e.String(); strings.ContainsAny(s, "\x1b\x07\u009b\u202e") {
			t.Errorf("%q", s)
		}
	}
}
