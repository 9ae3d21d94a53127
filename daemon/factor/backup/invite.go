package backup

import (
	"slices"
	"time"

	"github.com/factord/factord/daemon/factor"
)

// inviteLife is how long an invitation lasts if nothing else is said.
const inviteLife = 24 * time.Hour

// Invite makes and takes one-use codes with which a user who has no factor may
// enrol one. It is no factor: nobody logs in with it.
type Invite struct {
	tickets tickets
}

// NewInvite makes it.
func NewInvite(c Config) *Invite {
	return &Invite{tickets{purpose: "invite", rand: c.random()}}
}

// Name is the scope of its records, as a factor's name is.
func (v *Invite) Name() string { return v.tickets.purpose }

// Grant makes a code that works once and for d, from one minute to 30 days; 0 is
// 24 hours. highest is the highest time that the store has seen.
func (v *Invite) Grant(rs factor.Records, now, highest time.Time, d time.Duration) (code string, err error) {
	if d == 0 {
		d = inviteLife
	}
	return v.tickets.grant(rs, at(now, highest), d)
}

// Describe says about a record what may be shown.
func (v *Invite) Describe(r factor.Record) (factor.Item, error) {
	return v.tickets.describe(r)
}

// Redeem spends an invitation, inside the transaction that uses it. An answer
// that has not the form of a code is wrong.
func (v *Invite) Redeem(rs factor.Records, answer factor.Secret, now, highest time.Time) (factor.Outcome, error) {
	code, ok := parse(answer)
	if !ok {
		return factor.Wrong, nil
	}
	defer code.Wipe()
	finding, err := v.tickets.redeem(rs, code, at(now, highest))
	return finding.Outcome, err
}

// Pending reports whether one of the records is an invitation that holds. One that
// can't be read does not.
func (v *Invite) Pending(list []factor.Record, now, highest time.Time) bool {
	return slices.ContainsFunc(list, func(r factor.Record) bool {
		t, err := v.tickets.decode(r)
		return err == nil && t.state(at(now, highest)) == valid
	})
}
