package yubico

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/record"
	"github.com/factord/factord/daemon/factor/yubico/ykval"
	"github.com/factord/factord/daemon/factordtest/records"
	"github.com/factord/factord/daemon/factordtest/yksim"
)

// fakeServers say what they are told to.
type fakeServers struct {
	answer ykval.Answer
	err    error
	asked  []string
}

func (s *fakeServers) Verify(_ context.Context, otp string) (ykval.Answer, error) {
	s.asked = append(s.asked, otp)
	return s.answer, s.err
}

const (
	alicesID = "dteffujehknh"
	bobsID   = "idkfefrdhtru"
)

// user is one user's keys and clock.
type user struct {
	t   *testing.T
	f   *Factor
	rs  *records.Memory
	now time.Time
}

func newUser(t *testing.T, s Servers) *user {
	return &user{t: t, f: New(Config{Servers: s}), rs: &records.Memory{}, now: time.Unix(2_000_000_000, 0)}
}

// enroll enrols a key with its secrets.
func (u *user) enroll(k *yksim.Key) error {
	privateID, aesKey := k.Secrets()
	return u.enrollAs(map[string]string{"public-id": k.PublicID}, privateID+" "+aesKey, nil)
}

// enrollAs enrols as it is told; first is the first OTP.
func (u *user) enrollAs(options map[string]string, seed string, first factor.Secret) error {
	list, _ := u.rs.List()
	d, err := u.f.Enroll(factor.Enrolment{User: "alice", Kind: kind, Options: options, Seed: factor.Secret(seed), Existing: list, Now: u.now})
	if err != nil {
		return err
	}
	if first != nil && d.Check != nil {
		if err := d.Check(context.Background(), nil, first); err != nil {
			return err
		}
	}
	return d.Commit(u.rs, first, u.now)
}

// keyHolder is a user with one key that is verified here.
func keyHolder(t *testing.T) (*user, *yksim.Key) {
	t.Helper()
	u, k := newUser(t, nil), yksim.NewKey(alicesID)
	if err := u.enroll(k); err != nil {
		t.Fatal(err)
	}
	return u, k
}

func (u *user) login() factor.Login {
	list, _ := u.rs.List()
	return factor.Login{User: "alice", Now: u.now, Records: list}
}

func (u *user) key(id string) *key {
	u.t.Helper()
	k, err := record.Decode[key](factor.Record{ID: id, Value: u.rs.Values[id]})
	if err != nil {
		u.t.Fatal(err)
	}
	return k
}

// want gives an answer that has the form of an OTP.
func (u *user) want(text string, outcome factor.Outcome) factor.Finding {
	u.t.Helper()
	c, err := u.f.Verify(context.Background(), u.login(), factor.Secret(text))
	if err != nil {
		u.t.Fatalf("verifying %q: %v", text, err)
	}
	if c.Guessable {
		u.t.Errorf("%q is guessable", text)
	}
	var asked error
	if c.Outside != nil {
		if c.Outside.Admit != nil {
			u.t.Error("asking is booked")
		}
		var wait *factor.Wait
		if wait, asked = c.Outside.Ask(context.Background()); wait != nil {
			u.t.Errorf("%q waits", text)
		}
		if asked != nil && !errors.Is(asked, factor.ErrUnavailable) {
			u.t.Errorf("asking about %q: %v", text, asked)
		}
	}
	found, err := c.Settle(u.rs)
	if err != nil {
		u.t.Fatalf("settling %q: %v", text, err)
	}
	if found.Outcome != outcome {
		u.t.Errorf("%q: outcome %d, want %d (%+v)", text, found.Outcome, outcome, found)
	}
	return found
}

// notMine gives an answer that another factor may have.
func (u *user) notMine(text string) {
	u.t.Helper()
	if _, err := u.f.Verify(context.Background(), u.login(), factor.Secret(text)); !errors.Is(err, factor.ErrNotMine) {
		u.t.Errorf("%q: %v", text, err)
	}
}
