// Package hmac is the factor of a YubiKey's challenge-response slot: a key that is plugged
// into this machine answers a fresh random challenge with its HMAC-SHA1.
//
// Whoever has the secret has the key, and it lies here too: it is sealed by the store, and
// an answer is worth nothing for another challenge. A slot that answers without a touch
// shows that the key is there, and not that a person is.
package hmac

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/key"
	"github.com/factord/factord/daemon/factor/record"
	"github.com/factord/factord/daemon/wire/agent"
)

// Config is what the factor needs.
type Config struct {
	// Device puts challenges to keys; nil: there is no way to them.
	Device key.Device
	// Rand is where secrets and challenges come from; nil is the system's generator.
	Rand io.Reader
}

// Factor asks challenge-response slots. It implements factor.Local and factor.Keeper.
type Factor struct {
	key.Untyped
	Config
}

var (
	_ factor.Local    = (*Factor)(nil)
	_ factor.Keeper   = (*Factor)(nil)
	_ factor.Restorer = (*Factor)(nil)
)

// New makes the factor.
func New(c Config) *Factor {
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	return &Factor{Config: c}
}

// Name implements factor.Factor.
func (f *Factor) Name() string { return kind }

// Kinds implements factor.Keeper.
func (f *Factor) Kinds() []string { return []string{kind} }

// Restored implements factor.Restorer. No answer is worth anything for another challenge,
// so that nothing was spent since.
func (f *Factor) Restored(factor.Records, []factor.Record, time.Time) error { return nil }

// serving are the slots that do for a login, in the order of its choices.
func serving(l factor.Login) (all, serve []*slot, err error) {
	all, err = record.DecodeAll[slot](l.Records)
	for _, s := range all {
		if s.Serves(l) {
			serve = append(serve, s)
		}
	}
	return all, serve, err
}

// Offer implements factor.Factor.
func (f *Factor) Offer(_ context.Context, l factor.Login) (factor.Offer, error) {
	all, serve, err := serving(l)
	if err != nil || len(all) == 0 {
		return factor.Offer{}, err
	}
	var choices []key.Choice
	for _, s := range serve {
		choices = append(choices, s.choice())
	}
	return key.Offer(l, f.Device, choices)
}

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
	device    key.Asking
	challenge []byte
	reply     agent.HMACReply
}

// ask sends a fresh challenge.
func (a *asking) ask(ctx context.Context) (*factor.Wait, error) {
	var err error
	if a.challenge, err = a.f.challenge(); err != nil {
		return nil, err
	}
	a.reply = agent.HMACReply{}
	a.device = key.Asking{Device: a.f.Device, Key: key.Named(a.login, a.slot.Serial),
		Job: a.slot.job(a.login.User, key.For(a.login), a.challenge, &a.reply)}
	return a.device.Ask(ctx)
}

// settle compares the answer with what the slot's secret makes of the challenge, as it is
// kept now.
func (a *asking) settle(rs factor.Records) (factor.Finding, error) {
	if !a.device.Evidence() {
		return factor.Finding{ID: a.slot.ID, Outcome: factor.Lapsed}, nil
	}
	now, err := a.slot.again(rs)
	if err != nil || now == nil {
		return factor.Finding{Log: fmt.Sprintf("%q is not there any more", a.slot.ID)}, err
	}
	found := factor.Finding{ID: now.ID}
	switch {
	case !now.answers(a.challenge, a.reply.Answer):
		found.Log = fmt.Sprintf("slot %d of %s has another secret than %q", now.Slot, key.Name(now.Serial), now.ID)
		found.Note = fmt.Sprintf("slot %d of %s was set up anew: enrol it again", now.Slot, key.Name(now.Serial))
		return found, nil
	case !now.Serves(a.login):
		found.Outcome = factor.Lapsed
		found.Log = fmt.Sprintf("%q does meanwhile without a touch, which does not do here", now.ID)
		return found, nil
	case !now.NoPresence && !a.reply.Touched:
		// The answer is right, so it costs nothing: on a machine that is busy elsewhere a quick
		// touch may go unseen.
		found.Outcome = factor.Lapsed
		found.Log = fmt.Sprintf("slot %d of %s has answered, and was not seen to ask for a touch, as it did when %q was enrolled", now.Slot, key.Name(now.Serial), now.ID)
		found.Note = fmt.Sprintf("no touch was seen: try again; or slot %d of %s does not ask for a touch any more: enrol it again", now.Slot, key.Name(now.Serial))
		return found, nil
	}
	now.Used = record.Stamp(a.login.Now)
	found.Outcome = factor.Proven
	return found, record.Put(rs, now)
}

// Describe implements factor.Describer.
func (f *Factor) Describe(r factor.Record) (factor.Item, error) {
	s, err := record.Decode[slot](r)
	if err != nil {
		return factor.Item{}, err
	}
	return factor.Item{ID: s.ID, Factor: kind, Kind: kind, Name: s.Name, Created: s.Created, Used: s.Used, Detail: s.detail(),
		Mark: fmt.Sprintf("slot %d of %s", s.Slot, key.Name(s.Serial))}, nil
}
