package operation

import (
	"context"
	"fmt"
	"slices"

	"github.com/factord/factord/daemon/wire/agent"
	"github.com/factord/factord/usb/piv"
)

// yubico is the maker's USB vendor number: a card that pcscd has under a YubiKey's name
// is one.
const yubico = 0x1050

// addCards adds what the cards are that pcscd has: to the key of the same serial number,
// or as a key of its own where none is known by it.
func addCards(ctx context.Context, r *agent.KeysReply) {
	cards, skipped, err := piv.List(ctx)
	if err != nil {
		r.Notes = append(r.Notes, "PIV: "+err.Error())
		return
	}
	for _, s := range skipped {
		r.Notes = append(r.Notes, fmt.Sprintf("PIV: %q: %v", s.Reader, s.Err))
	}
	for _, c := range cards[:min(len(cards), maxKeys)] {
		n := slices.IndexFunc(r.Keys, func(k agent.Key) bool { return k.Serial == c.Serial })
		if n < 0 {
			n = len(r.Keys)
			r.Keys = append(r.Keys, agent.Key{Serial: c.Serial, Name: c.Reader, Vendor: yubico, Firmware: c.Firmware.String()})
		}
		r.Keys[n].Card = described(ctx, c)
	}
}

// described is a card as it is told.
func described(ctx context.Context, c piv.Key) *agent.PIV {
	told := &agent.PIV{Reader: c.Reader}
	for _, s := range c.Slots {
		if s.Key != nil {
			told.Slots = append(told.Slots, slotOf(s))
		}
	}
	if r, err := triesOf(ctx, c.Serial); err == nil {
		told.Tries = r.Tries
	}
	return told
}
