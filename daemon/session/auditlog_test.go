package session_test

import (
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
)

// What AUDIT is not asked for rightly, it does not answer; and who has seen more
// records than there are is told so.
func TestAuditRefuses(t *testing.T) {
	d := newDaemon(t, "")
	d.MustCall("UNLOCK user=alice")
	for command, want := range map[string]string{
		"AUDIT verdict=maybe":        "verdict is allow, deny or wrong",
		"AUDIT since=yesterday":      "since is no time",
		"AUDIT last=-1":              "last is not a number",
		"AUDIT from=x":               "from is not a number",
		"AUDIT follow=yes":           "malformed key",
		"AUDIT refusals=0":           "malformed key",
		"AUDIT colour=red":           `unknown key "colour"`,
		"AUDIT from=3 follow=1":      "has been set back",
		"AUDIT from=99":              "has been set back",
		"AUDIT since=2026-01-31":     "since is no time",
		"AUDIT from=1 last=1 user=x": "",
		"AUDIT from=2 follow=1":      "",
	} {
		_, err := factordtest.Call(d.Socket, -1, command)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", command, err)
		}
	}
	got := d.MustCall("AUDIT from=2 follow=1")
	hash, ok := strings.CutPrefix(got, `{"hash":"`)
	hash, next, _ := strings.Cut(hash, `"`)
	if !ok || next != `,"next":2}` || len(hash) != 64 {
		t.Errorf("nothing new: %s", got)
	}
	// Who has seen another record 1, or more of them, and no restore has been.
	if again := d.MustCall("AUDIT from=2 follow=1 after=" + hash); again != got {
		t.Errorf("nothing new again: %s", again)
	}
	for _, command := range []string{"AUDIT from=2 follow=1 after=" + hash[1:], "AUDIT from=9 follow=1 after=" + hash} {
		if _, err := factordtest.Call(d.Socket, -1, command); err == nil || !strings.Contains(err.Error(), "the audit chain was replaced") {
			t.Errorf("%s: %v", command, err)
		}
	}
	if _, err := factordtest.Call(d.Socket, 1000, "AUDIT"); err == nil {
		t.Error("anybody may read the log")
	}
}

// A login has records of its answers that were wrong, which are found as they are
// shown, and its second phase is told from its first.
func TestAuditTellsRecordsApart(t *testing.T) {
	d := newDaemon(t, "[[rule]]\nservices=[\"sshd\"]\nmode=\"exempt\"\n[[rule]]\nfactors=[\"totp\"]\n")
	tok := d.MustEnroll("alice", "totp")
	expect(t, d.Login(sudo, "000000", factordtest.TOTP(t, tok, d.Clock.Now())), "allow factor totp")
	if got := d.MustCall("AUDIT verdict=wrong"); strings.Count(got, "\n") != 0 || field(got, "kind") != "answer" {
		t.Errorf("%q", got)
	}
	for phase, want := range map[wire.Phase]string{wire.PhaseAuth: "", wire.PhaseAccount: "account"} {
		a := remote
		a.Phase = phase
		expect(t, d.Login(a), "allow exempt")
		if got := field(d.MustCall("AUDIT last=1"), "phase"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
