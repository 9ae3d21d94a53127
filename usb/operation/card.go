package operation

import (
	"context"
	"errors"
	"fmt"

	"github.com/factord/factord/daemon/factor/piv/proof"
	"github.com/factord/factord/daemon/wire/agent"
	"github.com/factord/factord/usb"
	"github.com/factord/factord/usb/piv"
)

// wanted is the key that a request is about, for package piv.
func wanted(c agent.Common, serial uint32, t usb.Talk) piv.Wanted {
	return piv.Wanted{Serial: serial, NoWait: c.Wait == 0, Say: func(s piv.State) {
		switch s {
		case piv.Absent:
			t.State(agent.Absent)
		case piv.Busy:
			t.State(agent.Busy)
		case piv.Ready:
			t.State(agent.Ready)
		case piv.Touch, piv.MayTouch:
			t.State(agent.Touch)
		}
	}}
}

// waiting is a context for an operation of package piv, which waits until it ends.
func waiting(ctx context.Context, c agent.Common) (context.Context, context.CancelFunc) {
	if c.Wait == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, c.WaitTime())
}

// Card implements usb.Operations.
func (m Machine) Card(ctx context.Context, q agent.CardRequest, t usb.Talk) (r agent.CardReply, err error) {
	ctx, cancel := waiting(ctx, q.Common)
	defer cancel()
	if q.Tries {
		return tries(ctx, wanted(q.Common, q.Serial, t))
	}
	slot, err := proof.ParseSlot(q.Slot)
	if err != nil {
		return r, failuref(agent.Protocol, "%v", err)
	}
	e, err := piv.Read(ctx, wanted(q.Common, q.Serial, t), slot)
	if err != nil {
		return r, cardFailure(err)
	}
	return agent.CardReply{
		Serial: e.Serial, Firmware: e.Firmware.String(), Reader: e.Reader, Tries: triesOf(e.Tries), PIVSlot: slotOf(e.Slot),
		Attestation: e.Chain.Slot, Intermediate: e.Chain.Device,
	}, nil
}

// tries looks at nothing but the tries of a card's PIN.
func tries(ctx context.Context, w piv.Wanted) (r agent.CardReply, err error) {
	left, err := piv.Retries(ctx, w)
	if err == nil && left == (piv.Tries{}) {
		err = piv.ErrBlocked
	}
	if err != nil {
		return r, cardFailure(err)
	}
	return agent.CardReply{Serial: w.Serial, Tries: triesOf(left)}, nil
}

// triesOf are the tries as they are told: -1 is unknown.
func triesOf(t piv.Tries) int {
	if t.Verified {
		return -1
	}
	return t.Left
}

// slotOf is a slot as it is told.
func slotOf(s piv.Slot) agent.PIVSlot {
	told := agent.PIVSlot{Slot: s.Slot.String()}
	if s.PIN != 0 {
		told.PIN = s.PIN.String()
	}
	if s.Touch != 0 {
		told.Touch = s.Touch.String()
	}
	if s.Key != nil {
		told.Algorithm, told.Public = s.Key.String(), s.Key.SPKI()
	}
	return told
}

// Sign implements usb.Operations.
func (m Machine) Sign(ctx context.Context, q agent.SignRequest, t usb.Talk) (r agent.SignReply, err error) {
	slot, err := proof.ParseSlot(q.Slot)
	if err != nil {
		return r, failuref(agent.Protocol, "%v", err)
	}
	key, err := proof.ParseKey(q.Public)
	if err != nil {
		return r, failuref(agent.Protocol, "public_key: %v", err)
	}
	s := piv.Request{Wanted: wanted(q.Common, q.Serial, t), Slot: slot, Key: key, Message: q.Message, LastTry: q.LastTry}
	if q.NeedsPIN {
		if s.PIN, err = t.PIN(); err != nil {
			return r, err
		}
		defer clear(s.PIN)
		if len(s.PIN) == 0 { // a card that wants none would sign
			return r, cardFailure(proof.ErrPIN)
		}
	}
	ctx, cancel := waiting(ctx, q.Common)
	defer cancel()
	signature, err := piv.Sign(ctx, s)
	if signature.Stays {
		m.log("the PIN of YubiKey %d stays verified: until it is pulled out, every program on this machine may sign with it", q.Serial)
	}
	if err != nil {
		return r, cardFailure(err)
	}
	return agent.SignReply{Signature: signature.Bytes}, nil
}

// cardCodes are what errors of package piv mean for the caller, the first that fits.
var cardCodes = []struct {
	err  error
	code agent.Code
}{
	{piv.ErrService, agent.NoAccess}, {piv.ErrAbsent, agent.Gone}, {piv.ErrSeveral, agent.WrongKey}, {piv.ErrBusy, agent.Held}, {piv.ErrRemoved, agent.Gone},
	{piv.ErrSilent, agent.Late}, {piv.ErrEmpty, agent.WrongKey}, {piv.ErrWrongKey, agent.WrongKey},
	{piv.ErrTouch, agent.NoTouch}, {proof.ErrPIN, agent.PINLength}, {piv.ErrPINNeeded, agent.PINNeeded}, {piv.ErrBlocked, agent.Blocked},
	{piv.ErrLastTry, agent.LastTry},
	{piv.ErrGarbled, agent.Garbled}, // which is what the others are wrapped around
}

// cardFailure is an error as the caller is told it.
func cardFailure(err error) error {
	var wrong *piv.WrongPIN
	var known *agent.Error
	switch {
	case errors.As(err, &known):
		return err
	case errors.As(err, &wrong) && wrong.Left > 0:
		return &agent.Error{Code: agent.WrongPIN, Tries: wrong.Left, Text: err.Error()}
	}
	for _, c := range cardCodes {
		if errors.Is(err, c.err) {
			e := &agent.Error{Code: c.code, Text: err.Error()}
			if c.code == agent.LastTry {
				e.Tries = 1
			}
			return e
		}
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded): // while the card worked, or waited to be touched
		return &agent.Error{Code: agent.NoTouch, Text: "the key was not touched in time"}
	case errors.Is(err, context.Canceled):
		return err
	}
	return fmt.Errorf("the card: %w", err)
}
