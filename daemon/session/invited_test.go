package session_test

import (
	"strings"
	"testing"
	"time"
)

// An invitation opens what a tombstone or the date has closed, once.
func TestStartWithInvitation(t *testing.T) {
	past := starting + "enroll_until = \"2033-05-01\"\n"
	for name, config := range map[string]string{"tombstone": starting, "date": past} {
		t.Run(name, func(t *testing.T) {
			d := newDaemon(t, config)
			if name == "tombstone" {
				d.MustEnroll("alice", "totp")
				d.MustCall("REMOVE user=alice id=totp-1")
			}
			expect(t, diligent(t, d).login(t, proven), "deny not-enrolled")
			code := field(d.MustCall("INVITE user=alice"), "code")
			if got := field(d.MustCall("EXPLAIN user=alice service=sshd"), "outcome"); got != "asked to set up totp in this login, with the code of the invitation" {
				t.Error(got)
			}
			n := giving(d, "QQQQ-QQQQ-QQQQ")
			expect(t, n.login(t, proven), "deny denied")
			if strings.Contains(strings.Join(n.shown, ""), "Secret: ") {
				t.Errorf("a secret is shown to who has no invitation: %q", n.shown)
			}
			expect(t, giving(d, "").login(t, proven), "deny denied")
			expect(t, giving(d).login(t, proven), "deny not-enrolled")
			expect(t, giving(d, code, "000000").login(t, proven), "deny not-enrolled") // not spent by that
			invited := func(inner func(string, string) (string, bool)) func(string, string) (string, bool) {
				return func(question, secret string) (string, bool) {
					if question == "Invitation code: " {
						return " " + code + " ", true
					}
					return inner(question, secret)
				}
			}
			n = diligent(t, d)
			n.answer = invited(n.answer)
			expect(t, n.login(t, proven), "allow factor totp")
			if got := strings.Count(strings.Join(n.shown, "\n"), "You have no second factor"); got != 1 {
				t.Errorf("told %d times: %q", got, n.shown)
			}
			if got := history(t, d); got[len(got)-1] != "verdict allow factor totp totp-1 enrolled in this login, with an invitation" {
				t.Errorf("%q", got)
			}
			d.MustCall("REMOVE user=alice id=totp-1")
			d.MustCall("REMOVE user=alice id=backup-1")
			n = diligent(t, d)
			n.answer = invited(n.answer)
			expect(t, n.login(t, proven), "deny not-enrolled") // it was spent
		})
	}
	d := newDaemon(t, past+"mode = \"enrolled\"\n")
	d.MustCall("INVITE user=alice")
	expect(t, giving(d, "").login(t, proven), "allow not-enrolled")
	d.Clock.Add(25 * time.Hour) // it holds for a day
	d.Configure(past)
	expect(t, giving(d, "").login(t, proven), "deny not-enrolled")
	// Of an invitation that root makes anew meanwhile the first is spent all the same, or neither.
	d = newDaemon(t, past)
	code := field(d.MustCall("INVITE user=alice"), "code")
	n := &newcomer{d: d}
	n.answer = func(question, _ string) (string, bool) {
		if question == "Invitation code: " {
			return code, true
		}
		d.MustCall("INVITE user=alice")
		return n.code(t), true
	}
	expect(t, n.login(t, proven), "deny denied")
}
