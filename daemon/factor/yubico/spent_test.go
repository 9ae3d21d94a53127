package yubico

import (
	"errors"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/record"
	"github.com/factord/factord/daemon/factor/yubico/ykval"
	"github.com/factord/factord/daemon/factordtest/yksim"
)

var uncounted = ykval.Answer{Outcome: ykval.Accepted}

// A server that forgets, and tells no counter, lets none of the last OTPs in again.
func TestTheLastOTPsAreRemembered(t *testing.T) {
	u, k, s := byServer(t)
	s.answer = uncounted
	var all []string
	for range maxSpent + 1 {
		all = append(all, k.Touch())
		u.want(all[len(all)-1], factor.Proven)
	}
	for _, otp := range all[1:] {
		u.want(otp, factor.Replayed)
	}
	if n := len(u.key("yubico-1").Last.sums()); n != maxSpent {
		t.Errorf("%d are remembered", n)
	}
}

// What a server with counters has taken, none without them takes again; and where the
// counter is known, a yes without one is not enough for any OTP.
func TestCountedKeyNeedsACounter(t *testing.T) {
	u, k, s := byServer(t)
	s.answer = counted(5, 1)
	otp := k.OTP(5, 1)
	u.want(otp, factor.Proven)
	s.answer = uncounted
	u.want(otp, factor.Replayed)
	held := k.OTP(4, 9) // typed before, somewhere else
	c, err := u.f.Verify(t.Context(), u.login(), factor.Secret(held))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Outside.Ask(t.Context()); !errors.Is(err, errUncounted) || !errors.Is(err, factor.ErrUnavailable) {
		t.Errorf("asking: %v", err)
	}
	u.want(held, factor.Lapsed)
	s.answer = counted(6, 0)
	u.want(k.OTP(6, 0), factor.Proven)
}

// The same if the counter became known while the server was asked.
func TestCounterMeanwhile(t *testing.T) {
	u, k, s := byServer(t)
	s.answer = uncounted
	c, err := u.f.Verify(t.Context(), u.login(), factor.Secret(k.OTP(4, 9)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Outside.Ask(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.answer = counted(5, 0)
	u.want(k.OTP(5, 0), factor.Proven)
	if found, err := c.Settle(u.rs); err != nil || found.Outcome != factor.Replayed {
		t.Errorf("%+v, %v", found, err)
	}
}

// What was sent to a server that decided nothing is spent. The next touch is not.
func TestSentIsSpent(t *testing.T) {
	for name, fail := range map[string]func(*fakeServers){
		"error":    func(s *fakeServers) { s.err = errors.New("out of order") },
		"consumed": func(s *fakeServers) { s.err = ykval.ErrConsumed },
	} {
		for _, yes := range []ykval.Answer{uncounted, counted(9, 9)} {
			u, k, s := byServer(t)
			fail(s)
			otp := k.Touch()
			c, err := u.f.Verify(t.Context(), u.login(), factor.Secret(otp))
			if err != nil {
				t.Fatal(err)
			}
			c.Outside.Ask(t.Context())
			if found, err := c.Settle(u.rs); err != nil || found.Outcome == factor.Wrong || found.Outcome == factor.Proven {
				t.Errorf("%s: %+v, %v", name, found, err)
			}
			s.answer, s.err = yes, nil
			u.want(strings.ToUpper(otp), factor.Replayed)
			u.want(k.Touch(), factor.Proven)
		}
	}
}

// Of two connections with one OTP the servers let one in, whichever settles first.
func TestOneOfTwoConnections(t *testing.T) {
	u, k, s := byServer(t)
	otp := k.OTP(5, 0)
	first, err := u.f.Verify(t.Context(), u.login(), factor.Secret(otp))
	if err != nil {
		t.Fatal(err)
	}
	s.answer = counted(5, 0)
	if _, err := first.Outside.Ask(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.answer = ykval.Answer{Outcome: ykval.Replayed}
	u.want(otp, factor.Replayed)
	if found, err := first.Settle(u.rs); err != nil || found.Outcome != factor.Proven {
		t.Errorf("%+v, %v", found, err)
	}
}

// An OTP that was sent nowhere can be typed again.
func TestNotSentIsNotSpent(t *testing.T) {
	u, k, s := byServer(t)
	otp := k.Touch()
	u.f = New(Config{})
	u.want(otp, factor.Lapsed)
	u.f = New(Config{Servers: s})
	c, err := u.f.Verify(t.Context(), u.login(), factor.Secret(otp))
	if err != nil {
		t.Fatal(err)
	}
	if found, err := c.Settle(u.rs); err != nil || found.Outcome != factor.Lapsed {
		t.Errorf("not asked: %+v, %v", found, err)
	}
	s.answer = uncounted
	u.want(otp, factor.Proven)
}

// A key that was removed while its OTP was on the way stays so.
func TestSentOfARemovedKey(t *testing.T) {
	u, k, s := byServer(t)
	s.err = errors.New("out of order")
	c, err := u.f.Verify(t.Context(), u.login(), factor.Secret(k.Touch()))
	if err != nil {
		t.Fatal(err)
	}
	c.Outside.Ask(t.Context())
	u.rs.Delete("yubico-1")
	if found, err := c.Settle(u.rs); err != nil || found.Outcome != factor.Lapsed || len(u.rs.Values) != 0 {
		t.Errorf("%+v, %v, %q", found, err, u.rs.Values)
	}
}

// Who types made-up OTPs, while servers are out of order or not, drives out none that
// was accepted, and the record does not grow with them.
func TestMadeUpOTPsDriveNoneOut(t *testing.T) {
	u, k, s := byServer(t)
	s.answer = uncounted
	otp := k.Touch()
	u.want(otp, factor.Proven)
	s.err = errors.New("out of order")
	for range 3 * maxSpent {
		u.want(yksim.NewKey(alicesID).Touch(), factor.Lapsed)
	}
	if n := len(u.rs.Values["yubico-1"]); n > 4096 {
		t.Errorf("the record has %d bytes", n)
	}
	sent := k.Touch()
	u.want(sent, factor.Lapsed)
	s.answer, s.err = ykval.Answer{}, nil
	for range 3 * maxSpent {
		u.want(yksim.NewKey(alicesID).Touch(), factor.Wrong)
	}
	s.answer = uncounted
	u.want(otp, factor.Replayed)
	u.want(sent, factor.Replayed)
}

func TestRestoredKeepsBoth(t *testing.T) {
	u, k, s := byServer(t)
	s.answer = uncounted
	before, accepted, sent := k.Touch(), k.Touch(), k.Touch()
	u.want(before, factor.Proven)
	backup := u.rs.Values["yubico-1"]
	u.want(accepted, factor.Proven)
	s.err = errors.New("out of order")
	u.want(sent, factor.Lapsed)
	present, _ := u.rs.List()
	u.rs.Put("yubico-1", backup)
	if err := u.f.Restored(u.rs, present, u.now); err != nil {
		t.Fatal(err)
	}
	s.err = nil
	for _, otp := range []string{before, accepted, sent} {
		u.want(otp, factor.Replayed)
	}
	u.want(k.Touch(), factor.Proven)
}

// Records from when one OTP was remembered are as they were; cut ones are damaged.
func TestRecordsOfSpent(t *testing.T) {
	const head = `{"v":1,"name":"x","created":"2026-01-01T00:00:00Z","public-id":"cbcb","next":0,`
	one := strings.Repeat("A", 43) + "="
	for value, whole := range map[string]bool{
		head + `"last":"` + one + `"}`: true,
		head + `"last":"AAAA"}`:        false,
		head + `"sent":"AAAA"}`:        false,
		head + `"sent":"` + strings.Repeat("A", (maxSpent+1)*32/3*4) + `"}`:      false,
		head + `"last":"` + strings.Repeat("A", 128) + `","sent":"` + one + `"}`: true,
	} {
		k, err := record.Decode[key](factor.Record{ID: "yubico-1", Value: []byte(value)})
		if (err == nil) != whole {
			t.Errorf("%s: %v", value, err)
		}
		if err == nil && !k.Last.has(make([]byte, 32)) {
			t.Errorf("%s: not remembered", value)
		}
	}
}
