package session

import (
	"context"
	"slices"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/wire"
)

// authoriseBeside is authorise for a change that rests on one token, which then
// is not accepted as the proof: codes of a token that was stolen would vouch for
// more codes of it.
func (r *request) authoriseBeside(id Identity, t target) (leave, error) {
	if r.trusted() {
		return leave{granted: true}, nil
	}
	factors := slices.DeleteFunc(slices.Clone(r.Factors), func(f factor.Factor) bool {
		b, borrows := f.(factor.Borrower)
		return borrows && slices.Contains(b.Borrows(), t.holder)
	})
	for i, f := range factors {
		if f.Name() == t.holder {
			factors[i] = &without{Factor: f, id: t.id}
		}
	}
	r.Factors = factors // for this command: the next one reads the settings anew
	a, err := r.proof(id)
	if err != nil {
		return leave{}, err
	}
	if len(a.standing.offers) == 0 && len(a.standing.outages) > 0 {
		return leave{}, a.standing.outages[0].problem()
	}
	if len(a.standing.offers) == 0 {
		return leave{}, problemf(wire.ReasonDenied, "you have no factor but %s that shows who you are\nhint: ask your administrator: factorctl %s %s --user %s", t.id, lower[r.verb], t.id, t.user)
	}
	return a.demand(r.ctx, "Prove another factor first.")
}

// without is a factor as it is for a user who lacks one of its records.
type without struct {
	factor.Factor
	id string
}

// Offer implements factor.Factor.
func (w *without) Offer(ctx context.Context, l factor.Login) (factor.Offer, error) {
	l.Records = w.rest(l.Records)
	return w.Factor.Offer(ctx, l)
}

// Verify implements factor.Factor. A claim settles on the records as they are
// then, so that what is hidden here has to be hidden there too.
func (w *without) Verify(ctx context.Context, l factor.Login, answer factor.Secret) (factor.Claim, error) {
	l.Records = w.rest(l.Records)
	claim, err := w.Factor.Verify(ctx, l, answer)
	if settle := claim.Settle; settle != nil {
		claim.Settle = func(rs factor.Records) (factor.Finding, error) {
			return settle(others{Records: rs, without: w})
		}
	}
	return claim, err
}

func (w *without) rest(list []factor.Record) []factor.Record {
	return slices.DeleteFunc(slices.Clone(list), func(r factor.Record) bool { return r.ID == w.id })
}

// others are the records of a factor but one.
type others struct {
	factor.Records
	without *without
}

// List implements factor.Records.
func (o others) List() ([]factor.Record, error) {
	list, err := o.Records.List()
	return o.without.rest(list), err
}

// Get implements factor.Records.
func (o others) Get(id string) (value []byte, ok bool, err error) {
	if id == o.without.id {
		return nil, false, nil
	}
	return o.Records.Get(id)
}
