package session_test

import (
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
)

// texts is what a login shows, its verdict's own text last.
func texts(t *testing.T, d *factordtest.Daemon, a wire.Auth, answers ...string) (wire.Verdict, string) {
	t.Helper()
	p := &factordtest.Talk{Answers: answers}
	v, err := factordtest.Login(d.Socket, -1, a, p)
	if err != nil {
		t.Fatal(err)
	}
	return v, strings.Join(append(p.Shown, v.Text), "\n")
}

// A bypass code that was used is told from a wrong one, to whoever has proven a
// first factor.
func TestUsedBypassCode(t *testing.T) {
	d := newDaemon(t, "")
	d.MustEnroll("alice", "backup")
	code := field(d.MustCall("BYPASS user=alice"), "code")
	expect(t, d.Login(proven, code), "allow factor bypass")
	v, shown := texts(t, d, proven, code)
	expect(t, v, "deny replayed")
	if !strings.Contains(shown, "this code was used already: use another one") {
		t.Errorf("%q", shown)
	}
	v, shown = texts(t, d, sudo, code)
	expect(t, v, "deny denied")
	if strings.Contains(shown, "used") {
		t.Errorf("%q", shown)
	}
	expect(t, d.Login(proven, "QQQQ-QQQQ-QQQQ"), "deny denied")
	d.Configure("[[rule]]\nfactors=[\"backup\"]\nbypass=false\n")
	expect(t, d.Login(proven, code), "deny denied")
}

// The last answer of an attempt says that it was right once, like those before it.
func TestLastAnswerReplayed(t *testing.T) {
	d := newDaemon(t, "")
	tok := d.MustEnroll("alice", "totp")
	code := factordtest.TOTP(t, tok, d.Clock.Now())
	expect(t, d.Login(proven, code), "allow factor totp")
	d.Clock.Add(time.Second)
	v, _ := texts(t, d, proven, code, code, code)
	expect(t, v, "deny attempts")
	if v.Text != "too many wrong answers; this code was used already: wait for the next one" {
		t.Errorf("%q", v.Text)
	}
}
