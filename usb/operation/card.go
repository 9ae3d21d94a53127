package operation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/factord/factord/daemon/factor/piv/proof"
	"github.com/factord/factord/daemon/wire/agent"
	"github.com/factord/factord/usb"
	"github.com/factord/factord/usb/piv"
)

// cardTime is what looking for a card takes, also if none is waited for.
const cardTime = 3 * time.Second

// waiting is a context for an operation of package piv, which waits until it ends.
func waiting(ctx context.Context, c agent.Common) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, max(c.WaitTime(), cardTime))
}

// Card implements usb.Operations.
func (m Machine) Card(ctx context.Context, q agent.CardRequest, t usb.Talk) (r agent.CardReply, err error) {
	ctx, cancel := waiting(ctx, q.Common)
	defer cancel()
	slot, err := proof.ParseSlot(q.Slot)
	if err != nil {
		return r, failuref(agent.Protocol, "%v", err)
	}
	reader := ""
	if q.Serial == 0 {
		if q.Serial, reader, err = onlyCard(ctx); err != nil {
			return r, cardFailure(err)
		}
	}
	e, err := piv.Read(ctx, q.Serial, slot, sayTo(t))
	if err != nil {
		return r, cardFailure(err)
	}
	tries, err := piv.Retries(ctx, q.Serial, sayTo(t))
	if err != nil {
		return r, cardFailure(err)
	}
	return agent.CardReply{
		Serial: e.Serial, Firmware: e.Firmware.String(), Reader: reader, Tries: tries.Left, PIVSlot: slotOf(e.Slot),
		Attestation: e.Chain.Slot, Intermediate: e.Chain.Device,
	}, nil
}

// onlyCard finds the one YubiKey that there is.
func onlyCard(ctx context.Context) (serial uint32, reader string, err error) {
	keys, skipped, err := piv.List(ctx)
	switch {
	case err != nil:
		return 0, "", err
	case len(keys) > 1:
		return 0, "", failuref(agent.WrongKey, "there are %d keys: name one by its serial number, or pull out the others", len(keys))
	case len(keys) == 1:
		return keys[0].Serial, keys[0].Reader, nil
	}
	for _, s := range skipped {
		if errors.Is(s.Err, piv.ErrBusy) {
			return 0, "", s.Err
		}
	}
	return 0, "", piv.ErrAbsent
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
	s := piv.Request{Serial: q.Serial, Slot: slot, Key: key, Message: q.Message, LastTry: q.LastTry, Say: sayTo(t)}
	if q.NeedsPIN {
		if s.PIN, err = t.PIN(); err != nil {
			return r, err
		}
		defer clear(s.PIN)
	}
	ctx, cancel := waiting(ctx, q.Common)
	defer cancel()
	signature, err := piv.Sign(ctx, s)
	if err != nil {
		return r, cardFailure(err)
	}
	return agent.SignReply{Signature: signature.Bytes}, nil
}

// sayTo tells the caller what a card waits for.
func sayTo(t usb.Talk) func(piv.State) {
	return func(s piv.State) {
		switch s {
		case piv.Absent:
			t.State(agent.Absent)
		case piv.Busy:
			t.State(agent.Busy)
		case piv.Touch, piv.MayTouch:
			t.State(agent.Touch)
		}
	}
}

// cardCodes are what errors of package piv mean for the caller, the first that fits.
var cardCodes = []struct {
	err  error
	code agent.Code
}{
	{piv.ErrService, agent.NoAccess}, {piv.ErrAbsent, agent.Gone}, {piv.ErrBusy, agent.Held}, {piv.ErrRemoved, agent.Gone},
	{piv.ErrSilent, agent.Late}, {piv.ErrGarbled, agent.Garbled}, {piv.ErrEmpty, agent.WrongKey}, {piv.ErrWrongKey, agent.WrongKey},
	{piv.ErrTouch, agent.NoTouch}, {piv.ErrPINLength, agent.PINLength}, {piv.ErrPINNeeded, agent.PINNeeded}, {piv.ErrBlocked, agent.Blocked},
	{piv.ErrLastTry, agent.LastTry},
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
