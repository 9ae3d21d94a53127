package session

import (
	"context"
	"fmt"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/store"
	"github.com/factord/factord/daemon/wire"
)

// What a person says to a question whose attempt is over is heard before they are asked
// the next one. Else whoever holds their password could ring again and again, by hanging
// up each time before the no.

// hearEarlier hears it, books a no as the attempt that asked would have, and reports
// whether this one is over. What a no means for it, Outside.Admit says.
func (a *attempt) hearEarlier(ctx context.Context, p *pending) (v wire.Verdict, over bool) {
	earlier := p.claim.Outside.Earlier
	if earlier == nil {
		return v, false
	}
	open := false
	err := a.Store.Look(func(tx *store.Tx) (err error) {
		open, err = earlier.Open(a.scope(tx, a.identity.Name, p.name))
		return err
	})
	denied := false
	if err == nil && open {
		denied, err = a.askEarlier(ctx, earlier)
	}
	if err != nil {
		r := failure(err)
		r.factor, r.gone = p.name, r.reason == wire.ReasonCancelled
		return a.refuse(r), true
	}
	if !denied {
		return v, false
	}
	settled := false
	v, _ = a.decide(ctx, func(tx *store.Tx) (ruling, error) {
		finding, err := earlier.Settle(a.scope(tx, a.identity.Name, p.name))
		if err != nil {
			return ruling{}, fmt.Errorf("%s: %w", p.name, err)
		}
		settled = true
		r := ruling{reason: wire.ReasonPushDenied, factor: p.name, id: finding.ID, log: finding.Log, more: true}
		if finding.Outcome != factor.Denied {
			r.unasked = true
			return r, nil
		}
		_, err = tx.Forget(a.identity.Name) // somebody else was at their login
		return r, err
	})
	return v, !settled || v.Reason != wire.ReasonPushDenied
}

// askEarlier asks, for as long as the client is there.
func (a *attempt) askEarlier(ctx context.Context, earlier *factor.Earlier) (denied bool, err error) {
	watched, stop := a.watch(ctx)
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: asking: %v", errPanicked, r)
		}
		if gone := stop(); gone != nil {
			err = gone
		}
		if err == nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
	}()
	return earlier.Ask(watched), nil
}
