package yubico

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/record"
	"github.com/factord/factord/daemon/factor/yubico/ykval"
)

// ask lets the validation servers decide. If they were asked and have not, the OTP is
// spent here all the same: who has taken the place of a server that is out of order
// must not use what was sent there.
func (f *Factor) ask(k *key, l factor.Login, otp []byte) factor.Claim {
	asked, answer, err := false, ykval.Answer{}, errNotAsked
	return factor.Claim{
		Outside: &factor.Outside{Ask: func(ctx context.Context) (*factor.Wait, error) {
			asked = f.servers != nil
			if answer, err = f.consult(ctx, otp); err == nil {
				err = k.doubt(answer, otp)
			}
			return nil, err
		}},
		Settle: func(rs factor.Records) (factor.Finding, error) {
			defer clear(otp)
			found := factor.Finding{ID: k.ID, Outcome: factor.Lapsed}
			if !asked {
				return found, nil
			}
			now, damaged := k.again(rs)
			switch {
			case damaged != nil:
				return factor.Finding{}, damaged
			case err != nil && now == nil:
				return found, nil
			case err != nil:
				return found, now.burn(rs, otp)
			case now == nil:
				return factor.Finding{}, nil
			}
			return now.settleAnswer(rs, answer, otp, l)
		},
	}
}

// Errors that are in the log alone.
var (
	errNotAsked  = errors.New("no validation server was asked")
	errUncounted = errors.New("the server does not tell the counter of the OTP, and others have told this key's, " +
		"so it can't be known whether it was spent: if all servers have counters = false now, the key has to be removed and enrolled anew")
)

const textCantAsk = "the validation server for YubiKeys can't be asked"

// consult asks the validation servers.
func (f *Factor) consult(ctx context.Context, otp []byte) (ykval.Answer, error) {
	if f.servers == nil {
		return ykval.Answer{}, &factor.Outage{Text: "no validation server for YubiKeys is configured", Advice: "ask your administrator", Err: errNotAsked}
	}
	answer, err := f.servers.Verify(ctx, string(otp))
	if err == nil || ctx.Err() != nil {
		return answer, err
	}
	text := textCantAsk
	if errors.Is(err, ykval.ErrConsumed) {
		text = "the validation server gave no clear answer: touch the YubiKey again"
	}
	return answer, &factor.Outage{Text: text, Err: err}
}

// doubt is an error for a yes that is not enough for this key: of one whose counter is
// known, only an OTP with a counter can be told from those that were spent. That is
// the servers' fault, and not the person's.
func (k *key) doubt(answer ykval.Answer, otp []byte) error {
	if answer.Outcome != ykval.Accepted || answer.Counted || k.Next == 0 || k.had(otp) {
		return nil
	}
	return &factor.Outage{Text: textCantAsk, Err: errUncounted}
}

// settleAnswer decides by the answer of the servers, and spends the OTP here too:
// a server that forgets what it has seen lets nobody in twice.
func (k *key) settleAnswer(rs factor.Records, answer ykval.Answer, otp []byte, l factor.Login) (factor.Finding, error) {
	found := factor.Finding{ID: k.ID, Log: answer.Log}
	switch answer.Outcome {
	case ykval.Replayed: // in another connection, say, which has yet to settle its yes
		found.Outcome = factor.Replayed
		return found, nil
	case ykval.Accepted:
	default:
		return found, nil
	}
	if !k.note(answer, otp) {
		found.Outcome = factor.Replayed
		found.Log = fmt.Sprintf("the server accepts an OTP of %q that was spent here before", k.ID)
		return found, nil
	}
	k.Used = record.Stamp(l.Now)
	found.Outcome = factor.Proven
	return found, record.Put(rs, k)
}

// note spends an OTP that the servers accept, and reports whether it is new here.
func (k *key) note(answer ykval.Answer, otp []byte) bool {
	c := newCounter(answer.Use, answer.Session)
	if k.had(otp) || answer.Counted && !k.accepts(c) || !answer.Counted && k.Next > 0 {
		return false
	}
	sum := sha256.Sum256(otp)
	k.Last.add(sum[:])
	if answer.Counted {
		k.spend(c)
	}
	return true
}

// burn spends an OTP about which servers were asked in vain.
func (k *key) burn(rs factor.Records, otp []byte) error {
	if k.had(otp) {
		return nil
	}
	sum := sha256.Sum256(otp)
	k.Sent.add(sum[:])
	return record.Put(rs, k)
}

// had reports whether an OTP is one of the last that were spent here.
func (k *key) had(otp []byte) bool {
	sum := sha256.Sum256(otp)
	return k.Last.has(sum[:]) || k.Sent.has(sum[:])
}
