package piv

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-piv/piv-go/v2/piv"

	"github.com/factord/factord/daemon/factor/piv/proof"
)

// Enrollment is what there is to know of a key before it is enrolled.
type Enrollment struct {
	Serial   uint32
	Firmware proof.Firmware
	Reader   string // pcscd's name of it
	Tries    Tries  // of its PIN
	Slot     Slot
	// Chain is the attestation, still to be checked; zero if there is none, as of a key
	// that was made elsewhere.
	Chain proof.Chain
}

// Read waits for the key, and reads what is in a slot.
func Read(ctx context.Context, w Wanted, slot proof.Slot) (Enrollment, error) {
	s := newSearch(w)
	for {
		c, err := s.find(ctx)
		if err != nil {
			return Enrollment{}, err
		}
		e, err := c.enrollment(ctx, slot)
		c.release(ctx)
		if !errors.Is(err, errGone) || ctx.Err() != nil {
			return e, err
		}
	}
}

func (c *card) enrollment(ctx context.Context, place proof.Slot) (Enrollment, error) {
	slot, err := c.slot(ctx, place)
	switch {
	case err != nil:
		return Enrollment{}, err
	case slot.Err != nil:
		return Enrollment{}, fmt.Errorf("slot %v: %w", place, slot.Err)
	case slot.Key == nil:
		return Enrollment{}, fmt.Errorf("slot %v: %w", place, ErrEmpty)
	}
	chain, err := ask(ctx, c, commandLimit, func(yk *piv.YubiKey) (proof.Chain, error) {
		where, err := slotOf(place)
		if err != nil {
			return proof.Chain{}, err
		}
		made, err := yk.Attest(where)
		if err != nil {
			return proof.Chain{}, unless(nothing(err), err)
		}
		device, err := yk.AttestationCertificate()
		if err != nil {
			return proof.Chain{}, unless(nothing(err), err)
		}
		return proof.Chain{Slot: made.Raw, Device: device.Raw}, nil
	})
	if err != nil {
		return Enrollment{}, fmt.Errorf("reading the attestation: %w", err)
	}
	tries, err := c.tries(ctx)
	if err != nil {
		return Enrollment{}, err
	}
	return Enrollment{Serial: c.serial, Firmware: c.firmware, Reader: c.reader, Tries: tries, Slot: slot, Chain: chain}, nil
}

// unless returns the error if the condition does not hold.
func unless(condition bool, err error) error {
	if condition {
		return nil
	}
	return err
}
