package yubico_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/factordtest/yksim"
	"github.com/factord/factord/daemon/wire"
)

const doubt = "wrong code: is it your YubiKey?"

// hears is what comes of these answers, from the first to the verdict.
func hears(t *testing.T, d *factordtest.Daemon, a wire.Auth, answers ...string) string {
	t.Helper()
	p := &factordtest.Talk{Answers: answers}
	v, err := factordtest.Login(d.Socket, -1, a, p)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(strings.Join(p.Shown, "|"), " ", v.Reason, " ", v.Text)
}

// Who has just touched a key is not told to touch a key. Who must not learn who has
// one hears the same of everybody: who has none, another, or is nobody.
func TestTouchOfAnotherKey(t *testing.T) {
	d := newDaemon(t, nil)
	alices, strange := yksim.NewKey(alicesID), yksim.NewKey(bobsID)
	if _, err := enrol(d, "alice", alices); err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"alice", "bob"} {
		d.MustEnroll(user, "totp")
		d.MustEnroll(user, "backup")
	}
	touches := func() []string { return []string{strange.Touch(), strange.Touch(), strange.Touch()} }
	if got := hears(t, d, proven, touches()...); strings.Count(got, "|"+doubt+"|") != 2 ||
		!strings.HasSuffix(got, " attempts too many wrong answers: is it your YubiKey?") || strings.Contains(got, "works too") {
		t.Errorf("alice, proven: %q", got)
	}
	bob := proven
	bob.User = "bob"
	if got := hears(t, d, bob, touches()...); strings.Contains(got, "is it your YubiKey?") {
		t.Errorf("bob, who has none, proven: %q", got)
	}
	heard := map[string]string{}
	for _, user := range []string{"alice", "bob", "nobody-at-all"} {
		a := sudo
		a.User = user
		heard[user] = hears(t, d, a, touches()...)
		if strings.Count(heard[user], "|"+doubt+"|") != 2 || heard[user] != heard["alice"] {
			t.Errorf("%s, unproven: %q, and alice %q", user, heard[user], heard["alice"])
		}
	}
	d.Configure("[[rule]]\nfactors = [\"totp\"]\n")
	if got := hears(t, d, sudo, touches()...); strings.Contains(got, "YubiKey") {
		t.Errorf("where the rule takes none: %q", got)
	}
}
