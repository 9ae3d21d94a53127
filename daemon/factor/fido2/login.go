package fido2

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/key"
	"github.com/factord/factord/daemon/factor/record"
	"github.com/factord/factord/daemon/wire/agent"
)

// Choose implements factor.Asker.
func (f *Factor) Choose(_ context.Context, l factor.Login, n int) (factor.Claim, error) {
	_, groups, err := serving(l)
	if err != nil {
		return factor.Claim{}, err
	}
	if !l.Local || n < 0 || n >= len(groups) {
		return factor.Claim{}, factor.ErrNotMine
	}
	a := &asking{f: f, group: groups[n], login: l}
	return factor.Claim{Chosen: true, Outside: &factor.Outside{Ask: a.ask}, Settle: a.settle}, nil
}

// asking is one assertion.
type asking struct {
	f          *Factor
	group      group
	login      factor.Login
	looked     bool     // for the key that is there
	tries      int      // of its PIN; 0: not known
	pin        *key.PIN // nil: it has not been asked for
	device     key.Asking
	clientHash []byte
	reply      agent.AssertReply
}

// ask asks the key that is plugged in for an assertion, and the person for its PIN
// before, if that is demanded.
func (a *asking) ask(ctx context.Context) (*factor.Wait, error) {
	if err := a.prepare(ctx); err != nil {
		return nil, err
	}
	challenge, err := key.Challenge(a.f.Rand, kind, a.f.Host, a.login)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(challenge)
	a.clientHash, a.reply = sum[:], agent.AssertReply{}
	q, queues := a.group.request(a.clientHash), a.group.queues()
	a.device = key.Asking{Device: a.f.Device, Key: a.named(),
		Job: key.Job{Verb: agent.Assert, Queue: queues[0], Also: queues[1:], User: a.login.User, For: key.For(a.login), Request: q, Reply: &a.reply}}
	if a.pin != nil {
		q.LastTry, a.device.Job.PIN = a.pin.LastTry(), a.pin.Secret()
	}
	wait, err := a.device.Ask(ctx)
	if a.pin == nil || wait == nil && err == nil {
		return wait, err
	}
	if err != nil {
		return nil, a.pin.After(err)
	}
	until := wait.Until
	wait.Until = func(ctx context.Context, say func(string)) error {
		defer a.pin.Wipe()
		return until(ctx, say)
	}
	return wait, nil
}

// prepare finds, once, which of the group's keys is plugged in, and asks for its PIN if
// that is demanded. A key that is plugged in later is waited for afterwards.
func (a *asking) prepare(ctx context.Context) error {
	if !a.looked && (a.group[0].PIN || len(a.group) > 1) {
		if err := a.look(ctx); err != nil {
			return err
		}
	}
	if !a.group[0].PIN {
		return nil
	}
	if a.pin == nil {
		a.pin = &key.PIN{Key: "your security key", Tries: a.tries}
		if a.login.Proven {
			a.pin.Key = a.group.called()
		}
	}
	return a.pin.Next()
}

// look narrows the group to the key that is there, if one is. It is told nothing but which
// credentials are looked for, and asks for no touch.
func (a *asking) look(ctx context.Context) error {
	var found agent.AssertReply
	q := a.group.request(make([]byte, sha256.Size))
	q.Find = true
	d := key.Asking{Device: a.f.Device, Key: a.named(),
		Job: key.Job{Verb: agent.Assert, User: a.login.User, For: key.For(a.login), Wait: -1, Request: q, Reply: &found}}
	err := d.Run(ctx, func(string) {})
	if ctx.Err() != nil {
		return err
	}
	a.looked = true
	if err != nil {
		return nil // it is asked in earnest next, and then says why not
	}
	a.tries = max(found.Tries, 0)
	if c := a.group.find(found.Credential); c != nil {
		a.group = group{c}
	}
	return nil
}

func (a *asking) named() string {
	if !a.login.Proven {
		return ""
	}
	return a.group.called()
}

// settle verifies the assertion with the credential as it is kept now.
func (a *asking) settle(rs factor.Records) (factor.Finding, error) {
	if a.pin != nil {
		a.pin.Wipe()
	}
	if !a.device.Evidence() {
		return factor.Finding{ID: a.group[0].ID, Outcome: factor.Lapsed}, nil
	}
	const note = "the security key's answer is not right: use another factor and tell your administrator"
	c := a.group.find(a.reply.Credential)
	if c == nil {
		return factor.Finding{Note: note, Log: fmt.Sprintf("the key has answered for the credential %.8x, which was not asked for", a.reply.Credential)}, nil
	}
	now, err := c.again(rs)
	if err != nil || now == nil {
		return factor.Finding{Log: fmt.Sprintf("%q is not there any more", c.ID)}, err
	}
	found := factor.Finding{ID: now.ID}
	if err := now.verify(a.reply, a.clientHash); err != nil {
		found.Log = fmt.Sprintf("what %q has signed does not hold: %v", now.ID, err)
		found.Note = note
		return found, nil
	}
	now.Used = record.Stamp(a.login.Now)
	found.Outcome = factor.Proven
	return found, record.Put(rs, now)
}
