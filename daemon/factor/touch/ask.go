package touch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/key"
	"github.com/factord/factord/daemon/factor/record"
	"github.com/factord/factord/daemon/wire/agent"
)

// asking is one capture, and what became of it.
type asking struct {
	f      *Factor
	login  factor.Login
	group  *group
	device key.Asking
	reply  agent.CaptureReply

	holder factor.Keeper // of the token that the OTP may be of; nil: there is none
	tokens []string      // which it may be
	claim  factor.Claim  // of the holder
}

// ask listens to the keys. The cue comes when they are listened to, and not before: an OTP
// that is typed too early goes to whatever window has the focus.
func (a *asking) ask(ctx context.Context) (*factor.Wait, error) {
	name, serials := "", a.group.serials()
	if a.login.Proven {
		name = a.group.name()
	}
	request := &agent.CaptureRequest{Serials: serials, Lengths: a.group.lengths(), ScanMap: a.group.scanMap}
	if len(serials) == 1 && serials[0] == 0 {
		request.Serials = nil
	}
	a.device = key.Asking{Device: a.f.Device, Key: name, Job: key.Job{
		Verb: agent.Capture, Queue: key.Queue(serials[0]), Also: key.Queues(serials[1:]), User: a.login.User, For: key.For(a.login), Request: request, Reply: &a.reply,
	}}
	w, err := a.device.Ask(ctx)
	switch {
	case err != nil:
		return nil, err
	case w == nil:
		return nil, a.verify(ctx)
	}
	until := w.Until
	w.Until = func(ctx context.Context, say func(string)) error {
		if err := until(ctx, say); err != nil {
			return err
		}
		return a.verify(ctx)
	}
	return w, nil
}

// errElsewhere is a factor below that asks for more than an OTP.
var errElsewhere = errors.New("the OTP's factor has limits of its own, which a capture does not keep")

// verify takes what was captured to the factor of its token. A validation server is asked
// now, before the transaction.
func (a *asking) verify(ctx context.Context) error {
	for _, h := range []factor.Keeper{a.f.OTP, a.f.Code} {
		its := a.login
		its.Records, its.State, a.tokens = nil, nil, nil
		for _, k := range a.group.links {
			token := a.f.tokenOf(k, a.login.RecordsOf)
			if k.Serial == a.reply.Serial && token != nil && a.f.holder(k.Token) == h {
				its.Records, a.tokens = append(its.Records, *token), append(a.tokens, k.Token)
			}
		}
		if len(its.Records) == 0 {
			continue
		}
		claim, err := h.Verify(ctx, its, bytes.TrimSpace(a.reply.Text))
		if errors.Is(err, factor.ErrNotMine) {
			continue
		}
		if err != nil {
			return err
		}
		a.holder, a.claim = h, claim
		break
	}
	if a.claim.Outside == nil {
		return nil
	}
	if a.claim.Outside.Admit != nil || a.claim.Outside.Earlier != nil {
		return errElsewhere
	}
	w, err := a.claim.Outside.Ask(ctx)
	if w != nil {
		return errElsewhere
	}
	return err
}

// guessed implements factor.Outside.Guessed: whoever sits here can plug in what pretends
// to be a YubiKey of any number, and types codes.
func (a *asking) guessed() bool { return a.claim.Guessable }

// settle spends the OTP where a typed one is spent.
func (a *asking) settle(rs factor.Records) (factor.Finding, error) {
	defer clear(a.reply.Text)
	if !a.device.Evidence() {
		return factor.Finding{Outcome: factor.Lapsed}, nil
	}
	from := "captured from " + key.Name(a.reply.Serial)
	if a.claim.Settle == nil {
		return factor.Finding{Log: from + ": not an OTP of its tokens"}, nil
	}
	lender, ok := rs.(factor.Lender)
	if !ok {
		return factor.Finding{}, errors.New("the records of the tokens are not within reach")
	}
	kept, err := a.kept(lender)
	if err != nil {
		return factor.Finding{}, err
	}
	found, err := a.claim.Settle(&only{Records: lender.Of(a.holder.Name()), ids: kept.tokens()})
	if err != nil {
		return factor.Finding{}, err
	}
	if found.Log != "" {
		from += ": " + found.Log
	}
	k := kept.of(found.ID)
	if k == nil { // as where no token is named
		found.ID, found.Log = "", from
		if found.Outcome == factor.Proven {
			return factor.Finding{}, errors.New("an OTP of no token was taken")
		}
		return found, nil
	}
	found.ID, found.Log = k.ID, fmt.Sprintf("OTP of %q, %s", k.Token, from)
	if found.Outcome != factor.Proven {
		return found, nil
	}
	k.Used = record.Stamp(a.login.Now)
	return found, record.Put(rs, k)
}

// links are those of one key and one factor.
type links []*link

func (ks links) tokens() (all []string) {
	for _, k := range ks {
		all = append(all, k.Token)
	}
	return all
}

func (ks links) of(token string) *link {
	for _, k := range ks {
		if k.Token == token {
			return k
		}
	}
	return nil
}

// kept are the links that the capture rests on, as they are now.
func (a *asking) kept(rs factor.Lender) (kept links, err error) {
	now, err := record.List[link](rs)
	if err != nil {
		return nil, err
	}
	tokens, err := rs.Of(a.holder.Name()).List()
	for _, k := range now {
		if k.Serial == a.reply.Serial && slices.Contains(a.tokens, k.Token) &&
			a.f.tokenOf(k, func(string) []factor.Record { return tokens }) != nil {
			kept = append(kept, k)
		}
	}
	return kept, err
}
