package backup

import (
	"context"
	"time"

	"github.com/factord/factord/daemon/factor"
)

// Bypass is the factor "bypass": codes that root makes for a user who has lost
// everything else. It is not a factor that the user has, so it is never enrolled.
type Bypass struct {
	tickets tickets
}

var _ factor.Factor = (*Bypass)(nil)

// NewBypass makes the factor.
func NewBypass(c Config) *Bypass {
	return &Bypass{tickets{purpose: "bypass", rand: c.random()}}
}

// Name implements factor.Factor.
func (b *Bypass) Name() string { return b.tickets.purpose }

// Grant makes a code that works once and for d, from one minute to 30 days. At
// most ten that are unused and not expired are kept for a user; highest is the
// highest time that the store has seen.
func (b *Bypass) Grant(rs factor.Records, now, highest time.Time, d time.Duration) (code string, err error) {
	return b.tickets.grant(rs, at(now, highest), d)
}

// Offer implements factor.Factor.
func (b *Bypass) Offer(_ context.Context, l factor.Login) (factor.Offer, error) {
	var o factor.Offer
	for _, r := range l.Records {
		t, err := b.tickets.decode(r)
		if err != nil {
			return factor.Offer{}, err
		}
		if t.state(at(l.Now, l.Highest)) == valid {
			o = factor.Offer{Usable: true, Hint: "bypass code"}
		}
	}
	return o, nil
}

// Verify implements factor.Factor. Every answer of the form is claimed: no factor
// after this one has it.
func (b *Bypass) Verify(_ context.Context, l factor.Login, answer factor.Secret) (factor.Claim, error) {
	code, ok := parse(answer)
	if !ok {
		return factor.Claim{}, factor.ErrNotMine
	}
	return factor.Claim{Settle: func(rs factor.Records) (factor.Finding, error) {
		defer code.Wipe()
		finding, err := b.tickets.redeem(rs, code, at(l.Now, l.Highest))
		if finding.Outcome == factor.Proven {
			finding.Note = "that was a bypass code: it works only once"
		}
		return finding, err
	}}, nil
}

// Describe says about a record what may be shown.
func (b *Bypass) Describe(r factor.Record) (factor.Item, error) {
	return b.tickets.describe(r)
}
