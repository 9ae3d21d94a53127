// Package duo asks Duo: pushes, calls, passcodes of every kind that Duo knows, and
// whom it lets in without. Nothing of a user is enrolled here; what is kept is how
// often they were asked lately, so that nobody approves a push out of weariness.
//
// Everything that takes time is done between two transactions, in Outside. What Duo
// says is believed only while the login that asked is still there.
package duo

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/duo/authapi"
)

// Config is what the factor needs.
type Config struct {
	Client *authapi.Client
	Names  authapi.Names // who is who at Duo
	Host   string        // this machine's name, as pushes show it
	// AcceptBypass takes Duo's word where it asks for no second factor.
	AcceptBypass bool
	// Now is the clock of the limits, and of how old an answer of Duo's is; nil: this
	// machine's.
	Now func() time.Time
}

// Factor asks Duo. It implements factor.Worded, factor.Starter and factor.Keeper.
type Factor struct {
	Config
	late lates
}

var (
	_ factor.Worded  = (*Factor)(nil)
	_ factor.Starter = (*Factor)(nil)
	_ factor.Keeper  = (*Factor)(nil)
	_ factor.Namer   = (*Factor)(nil)
)

// New makes the factor.
func New(c Config) *Factor {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Factor{Config: c}
}

// name is the factor's own in rules and verdicts.
const name = "duo"

// Name implements factor.Factor.
func (f *Factor) Name() string { return name }

// Subject implements factor.Namer. Of two users who are one person at Duo, and have one
// telephone there, neither is asked more often than one. Duo's usernames have no case.
func (f *Factor) Subject(user string) string {
	person := f.Names.Person(user)
	if person.UserID != "" {
		return person.UserID
	}
	return strings.ToLower(person.Username)
}

// outage is an error of Duo's as the session takes it. One that is only the end of
// the login says nothing about Duo.
func outage(login context.Context, err error) error {
	if login.Err() != nil {
		return context.Cause(login)
	}
	var e *authapi.Error
	if !errors.As(err, &e) {
		e = &authapi.Error{Kind: authapi.Ended}
	}
	return &factor.Outage{Text: e.Person(), Advice: e.Advice(), Unreachable: e.Outage(), Err: err}
}
