package pam_test

import (
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
	"github.com/factord/factord/pam/pamtest"
)

// failures is how many wrong codes in a row lock a person's source, and pause is
// longer than any wait before that.
const (
	failures = 20
	pause    = 5*time.Minute + time.Second
)

// A locked person's codes are refused, right ones too; a backup code lets in, and so
// does root's unlock. The waits in between are the daemon's clock's.
func TestModuleLocked(t *testing.T) {
	forEachProgram(t, func(t *testing.T, program string) {
		d := factordtest.NewDaemon(t, factordtest.Options{})
		who := pamtest.NewAccount(t, "Correct-horse-7")
		d.Users.Set(who.Name, uint32(who.UID))
		token, backup := d.MustEnroll(who.Name, "totp"), d.MustEnroll(who.Name, "backup").Codes
		s := sit(t, program, d.Socket, who, launch{})
		lock := func() {
			source := wire.Auth{User: who.Name, Service: "other", RHost: s.from.RHost, RUser: s.from.RUser}
			uid := -1
			if program == "locker" {
				uid = who.UID
			}
			for range failures {
				if v := d.LoginAs(uid, source, "000000"); v.Allow || v.Reason == wire.ReasonLocked {
					t.Fatalf("not locked yet, and %+v", v)
				}
				d.Clock.Add(pause)
			}
			d.Clock.Add(-pause + time.Second)
			if v := d.LoginAs(uid, source, factordtest.TOTP(t, token, d.Clock.Now())); v.Reason != wire.ReasonLocked {
				t.Fatalf("%+v", v)
			}
		}
		login := func(name, code string, how end) {
			t.Helper()
			x := s.begin()
			x.Expect(s.question)
			x.Type(code + "\r")
			s.ends(name, x, how)
		}
		lock()
		login("a right code", factordtest.TOTP(t, token, d.Clock.Now()), spent)
		login("a backup code", backup[0], letIn)
		lock()
		d.MustCall(wire.Command(wire.VerbUnlock, "user", who.Name))
		login("unlocked", factordtest.TOTP(t, token, d.Clock.Now()), letIn)
	})
}
