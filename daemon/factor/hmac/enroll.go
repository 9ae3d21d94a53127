package hmac

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/key"
	"github.com/factord/factord/daemon/factor/record"
	"github.com/factord/factord/daemon/wire/agent"
)

// Shown is a new slot, as the person who enrols sees it.
type Shown struct {
	ID     string `json:"id"`
	Factor string `json:"factor"`
	Name   string `json:"name"`
	Serial uint32 `json:"serial"`
	Slot   int    `json:"slot"`
	// Command programs the slot, and asks for Secret, which is hexadecimal; both are
	// empty if the slot has its secret.
	Command string `json:"command,omitempty"`
	Secret  string `json:"secret,omitempty"`
}

// unfinished says what is not as it should be yet. Its text is a hint's too.
type unfinished string

func (u unfinished) Error() string { return string(u) }
func (unfinished) Unwrap() error   { return factor.ErrFirstCode }

// errYkpamcfg is for those who come from pam_yubico.
var errYkpamcfg = errors.New("that is a file of ykpamcfg, which has no secret: one challenge, and what its answer hashes to\n" +
	"hint: leave out --secret-file and program the slot anew; or give the 40 hexadecimal digits that it was programmed with")

// Enroll implements factor.Keeper. Without the secret of a slot, a new one is made, for
// the person to put into the key: factord never writes to one.
func (f *Factor) Enroll(e factor.Enrolment) (factor.Draft, error) {
	existing, err := record.DecodeAll[slot](e.Existing)
	if err != nil {
		return factor.Draft{}, err
	}
	if err := key.Full(len(existing)); err != nil {
		return factor.Draft{}, err
	}
	n := &enrolling{f: f, user: e.User, slot: &slot{Head: key.Head{Head: record.Head{Version: version}}, Slot: 2}, existing: existing, noPresence: e.NoPresence}
	record.Name(n.slot, e.Name, existing)
	if err := factor.CheckName(n.slot.Name); err != nil {
		return factor.Draft{}, err
	}
	if err := n.set(e.Options); err != nil {
		return factor.Draft{}, err
	}
	if n.given = len(e.Seed) > 0; n.given {
		err = n.slot.parseSecret(e.Seed)
	} else {
		n.slot.Secret = make(hexSecret, secretSize)
		_, err = io.ReadFull(f.Rand, n.slot.Secret)
	}
	if err != nil {
		return factor.Draft{}, err
	}
	ask := "Program the slot with it, then press Enter: "
	if n.given {
		ask = "Press Enter to try the slot: "
	}
	return factor.Draft{ID: n.slot.ID, Ask: ask, Begin: n.begin, Check: n.check, Commit: n.commit}, nil
}

// set takes over what was said beside the secret.
func (n *enrolling) set(options map[string]string) (err error) {
	for _, name := range slices.Sorted(maps.Keys(options)) {
		switch value := options[name]; name {
		case "slot":
			if n.slot.Slot, err = strconv.Atoi(value); err != nil || n.slot.Slot != 1 && n.slot.Slot != 2 {
				return fmt.Errorf("a YubiKey has no slot %q\nhint: 1 or 2", value)
			}
		case "serial":
			if n.slot.Serial, err = key.ParseSerial(value); err != nil {
				return err
			}
		default:
			return fmt.Errorf("a challenge-response slot has no %q\nhint: --slot, --serial, --secret-file and --no-presence", name)
		}
	}
	return nil
}

// parseSecret reads a secret of 40 hexadecimal digits. Errors don't quote it.
func (s *slot) parseSecret(text factor.Secret) error {
	text = bytes.TrimSpace(text)
	if bytes.HasPrefix(text, []byte("v1:")) || bytes.HasPrefix(text, []byte("v2:")) {
		return errYkpamcfg
	}
	if s.Secret.UnmarshalText(text) != nil || len(s.Secret) != secretSize {
		return fmt.Errorf("the secret is not of %d hexadecimal digits", 2*secretSize)
	}
	return nil
}

// enrolling is the setting up of one slot.
type enrolling struct {
	f          *Factor
	user       string
	slot       *slot
	existing   []*slot
	given      bool // the slot has its secret
	noPresence bool
	tried      bool // and it has answered as it should
}

// begin finds the key.
func (n *enrolling) begin(ctx context.Context, _ func(string)) (any, error) {
	serial, err := key.One(ctx, n.f.Device, n.user, n.slot.Serial, "challenge-response", func(k agent.Key) bool { return len(k.Slots) > 0 })
	if err != nil {
		return nil, err
	}
	n.slot.Serial = serial
	if err := n.slot.admit(n.existing); err != nil {
		return nil, err
	}
	s := Shown{ID: n.slot.ID, Factor: kind, Name: n.slot.Name, Serial: serial, Slot: n.slot.Slot}
	if !n.given {
		touch := "--touch "
		if n.noPresence {
			touch = ""
		}
		s.Command = fmt.Sprintf("ykman --device %d otp chalresp %s%d", serial, touch, n.slot.Slot)
		s.Secret = hex.EncodeToString(n.slot.Secret)
	}
	return s, nil
}

// check tries the slot with two challenges: one that answers all alike, as a slot in the
// mode of fixed length may, would let in who has heard it once.
func (n *enrolling) check(ctx context.Context, say func(string), _ factor.Secret) error {
	touched := true
	for range 2 {
		challenge, err := n.f.challenge()
		if err != nil {
			return err
		}
		var reply agent.HMACReply
		a := key.Asking{Device: n.f.Device, Key: key.Name(n.slot.Serial), Job: n.slot.job(n.user, "enrolment", challenge, &reply)}
		if err := a.Run(ctx, say); err != nil {
			return again(err)
		}
		if !n.slot.answers(challenge, reply.Answer) {
			return unfinished(fmt.Sprintf("slot %d of %s has another secret\nhint: program it, then press Enter", n.slot.Slot, key.Name(n.slot.Serial)))
		}
		touched = touched && reply.Touched
	}
	if !touched && !n.noPresence {
		return unfinished("the slot asks for no touch, so that any program could use it\nhint: program it with --touch, then press Enter; root can enrol it as it is with --no-presence")
	}
	n.slot.NoPresence = !touched
	n.tried = true
	return nil
}

// again makes of what the person can put right another try.
func again(err error) error {
	var lapse *factor.Lapse
	if !errors.As(err, &lapse) {
		return err
	}
	return unfinished(lapse.Text + "\nhint: press Enter to try again")
}

// commit keeps the slot. Of one that was not tried it is not known whether it asks for a
// touch.
func (n *enrolling) commit(rs factor.Records, first factor.Secret, now time.Time) error {
	kept := *n.slot
	switch {
	case first == nil && !n.noPresence:
		return factor.Refusal("whether the slot asks for a touch is known only when it was tried\nhint: leave out --no-confirm, or add --no-presence")
	case first == nil:
		kept.NoPresence = true
	case !n.tried:
		return factor.ErrFirstCode
	}
	existing, err := record.List[slot](rs)
	if err != nil {
		return err
	}
	if err := kept.admit(existing); err != nil {
		return err
	}
	kept.Created = record.Stamp(now)
	if err := record.Check(&kept); err != nil {
		return err
	}
	return record.Put(rs, &kept)
}

// admit says whether a user who has these slots may have this one as well.
func (s *slot) admit(existing []*slot) error {
	if err := key.Full(len(existing)); err != nil {
		return err
	}
	for _, other := range existing {
		if other.Serial == s.Serial && other.Slot == s.Slot {
			return factor.Refusal(fmt.Sprintf("that slot is enrolled already, as %q\nhint: factorctl remove %[1]s, if it has a new secret", other.ID))
		}
	}
	return record.Admit(s, existing)
}
