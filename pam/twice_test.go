package pam_test

import (
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
)

// counterCodes gives the person an HOTP token and returns codes from its counter
// 0 on. Of 8 digits, so that no two near each other are the same.
func (l *lab) counterCodes(n int) []string {
	l.t.Helper()
	tok := l.MustEnroll(l.who.Name, "hotp", "digits", "8")
	return oathtool(l.t, "--hotp", "-b", "-d", "8", "-c", "0", "-w", fmt.Sprint(n-1), tok.Secret())
}

// Two connections give the same code at the same instant, a thousand times: one
// of them is let in each time, and one is not.
func TestSameInstant(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{})
	const rounds = 1000
	reasons := map[wire.Reason]int{}
	for n, code := range l.counterCodes(rounds) {
		verdicts := l.race(code)
		if verdicts[0].Allow == verdicts[1].Allow {
			t.Fatalf("round %d: %+v", n, verdicts)
		}
		for _, v := range verdicts {
			if !v.Allow {
				reasons[v.Reason]++
			}
		}
	}
	if reasons[wire.ReasonReplayed] != rounds {
		t.Errorf("reasons: %v", reasons)
	}
}

// race gives one code on two connections that are both asked already.
func (l *lab) race(code string) (verdicts [2]wire.Verdict) {
	l.t.Helper()
	start := make(chan struct{})
	var both sync.WaitGroup
	for i, service := range []string{"sshd", "sudo"} {
		c := dial(l.t, l.Socket, -1)
		c.auth(l.auth(service))
		both.Go(func() {
			defer c.conn.Close()
			<-start
			io.WriteString(c.conn, "D "+code+"\nEND\n")
			var err error
			if verdicts[i], err = c.tryVerdict(); err != nil {
				l.t.Error(err)
			}
		})
	}
	close(start)
	both.Wait()
	return verdicts
}

// What was allowed was spent before: no kill -9 brings the code back.
func TestKillAfterAllow(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{})
	answers := append(l.counterCodes(8), l.MustEnroll(l.who.Name, "backup").Codes[:4]...)
	answers = append(answers, l.codes[:4]...)
	for _, answer := range answers {
		c := dial(t, l.Socket, -1)
		c.auth(l.auth("sudo"))
		c.answer(answer)
		v := c.verdict()
		l.Kill9()
		if !v.Allow {
			t.Fatalf("%q: %+v", answer, v)
		}
		l.Start()
		for range 2 {
			if v := l.Login(-1, l.auth("sshd"), answer); v.Allow {
				t.Errorf("%q is accepted again after kill -9: %+v", answer, v)
			}
		}
		l.MustCall("UNLOCK user=" + l.who.Name)
	}
	if records := l.audit(); len(records) < len(answers) {
		t.Errorf("%d audit records for %d logins", len(records), len(answers))
	}
}

// A clock that is set back brings no code back, ends no wait, and lets no code of
// the past in that was passed over.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	factordtest.NeedRoot(t) // to enrol
	d := factordtest.NewDaemon(t, factordtest.Options{})
	tok := d.MustEnroll("alice", "totp")
	alice := wire.Auth{User: "alice", Service: "sshd", RHost: "203.0.113.7"}
	var spent []string
	for range 4 {
		code := factordtest.TOTP(t, tok, d.Clock.Now())
		if v := d.Login(alice, code); !v.Allow {
			t.Fatalf("%+v", v)
		}
		spent = append(spent, code)
		d.Clock.Add(period)
	}
	for back := time.Duration(0); back < 10*time.Minute; back += period {
		d.Clock.Add(-period)
		for _, code := range spent {
			if v := d.Login(alice, code); v.Allow {
				t.Errorf("set back by %v: %+v", back+period, v)
			}
		}
		d.MustCall("UNLOCK user=alice")
		if back == 2*time.Minute {
			d.Stop()
			d.Run()
		}
	}

	d = factordtest.NewDaemon(t, factordtest.Options{})
	tok = d.MustEnroll("alice", "totp")
	for range 6 {
		d.Login(alice, "000000")
	}
	for _, move := range []time.Duration{-time.Hour, -24 * time.Hour, 24*time.Hour - time.Second} {
		d.Clock.Add(move)
		if v := d.Login(alice, factordtest.TOTP(t, tok, d.Clock.Now())); v.Allow || v.Reason != wire.ReasonRateLimited {
			t.Errorf("moved by %v, the wait is over: %+v", move, v)
		}
	}
}
