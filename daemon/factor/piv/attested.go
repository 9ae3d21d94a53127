package piv

import (
	"crypto/sha256"
	"errors"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/key"
	"github.com/factord/factord/daemon/factor/piv/proof"
	"github.com/factord/factord/daemon/wire/agent"
)

// attested is an attestation as it is kept: for those who look at it later, since a login
// does not.
type attested struct {
	Firmware string `json:"firmware"`
	// Slot and Device are the certificates, in DER; Hash is of both, one after the other
	// (SHA-256), in the place of a chain that is too long to keep.
	Slot   []byte `json:"slot,omitempty"`
	Device []byte `json:"device,omitempty"`
	Hash   []byte `json:"hash,omitempty"`
}

// maxChain is the longest chain that is kept, in bytes of DER: a record has no more than
// factor.MaxRecord bytes of JSON, in which four stand for three of these.
const maxChain = 4 << 10

func keep(c proof.Chain, firmware proof.Firmware) *attested {
	a := &attested{Firmware: firmware.String()}
	if len(c.Slot)+len(c.Device) <= maxChain {
		a.Slot, a.Device = c.Slot, c.Device
		return a
	}
	h := sha256.New()
	h.Write(c.Slot)
	h.Write(c.Device)
	a.Hash = h.Sum(nil)
	return a
}

// attest takes over what the card proves of the key. Policies that it only says are not
// believed: the PIN is demanded then.
func (n *enrolling) attest(r agent.CardReply, now time.Time) error {
	s := n.slot
	err := errors.New("the card has no attestation of it: it was made elsewhere, or the firmware is older than 4.3")
	if len(r.Attestation) > 0 && len(r.Intermediate) > 0 {
		chain := proof.Chain{Slot: r.Attestation, Device: r.Intermediate}
		var a proof.Attestation
		if a, err = n.f.Trust.Verify(chain, proof.Claim{Slot: s.place, Serial: s.Serial, Key: s.public}, now); err == nil {
			s.PIN, s.Touch, s.Attested = a.PIN.String(), a.Touch.String(), keep(chain, a.Firmware)
			s.NeedsPIN = a.PIN != proof.PINNever || a.Touch == proof.TouchCached
			return nil
		}
	}
	n.doubt = err
	if n.f.Attested {
		return factor.Refusef("only a key can be enrolled that proves where it was made: %v\nhint: make one with \"ykman piv keys generate\"", err)
	}
	s.NeedsPIN = true
	return nil
}

// present finds out whether the card asks anything of a person. It is believed when it
// says that it does not.
func (n *enrolling) present(r agent.CardReply) error {
	s := n.slot
	pin, touch := r.PIN, r.Touch
	if s.Attested != nil {
		pin, touch = s.PIN, s.Touch
	}
	if pin != "never" || touch != "never" && touch != "cached" {
		return nil
	}
	if !n.noPresence && touch == "cached" {
		return nil // the PIN is demanded, also of a card that would do without
	}
	if !n.noPresence {
		return factor.Refusef("the key in slot %s of %s asks for neither PIN nor touch, so that any program could use it\n"+
			"hint: make one with a policy; root can enrol it as it is with --no-presence", s.Slot, key.Name(s.Serial))
	}
	s.NoPresence, s.NeedsPIN = true, false
	return nil
}
