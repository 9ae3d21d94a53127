package session

import (
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/policy"
	"github.com/factord/factord/daemon/wire"
)

var (
	passcode = offer{Offer: factor.Offer{Hint: "passcode", Guessable: true, Advice: "is the clock right?"}}
	counting = offer{Offer: factor.Offer{Hint: "passcode", Guessable: true, Advice: "press again"}}
	pushed   = offer{Offer: factor.Offer{Hint: "passcode", Enter: "a push", Choices: []string{"push to Pixel 5"}}}
	stuck    = offer{Offer: factor.Offer{Hint: "YubiKey touch", Advice: "yubico-4 has to be resynced", Vain: true}}
	paper    = offer{Offer: factor.Offer{Hint: "backup code"}}
)

// person is an attempt of somebody who has these.
func person(first bool, offers ...offer) *attempt {
	a := &attempt{caller: policy.CallerRoot, source: seatSource, known: true, identity: Identity{Name: "alice"}, standing: standing{offers: offers}}
	a.auth = wire.Auth{User: "ALICE", First: first}
	return a
}

func TestWaitText(t *testing.T) {
	for _, c := range []struct {
		who  *attempt
		wait time.Duration
		want string
	}{
		{person(true, passcode), 0, "too many wrong codes: wait 1 s"},
		{person(true, passcode), 2*time.Second + 1, "too many wrong codes: wait 3 s"},
		{person(true, passcode), 59 * time.Second, "too many wrong codes: wait 59 s"},
		{person(true, passcode), time.Minute, "too many wrong codes: wait 60 s, or ask your administrator: factorctl unlock alice"},
		{person(true, passcode), 2 * time.Minute, "too many wrong codes: wait 120 s, or ask your administrator: factorctl unlock alice"},
		{person(true, passcode), 14*time.Minute + time.Second, "too many wrong codes: wait 15 min, or ask your administrator: factorctl unlock alice"},
		{person(true, passcode, paper), 2 * time.Second, "too many wrong codes: wait 2 s, or use a backup code"},
		{person(true, passcode, paper), 15 * time.Minute, "too many wrong codes: wait 15 min, or use a backup code"},
		{person(true, pushed, paper), 15 * time.Minute, "too many wrong codes: wait 15 min, or use a push"},
		{person(true, passcode, stuck), 2 * time.Second, "too many wrong codes: wait 2 s"},
		{person(false, passcode), 15 * time.Minute, "too many wrong codes: wait 15 min"},
		{person(false, passcode, paper), 15 * time.Minute, "too many wrong codes: wait 15 min"},
	} {
		if got := c.who.waitText(c.wait); got != c.want {
			t.Errorf("%v: %q, want %q", c.wait, got, c.want)
		}
	}
}

func TestAdvice(t *testing.T) {
	for _, c := range []struct {
		who      *attempt
		failures int
		want     string
	}{
		{person(true, passcode), 1, ""},
		{person(true, passcode), 2, ": is the clock right?"},
		{person(true, passcode, paper), 2, ": is the clock right? a backup code works too"},
		{person(true, paper, passcode), 19, ": is the clock right? a backup code works too"},
		{person(true, counting), 2, ": press again"},
		{person(true, counting, paper), 2, ": press again; a backup code works too"},
		{person(true, stuck), 2, ": yubico-4 has to be resynced"},
		{person(true, stuck, paper), 2, ": yubico-4 has to be resynced; a backup code works too"},
		{person(true, paper), 2, ": a backup code works too"},
		{person(true), 2, ""},
		{person(false, passcode, paper), 2, ""},
	} {
		var b budget
		for range c.failures {
			b.fail(seatSource, time.Unix(0, 0))
		}
		if got := c.who.advice(&b, ""); got != c.want {
			t.Errorf("after %d: %q, want %q", c.failures, got, c.want)
		}
	}
	if got := person(true, passcode).advice(&budget{}, ""); got != "" {
		t.Errorf("after none: %q", got)
	}
}
