package piv

import (
	"context"
	"errors"
	"fmt"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/key"
	"github.com/factord/factord/daemon/factor/record"
	"github.com/factord/factord/daemon/wire/agent"
)

// Choose implements factor.Asker.
func (f *Factor) Choose(_ context.Context, l factor.Login, n int) (factor.Claim, error) {
	_, serve, err := serving(l)
	if err != nil {
		return factor.Claim{}, err
	}
	if !l.Local || n < 0 || n >= len(serve) {
		return factor.Claim{}, factor.ErrNotMine
	}
	a := &asking{f: f, slot: serve[n], login: l}
	return factor.Claim{Chosen: true, Outside: &factor.Outside{Ask: a.ask}, Settle: a.settle}, nil
}

// asking is one challenge.
type asking struct {
	f         *Factor
	slot      *slot
	login     factor.Login
	pin       *key.PIN // nil: it has not been asked for
	device    key.Asking
	challenge []byte
	reply     agent.SignReply
}

// ask has the key sign a fresh challenge, and asks the person for its PIN before, while
// nobody holds the card.
func (a *asking) ask(ctx context.Context) (*factor.Wait, error) {
	if err := a.prepare(ctx); err != nil {
		return nil, err
	}
	var err error
	if a.challenge, err = key.Challenge(a.f.Rand, kind, a.f.Host, a.login); err != nil {
		return nil, err
	}
	a.reply = agent.SignReply{}
	a.device = key.Asking{Device: a.f.Device, Key: key.Named(a.login, a.slot.Serial), Untouched: a.slot.Touch == "never",
		Job: a.slot.job(a.login.User, key.For(a.login), a.challenge, a.pin, &a.reply)}
	wait, err := a.device.Ask(ctx)
	if err != nil && a.pin != nil {
		err = a.pin.After(err)
	}
	return wait, err
}

// prepare asks for the PIN, if it is demanded: also of a card which might not ask for it,
// because another program has left it verified. The card is to verify it anew.
func (a *asking) prepare(ctx context.Context) error {
	if !a.slot.NeedsPIN {
		return nil
	}
	if a.pin == nil {
		tries, err := a.tries(ctx)
		if err != nil {
			return err
		}
		a.pin = &key.PIN{Key: key.Name(0), Tries: tries}
		if a.login.Proven {
			a.pin.Key = key.Name(a.slot.Serial)
		}
	}
	return next(a.pin)
}

// tries are those that the PIN has left; 0: that is not known, as of a card that is not
// there yet. It is an error if the PIN is blocked, or if no card can be asked at all.
func (a *asking) tries(ctx context.Context) (int, error) {
	var reply agent.CardReply
	d := key.Asking{Device: a.f.Device, Key: key.Named(a.login, a.slot.Serial), Job: key.Job{Verb: agent.Card, User: a.login.User, For: key.For(a.login), Wait: -1,
		Request: &agent.CardRequest{Serial: a.slot.Serial, Slot: a.slot.Slot, Tries: true}, Reply: &reply}}
	err := d.Run(ctx, func(string) {})
	var e *agent.Error
	switch {
	case err == nil:
		return max(reply.Tries, 0), nil
	case errors.As(err, &e) && e.Code == agent.Blocked, !errors.As(err, new(*factor.Lapse)):
		return 0, err
	}
	return 0, nil
}

// settle verifies the signature with the key as it is kept now.
func (a *asking) settle(rs factor.Records) (factor.Finding, error) {
	if a.pin != nil {
		a.pin.Wipe()
	}
	if !a.device.Evidence() {
		return factor.Finding{ID: a.slot.ID, Outcome: factor.Lapsed}, nil
	}
	now, err := a.slot.again(rs)
	if err != nil || now == nil {
		return factor.Finding{Log: fmt.Sprintf("%q is not there any more", a.slot.ID)}, err
	}
	found := factor.Finding{ID: now.ID}
	if err := now.public.Verify(a.challenge, a.reply.Signature); err != nil {
		found.Log = fmt.Sprintf("what slot %s of %s has signed does not hold for %q: %v", now.Slot, key.Name(now.Serial), now.ID, err)
		found.Note = "the YubiKey's signature is not right: use another factor and tell your administrator"
		return found, nil
	}
	if !now.Serves(a.login) {
		found.Outcome = factor.Lapsed
		found.Log = fmt.Sprintf("%q does meanwhile without PIN and touch, which does not do here", now.ID)
		return found, nil
	}
	now.Used = record.Stamp(a.login.Now)
	found.Outcome = factor.Proven
	return found, record.Put(rs, now)
}
