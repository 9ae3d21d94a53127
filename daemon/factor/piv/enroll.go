package piv

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/key"
	"github.com/factord/factord/daemon/factor/piv/proof"
	"github.com/factord/factord/daemon/factor/record"
	"github.com/factord/factord/daemon/wire/agent"
)

// Shown is a new slot, as the person who enrols sees it. There is no secret in it.
type Shown struct {
	ID       string `json:"id"`
	Factor   string `json:"factor"`
	Name     string `json:"name"`
	Serial   uint32 `json:"serial"`
	Slot     string `json:"slot"`
	Attested bool   `json:"attested"`
	About    string `json:"about"` // all of it, in a line for people
}

// Enroll implements factor.Keeper. The key is in the slot already: factord never writes
// to one.
func (f *Factor) Enroll(e factor.Enrolment) (factor.Draft, error) {
	existing, err := record.DecodeAll[slot](e.Existing)
	if err != nil {
		return factor.Draft{}, err
	}
	if err := key.Full(len(existing)); err != nil {
		return factor.Draft{}, err
	}
	n := &enrolling{f: f, slot: &slot{Head: key.Head{Head: record.Head{Version: version}}, place: proof.Authentication}, existing: existing,
		noPresence: e.NoPresence, login: factor.Login{User: e.User, Service: "enrolment"}, now: e.Now}
	record.Name(n.slot, e.Name, existing)
	if err := factor.CheckName(n.slot.Name); err != nil {
		return factor.Draft{}, err
	}
	if err := n.set(e.Options); err != nil {
		return factor.Draft{}, err
	}
	return factor.Draft{ID: n.slot.ID, Begin: n.begin, Commit: n.commit}, nil
}

// set takes over what was said beside.
func (n *enrolling) set(options map[string]string) (err error) {
	for _, name := range slices.Sorted(maps.Keys(options)) {
		switch value := options[name]; name {
		case "slot":
			n.slot.place, err = proof.ParseSlot(strings.ToLower(value))
		case "serial":
			n.slot.Serial, err = key.ParseSerial(value)
		default:
			err = fmt.Errorf("a PIV key has no %q\nhint: --slot, --serial and --no-presence", name)
		}
		if err != nil {
			return err
		}
	}
	n.slot.Slot = n.slot.place.String()
	return nil
}

// enrolling is the setting up of one slot: what is in it is read, and then it has to
// sign, as in a login.
type enrolling struct {
	f          *Factor
	slot       *slot
	existing   []*slot
	noPresence bool
	login      factor.Login
	now        time.Time
	read       bool
	doubt      error // why it is not attested
	pin        *key.PIN
	shown      bool // it has signed
}

func (n *enrolling) begin(ctx context.Context, say func(string)) (show any, err error) {
	defer func() {
		if n.pin != nil && !errors.As(err, new(*factor.Question)) {
			n.pin.Wipe()
		}
	}()
	if !n.read {
		if err := n.look(ctx, say); err != nil {
			return nil, err
		}
	}
	if n.pin != nil {
		if err := next(n.pin); err != nil {
			return nil, err
		}
	}
	if err := n.prove(ctx, say); err != nil {
		if n.pin != nil && ctx.Err() == nil {
			err = n.pin.After(err)
		}
		return nil, err
	}
	n.shown = true
	return Shown{ID: n.slot.ID, Factor: kind, Name: n.slot.Name, Serial: n.slot.Serial, Slot: n.slot.Slot,
		Attested: n.slot.Attested != nil, About: n.slot.about()}, nil
}

// look finds the card, and reads what is in the slot.
func (n *enrolling) look(ctx context.Context, say func(string)) (err error) {
	s := n.slot
	if s.Serial == 0 {
		if s.Serial, err = key.OneCard(ctx, n.f.Device, n.login.User); err != nil {
			return err
		}
	}
	var r agent.CardReply
	a := key.Asking{Device: n.f.Device, Key: key.Name(s.Serial), Untouched: true, Job: key.Job{Verb: agent.Card, Queue: key.Queue(s.Serial),
		User: n.login.User, For: "enrolment", Request: &agent.CardRequest{Serial: s.Serial, Slot: s.Slot}, Reply: &r}}
	if err := a.Run(ctx, say); err != nil {
		var e *agent.Error
		if errors.As(err, &e) && e.Code == agent.WrongKey {
			return factor.Refusef("slot %s of %s has no key that can sign\nhint: make one with \"ykman --device %d piv keys generate\"; one that was imported may need its certificate, too", s.Slot, key.Name(s.Serial), s.Serial)
		}
		return err
	}
	if r.Serial != s.Serial || r.Slot != s.Slot {
		return fmt.Errorf("asked for slot %s of %s, and factord-usb tells of slot %q of %s", s.Slot, key.Name(s.Serial), r.Slot, key.Name(r.Serial))
	}
	if s.public, err = proof.ParseKey(r.Public); err != nil {
		return factor.Refusef("the key in slot %s of %s won't do: %v", s.Slot, key.Name(s.Serial), err)
	}
	s.Public = s.public.SPKI()
	if err := s.admit(n.existing); err != nil {
		return err
	}
	if err := n.attest(r, n.now); err != nil {
		return err
	}
	if err := n.present(r); err != nil {
		return err
	}
	if s.Attested == nil {
		say(fmt.Sprintf("It is not proven where the key was made: %v", n.doubt))
	}
	if s.NeedsPIN {
		n.pin = &key.PIN{Key: key.Name(s.Serial), Tries: max(r.Tries, 0)}
	}
	n.read = true
	return nil
}

// prove has the card sign: whoever enrols a key has it, and knows its PIN.
func (n *enrolling) prove(ctx context.Context, say func(string)) error {
	challenge, err := key.Challenge(n.f.Rand, kind, n.f.Host, n.login)
	if err != nil {
		return err
	}
	var reply agent.SignReply
	a := key.Asking{Device: n.f.Device, Key: key.Name(n.slot.Serial), Untouched: n.slot.Touch == "never",
		Job: n.slot.job(n.login.User, "enrolment", challenge, n.pin, &reply)}
	if err := a.Run(ctx, say); err != nil {
		return err
	}
	if err := n.slot.public.Verify(challenge, reply.Signature); err != nil {
		return factor.Refusef("what slot %s of %s has signed does not hold: %v", n.slot.Slot, key.Name(n.slot.Serial), err)
	}
	return nil
}

// commit keeps the slot.
func (n *enrolling) commit(rs factor.Records, _ factor.Secret, now time.Time) error {
	if !n.shown {
		return factor.ErrFirstCode
	}
	existing, err := record.List[slot](rs)
	if err != nil {
		return err
	}
	kept := *n.slot
	if err := kept.admit(existing); err != nil {
		return err
	}
	kept.Created = record.Stamp(now)
	if err := record.Check(&kept); err != nil {
		return err
	}
	return record.Put(rs, &kept)
}
