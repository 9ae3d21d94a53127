package pam_test

import (
	"sync"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/store"
	"github.com/factord/factord/daemon/wire"
)

const home, elsewhere = "203.0.113.7", "198.51.100.1"

// waits are what DESIGN.md says of the n-th failure in a row.
var waits = map[int]time.Duration{
	6: 2 * time.Second, 7: 4 * time.Second, 8: 8 * time.Second, 9: 16 * time.Second, 10: 32 * time.Second, 11: 64 * time.Second,
	12: 128 * time.Second, 13: 256 * time.Second, 14: 5 * time.Minute, 15: 5 * time.Minute, 16: 5 * time.Minute, 17: 5 * time.Minute,
	18: 5 * time.Minute, 19: 5 * time.Minute, 20: 15 * time.Minute,
}

func aliceFrom(rhost string) wire.Auth {
	return wire.Auth{User: "alice", Service: "sshd", RHost: rhost}
}

// guess opens n attempts over two services, gives all of them a wrong code as
// soon as the last is open, and returns how often each reason came.
func guess(t *testing.T, d *factordtest.Daemon, n int) map[wire.Reason]int {
	t.Helper()
	var all sync.WaitGroup
	var mu sync.Mutex
	reasons, start := map[wire.Reason]int{}, make(chan struct{})
	for i := range n {
		c := dial(t, d.Socket, -1)
		a := aliceFrom(home)
		a.Service = []string{"sshd", "sudo"}[i%2]
		c.auth(a)
		all.Go(func() {
			defer c.conn.Close()
			<-start
			c.conn.Write([]byte("D 000000\nEND\n"))
			v, err := c.tryVerdict()
			mu.Lock()
			defer mu.Unlock()
			reasons[v.Reason]++
			if err != nil || v.Allow {
				t.Errorf("%+v, %v", v, err)
			}
		})
	}
	close(start)
	all.Wait()
	return reasons
}

// counted is how many answers of alice have been checked, by the audit ring.
func counted(t *testing.T, d *factordtest.Daemon) (n int) {
	t.Helper()
	err := d.Store.View(func(tx *store.Tx) error {
		return tx.Events(0, func(e store.Event) error {
			if e.Kind == "answer" {
				n++
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A thousand wrong codes count exactly, however many attempts were open already;
// each wait is as long as it is written; a restart keeps it and unlock ends it.
func TestGuessing(t *testing.T) {
	t.Parallel()
	factordtest.NeedRoot(t) // to enrol
	d := factordtest.NewDaemon(t, factordtest.Options{})
	tok := d.MustEnroll("alice", "totp")
	backup := d.MustEnroll("alice", "backup").Codes
	const first, wave = 300, 50 // 300 + 14*50 = 1000
	if got := guess(t, d, first); got[wire.ReasonDenied] != 6 || got[wire.ReasonRateLimited] != first-6 {
		t.Errorf("at once: %v", got)
	}
	right := func() string { return factordtest.TOTP(t, tok, d.Clock.Now()) }
	for n := 6; n < 20; n++ {
		d.Clock.Add(waits[n] - time.Millisecond)
		if v := d.Login(aliceFrom(home), right()); v.Allow || v.Reason != wire.ReasonRateLimited {
			t.Errorf("after %d failures the wait is shorter than %v: %+v", n, waits[n], v)
		}
		d.Clock.Add(time.Millisecond)
		over := wire.ReasonRateLimited
		if n == 19 {
			over = wire.ReasonLocked
		}
		if got := guess(t, d, wave); got[wire.ReasonDenied] != 1 || got[over] != wave-1 {
			t.Errorf("failure %d, %v after the one before: %v", n+1, waits[n], got)
		}
	}
	if n := counted(t, d); n != 20 {
		t.Errorf("%d answers were checked, want 20", n)
	}
	d.Clock.Add(waits[20] - time.Second)
	locked := func(when string) {
		t.Helper()
		if v := d.Login(aliceFrom(home), right()); v.Allow || v.Reason != wire.ReasonLocked {
			t.Errorf("%s: %+v", when, v)
		}
	}
	locked("just before 15 minutes are over")
	d.Stop()
	d.Run()
	locked("after a restart")
	d.MustCall("UNLOCK user=alice")
	if v := d.Login(aliceFrom(home), right()); !v.Allow { // refused above without being spent
		t.Errorf("after unlock: %+v", v)
	}
	guess(t, d, 6)
	if v := d.Login(aliceFrom(home), backup[0]); !v.Allow {
		t.Errorf("a backup code while the others wait: %+v", v)
	}
}

// flood gives wrong codes, as soon as one is taken, until the source is locked.
func flood(d *factordtest.Daemon, uid int, a wire.Auth) {
	for range 20 {
		d.Clock.Add(waits[19])
		d.LoginAs(uid, a, "000000")
	}
}

// A flood from elsewhere locks out where it comes from, and not alice.
func TestFlood(t *testing.T) {
	t.Parallel()
	factordtest.NeedRoot(t) // becomes other uids
	d := factordtest.NewDaemon(t, factordtest.Options{})
	alice, bob := d.MustEnroll("alice", "totp"), d.MustEnroll("bob", "totp")
	const aliceUID, bobUID = 1001, 1002 // of factordtest.NewUsers
	login := func(when string, uid int, a wire.Auth, tok factordtest.Token, want wire.Reason) {
		t.Helper()
		d.Clock.Add(period)
		v := d.LoginAs(uid, a, factordtest.TOTP(t, tok, d.Clock.Now()))
		if v.Allow != (want == wire.ReasonNone) || !v.Allow && v.Reason != want {
			t.Errorf("%s: %+v, want %v", when, v, want)
		}
	}
	const root, in = -1, wire.ReasonNone

	for range 300 {
		if v := d.LoginAs(bobUID, aliceFrom(home), "000000"); v.Allow || v.Reason != wire.ReasonNotPermitted {
			t.Fatalf("%+v", v)
		}
	}
	login("after another uid's flood", root, aliceFrom(home), alice, in)
	own := wire.Auth{Service: "screen"}
	flood(d, bobUID, own)
	login("who floods about himself", bobUID, own, bob, wire.ReasonLocked)
	login("after another uid's flood about itself", root, aliceFrom(home), alice, in)
	flood(d, aliceUID, own)
	login("a program of alice's own", aliceUID, own, alice, wire.ReasonLocked)
	login("after a flood by a program of alice's own", root, aliceFrom(home), alice, in)

	for _, from := range []string{elsewhere, "2001:db8:0:1::1", "", "not an address"} {
		flood(d, root, aliceFrom(from))
		login("the source of the flood, "+from, root, aliceFrom(from), alice, wire.ReasonLocked)
		if from == "2001:db8:0:1::1" {
			login("of the same network", root, aliceFrom("2001:db8:0:1:ffff::2"), alice, wire.ReasonLocked)
			login("of the next network", root, aliceFrom("2001:db8:0:2::1"), alice, in)
		}
		login("after a flood from "+from, root, aliceFrom(home), alice, in)
	}
}
