package session_test

import (
	"errors"
	"testing"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
)

// TestOutsideGuess: a code that somebody outside looks at costs a failure before it
// is looked at, which is given back if nobody could look.
func TestOutsideGuess(t *testing.T) {
	p := newPhone()
	d := phoneDaemon(t, p, phoneRule)
	login := func(answers ...string) wire.Verdict {
		t.Helper()
		v, err := factordtest.Login(d.Socket, -1, wire.Auth{User: "alice", Service: "sudo", RHost: "192.0.2.1", First: true}, &factordtest.Talk{Answers: answers})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	p.ask = &factor.Outage{Text: "Duo can't be reached", Err: errors.New("no route")}
	for range 5 {
		login("111111", "111111", "111111")
	}
	p.ask = nil
	login("111111", "111111", "111111")
	login("111111", "111111", "111111")
	if v := login("111111"); v.Reason != wire.ReasonRateLimited {
		t.Errorf("the seventh guess: %+v", v)
	}
	if v := login("999999999"); !v.Allow { // is no guess, and ends the row
		t.Errorf("a long code: %+v", v)
	}
	if v := login("111111"); v.Reason == wire.ReasonRateLimited {
		t.Errorf("after a success: %+v", v)
	}
}
