package piv

import (
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/go-piv/piv-go/v2/piv"

	"github.com/factord/factord/daemon/factor/piv/proof"
)

// Request is what to sign, and with what.
type Request struct {
	Wanted
	Slot proof.Slot
	Key  *proof.Key // which has to be in the slot
	// Message is hashed as the key wants it. It has to be one that nobody could take for
	// something else.
	Message []byte
	// PIN is empty if the key does not want it. Otherwise it is verified, even by a key
	// that would sign without. Sign overwrites it.
	PIN []byte
	// LastTry: the PIN is sent even if a wrong one blocks it.
	LastTry bool
}

// Signature is what a key has signed.
type Signature struct {
	Bytes []byte
	// Verified: the key has verified the PIN just before.
	Verified bool
	// Stays: the key could not be brought to forget the PIN. Until it loses power,
	// every program on this machine may use it. It is told beside an error, too.
	Stays bool
}

// Sign waits for the key, until the context ends, and has it sign. A key that is
// pulled out is waited for anew as long as it was not sent the PIN.
func Sign(ctx context.Context, r Request) (Signature, error) {
	defer clear(r.PIN)
	if err := r.check(); err != nil {
		return Signature{}, err
	}
	s := newSearch(r.Wanted)
	for {
		c, err := s.find(ctx)
		if err != nil {
			return Signature{}, err
		}
		slot, err := c.ready(ctx, r)
		if errors.Is(err, errGone) && ctx.Err() == nil {
			c.release(ctx)
			continue
		}
		if err != nil {
			c.release(ctx)
			return Signature{}, err
		}
		signature, err := c.sign(ctx, r, slot, s.Say)
		stays := c.release(ctx)
		if err != nil {
			return Signature{Stays: stays}, err
		}
		return Signature{Bytes: signature, Verified: len(r.PIN) > 0, Stays: stays}, nil
	}
}

// check is what needs no card.
func (r Request) check() error {
	if r.Key == nil {
		return errors.New("it is not said which key is to sign")
	}
	if _, _, err := r.Key.Digest(r.Message); err != nil {
		return err
	}
	if _, err := slotOf(r.Slot); err != nil || len(r.PIN) == 0 {
		return err
	}
	return proof.FitPIN(r.PIN)
}

// ready makes sure, before the PIN is sent, that it is the key that is meant, and
// that it can be sent.
func (c *card) ready(ctx context.Context, r Request) (Slot, error) {
	slot, err := c.slot(ctx, r.Slot)
	switch {
	case err != nil:
		return Slot{}, err
	case slot.Err != nil:
		return Slot{}, fmt.Errorf("slot %v: %w", r.Slot, slot.Err)
	case slot.Key == nil:
		return Slot{}, fmt.Errorf("slot %v: %w", r.Slot, ErrEmpty)
	case !slot.Key.Equal(r.Key):
		return Slot{}, fmt.Errorf("slot %v: %w", r.Slot, ErrWrongKey)
	case len(r.PIN) > 0:
		return slot, c.spare(ctx, r.LastTry)
	case slot.PIN == proof.PINOnce || slot.PIN == proof.PINAlways:
		return Slot{}, ErrPINNeeded
	}
	return slot, nil
}

func (c *card) sign(ctx context.Context, r Request, slot Slot, say func(State)) ([]byte, error) {
	if len(r.PIN) > 0 {
		if err := c.verify(ctx, r.PIN); err != nil {
			return nil, removed(err)
		}
	}
	limit := touchLimit
	switch slot.Touch {
	case proof.TouchNever:
		limit = commandLimit
	case proof.TouchAlways:
		say(Touch)
	default:
		say(MayTouch)
	}
	signature, err := ask(ctx, c, limit, func(yk *piv.YubiKey) ([]byte, error) {
		return signature(yk, r)
	})
	switch {
	case status(err) == notSatisfied:
		return nil, refusal(r, slot, err)
	case err != nil:
		return nil, fmt.Errorf("signing: %w", removed(err))
	}
	// A card that tells no public key has none but the certificate's to compare.
	if err := r.Key.Verify(r.Message, signature); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrWrongKey, err)
	}
	return signature, nil
}

// signature has go-piv sign, and do nothing before: with a key that wants the PIN each
// time, nothing may come between the PIN and this.
func signature(yk *piv.YubiKey, r Request) ([]byte, error) {
	place, err := slotOf(r.Slot)
	if err != nil {
		return nil, err
	}
	private, err := yk.PrivateKey(place, r.Key.Public(), piv.KeyAuth{PINPolicy: piv.PINPolicyNever})
	if err != nil {
		return nil, err
	}
	signer, can := private.(crypto.Signer)
	if !can {
		return nil, fmt.Errorf("%T does not sign", private)
	}
	digest, how, err := r.Key.Digest(r.Message)
	if err != nil {
		return nil, err
	}
	return signer.Sign(rand.Reader, digest, how)
}

// refusal says what the key has missed, for which it has one status word alone.
func refusal(r Request, slot Slot, err error) error {
	switch {
	case len(r.PIN) == 0 && slot.PIN != proof.PINNever:
		return because(ErrPINNeeded, err)
	case slot.Touch != proof.TouchNever:
		return because(ErrTouch, err)
	}
	return fmt.Errorf("signing: %w", err)
}

// removed is an error as it reads after the PIN was sent.
func removed(err error) error {
	if errors.Is(err, errGone) {
		return because(ErrRemoved, err)
	}
	return err
}
