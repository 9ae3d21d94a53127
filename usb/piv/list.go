package piv

import (
	"context"
	"errors"
	"fmt"

	"github.com/factord/factord/daemon/factor/piv/proof"
)

// Key is a YubiKey with a PIV applet.
type Key struct {
	Reader   string // pcscd's name of it
	Serial   uint32
	Firmware proof.Firmware
	Tries    Tries  // of its PIN
	Slots    []Slot // of proof.Slots
}

// Skipped is a reader that was not looked into, or in vain.
type Skipped struct {
	Reader string
	Err    error
}

// List looks at every key once, and waits for none. A key that another program holds
// is among the skipped, as are readers that are no YubiKeys.
func List(ctx context.Context) ([]Key, []Skipped, error) {
	names, others, err := readers(ctx)
	if err != nil {
		return nil, nil, err
	}
	var keys []Key
	var skipped []Skipped
	for _, name := range others {
		skipped = append(skipped, Skipped{name, errors.New("it is no YubiKey")})
	}
	for _, name := range names {
		key, err := describe(ctx, name)
		switch {
		case ctx.Err() != nil:
			return nil, nil, context.Cause(ctx)
		case errors.Is(err, errGone): // an empty reader
		case err != nil:
			skipped = append(skipped, Skipped{name, err})
		default:
			keys = append(keys, key)
		}
	}
	return keys, skipped, nil
}

func describe(ctx context.Context, reader string) (Key, error) {
	c, err := open(ctx, reader)
	if err != nil {
		return Key{}, err
	}
	defer c.release(ctx)
	tries, err := c.tries(ctx)
	if err != nil {
		return Key{}, fmt.Errorf("reading %q: %w", reader, err)
	}
	key := Key{Reader: reader, Serial: c.serial, Firmware: c.firmware, Tries: tries}
	for _, s := range proof.Slots() {
		slot, err := c.slot(ctx, s)
		if err == nil {
			slot.Certificate, err = c.certified(ctx, s)
		}
		if errors.Is(err, ErrGarbled) {
			slot.Slot, slot.Err, err = s, err, nil
		}
		if err != nil {
			return Key{}, fmt.Errorf("reading %q: %w", reader, err)
		}
		key.Slots = append(key.Slots, slot)
	}
	return key, nil
}
