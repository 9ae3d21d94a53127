package session_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
)

// fail gives n wrong codes, each in an attempt of its own, and returns the last
// verdict.
func fail(t *testing.T, d *factordtest.Daemon, a wire.Auth, n int) (v wire.Verdict) {
	t.Helper()
	for range n {
		v = d.Login(a, "000000")
	}
	return v
}

func TestWaits(t *testing.T) {
	d := newDaemon(t, "")
	tok := d.MustEnroll("alice", "totp")
	expect(t, fail(t, d, remote, 6), "deny denied")
	wait := 2 * time.Second
	for n := 7; n <= 20; n++ {
		expect(t, d.Login(remote, "000000"), "deny rate-limited")
		d.Clock.Add(wait - time.Millisecond)
		expect(t, d.Login(remote, factordtest.TOTP(t, tok, d.Clock.Now())), "deny rate-limited") // right, but not looked at
		d.Clock.Add(time.Millisecond)
		expect(t, d.Login(remote, "000000"), "deny denied")
		wait = min(2*wait, 5*time.Minute)
	}
	expect(t, d.Login(remote, "000000"), "deny locked")
	d.Clock.Add(15*time.Minute - time.Second)
	expect(t, d.Login(remote, "000000"), "deny locked")
	d.Clock.Add(time.Second)
	expect(t, d.Login(remote, factordtest.TOTP(t, tok, d.Clock.Now())), "allow factor totp")
	expect(t, fail(t, d, remote, 6), "deny denied") // success has reset the row
}

func TestWaitLeavesOtherFactors(t *testing.T) {
	d := newDaemon(t, "")
	d.MustEnroll("alice", "totp")
	fail(t, d, sudo, 20)
	for range 20 {
		d.Clock.Add(16 * time.Minute)
		fail(t, d, sudo, 1)
	}
	locked := sudo
	locked.First = true
	p := &factordtest.Talk{}
	if v, err := factordtest.Login(d.Socket, -1, locked, p); err != nil || v.Reason != wire.ReasonLocked || len(p.Shown) > 0 {
		t.Errorf("who has nothing else is refused at once: %+v, %v, %q", v, err, p.Shown)
	}
	set := d.MustEnroll("alice", "backup")
	expect(t, d.Login(locked, "000000"), "deny locked")
	expect(t, d.Login(locked, set.Codes[0]), "allow factor backup")
}

func TestOnlyWrongAnswersCount(t *testing.T) {
	d := newDaemon(t, "")
	tok := d.MustEnroll("alice", "totp")
	for range 50 {
		expect(t, d.Login(sudo), "deny cancelled")
	}
	fail(t, d, sudo, 5)
	expect(t, d.Login(sudo, factordtest.TOTP(t, tok, d.Clock.Now())), "allow factor totp")
	code := factordtest.TOTP(t, tok, d.Clock.Now())
	for range 6 {
		expect(t, d.Login(sudo, code), "deny replayed")
	}
	expect(t, d.Login(sudo, code), "deny rate-limited")
	d.MustCall("UNLOCK user=alice")
	expect(t, d.Login(sudo, "000000"), "deny denied")
}

func TestSourcesHaveTheirOwnBudgets(t *testing.T) {
	d := newDaemon(t, "")
	tok := d.MustEnroll("alice", "totp")
	from := func(rhost string) wire.Auth { return wire.Auth{User: "alice", Service: "sshd", RHost: rhost} }
	next := func() string { d.Clock.Add(30 * time.Second); return factordtest.TOTP(t, tok, d.Clock.Now()) }
	fail(t, d, from("198.51.100.1"), 100)
	expect(t, d.Login(from("198.51.100.1"), next()), "allow factor totp") // 2 s have passed in those 30
	fail(t, d, from("198.51.100.1"), 20)
	for range 20 {
		d.Clock.Add(16 * time.Minute)
		fail(t, d, from("198.51.100.1"), 1)
	}
	expect(t, d.Login(from("198.51.100.1"), "000000"), "deny locked")
	expect(t, d.Login(from("::ffff:198.51.100.1"), "000000"), "deny locked") // the same host
	expect(t, d.Login(from("203.0.113.7"), next()), "allow factor totp")
	expect(t, d.Login(wire.Auth{User: "alice", Service: "sudo"}, next()), "allow factor totp")
	fail(t, d, from("2001:db8::1"), 7)
	expect(t, d.Login(from("2001:db8::ffff:1"), next()), "allow factor totp") // 30 s later
	fail(t, d, from("2001:db8::1"), 7)
	expect(t, d.Login(from("2001:db8::ffff:1"), "000000"), "deny rate-limited") // the same /64
	expect(t, d.Login(from("2001:db8:0:1::1"), "000000"), "deny denied")        // another
	for range 500 {                                                             // another uid can't even ask
		expect(t, d.LoginAs(1002, wire.Auth{User: "alice"}, "000000"), "deny not-permitted")
	}
	expect(t, d.LoginAs(1001, wire.Auth{User: "alice"}, next()), "allow factor totp")
	for range 20 { // bob's su is not alice's sudo
		fail(t, d, wire.Auth{User: "alice", Service: "su", RUser: "bob"}, 1)
	}
	expect(t, d.Login(wire.Auth{User: "alice", Service: "sudo", RUser: "alice"}, next()), "allow factor totp")
}

func TestCapOverAllSources(t *testing.T) {
	d := newDaemon(t, "")
	tok, set := d.MustEnroll("alice", "totp"), d.MustEnroll("alice", "backup")
	for i := range 100 {
		a := wire.Auth{User: "alice", Service: "sshd", RHost: "10.0." + string(rune('0'+i/10)) + "." + string(rune('0'+i%10))}
		expect(t, d.Login(a, "000000"), "deny denied")
	}
	fresh := wire.Auth{User: "alice", Service: "sshd", RHost: "10.1.1.1"}
	expect(t, d.Login(fresh, "000000"), "deny locked")
	expect(t, d.LoginAs(1001, wire.Auth{User: "alice"}, factordtest.TOTP(t, tok, d.Clock.Now())), "allow factor totp") // about themself
	for i := range 100 {
		a := wire.Auth{User: "alice", Service: "sshd", RHost: "10.2." + string(rune('0'+i/10)) + "." + string(rune('0'+i%10))}
		expect(t, d.Login(a, "000000"), "deny denied")
	}
	expect(t, d.Login(fresh, "000000"), "deny locked")
	expect(t, d.Login(fresh, set.Codes[0]), "allow factor backup")
}

// Attempts that are already open when the budget is spent are not extra tries.
func TestParallelGuessesCountExactly(t *testing.T) {
	d := newDaemon(t, "")
	d.MustEnroll("alice", "totp")
	var denied, limited, other atomic.Int32
	var wg sync.WaitGroup
	for i := range 1000 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			a := wire.Auth{User: "alice", Service: []string{"sudo", "sshd"}[i%2]}
			v, err := factordtest.Login(d.Socket, -1, a, &factordtest.Talk{Answers: []string{"000000"}})
			switch {
			case err == nil && v.Reason == wire.ReasonDenied:
				denied.Add(1)
			case err == nil && v.Reason == wire.ReasonRateLimited:
				limited.Add(1)
			default:
				other.Add(1)
				t.Logf("%+v %v", v, err)
			}
		}()
	}
	wg.Wait()
	if denied.Load() != 6 || limited.Load() != 994 {
		t.Errorf("%d codes were looked at, %d were not, %d others", denied.Load(), limited.Load(), other.Load())
	}
	d.Stop()
	d.Run()
	expect(t, d.Login(sudo, "000000"), "deny rate-limited") // a restart keeps it
	d.Clock.Add(-time.Hour)
	expect(t, d.Login(sudo, "000000"), "deny rate-limited") // and so does a clock set back
	d.MustCall("UNLOCK user=alice")
	expect(t, d.Login(sudo, "000000"), "deny denied")
}
