package piv

import (
	"errors"
	"fmt"
	"strings"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/key"
	"github.com/factord/factord/daemon/factor/piv/proof"
	"github.com/factord/factord/daemon/factor/record"
	"github.com/factord/factord/daemon/wire/agent"
)

const (
	version = 1
	kind    = "piv"
)

// slot is one record: a key pair of which the private half is in a slot of a YubiKey.
type slot struct {
	key.Head
	Slot   string `json:"slot"`       // "9a"
	Public []byte `json:"public-key"` // PKIX, DER
	// PIN and Touch are the policies that the card has attested: "never", "once",
	// "always"; "never", "always", "cached"; "": not known.
	PIN   string `json:"pin,omitempty"`
	Touch string `json:"touch,omitempty"`
	// NeedsPIN: the PIN is demanded in a login.
	NeedsPIN bool `json:"needs-pin,omitempty"`
	// Attested is how the card has proven, when it was enrolled, that the private key was
	// made there and can't leave it; nil: it has not.
	Attested *attested `json:"attested,omitempty"`

	place  proof.Slot
	public *proof.Key
}

// Kind implements record.Entry.
func (s *slot) Kind() string { return kind }

// Check implements record.Entry.
func (s *slot) Check() (err error) {
	switch {
	case s.Version != version:
		return fmt.Errorf("version %d is unknown", s.Version)
	case s.Serial == 0:
		return errors.New("no serial number")
	case !known(s.PIN, "never", "once", "always"), !known(s.Touch, "never", "always", "cached"):
		return errors.New("policies are unknown")
	case (s.PIN == "") != (s.Attested == nil), (s.Touch == "") != (s.Attested == nil):
		return errors.New("policies are known of an attested key, and of no other")
	case s.NeedsPIN && (s.PIN == "never" && s.Touch != "cached" || s.NoPresence):
		return errors.New("a PIN is demanded though the key needs none")
	case !s.NeedsPIN && !s.NoPresence && (s.PIN != "never" || s.Touch != "always"):
		return errors.New("nothing is demanded of a person")
	}
	if s.place, err = proof.ParseSlot(s.Slot); err != nil {
		return err
	}
	s.public, err = proof.ParseKey(s.Public)
	return err
}

// known reports whether a policy is one of these, or empty.
func known(policy string, all ...string) bool {
	for _, p := range all {
		if p == policy {
			return true
		}
	}
	return policy == ""
}

// touched reports whether the card asks for a touch, as it has attested. With "cached" it
// asks for none within 15 s of one, be it for another program, or for another login: that
// shows nobody's presence.
func (s *slot) touched() bool { return s.Touch == "always" || s.Touch == "cached" }

func (s *slot) choice() key.Choice {
	name := key.Name(s.Serial)
	switch {
	case s.NeedsPIN && s.touched():
		return key.Choice{Serial: s.Serial, Text: "PIN and touch of " + name, Enter: "the PIN and a touch of " + name}
	case s.NeedsPIN:
		return key.Choice{Serial: s.Serial, Text: "PIN of " + name, Enter: "the PIN of " + name}
	case s.touched():
		return key.Touch(s.Serial)
	}
	return key.Choice{Serial: s.Serial, Text: "signature of " + name, Enter: "a signature of " + name}
}

// asks says what the card asks of a person, as far as that is known.
func (s *slot) asks() string {
	switch {
	case s.NeedsPIN && s.touched():
		return "PIN and touch"
	case s.NeedsPIN:
		return "PIN"
	case s.touched():
		return "touch"
	}
	return "nothing"
}

func (s *slot) detail() map[string]string {
	d := s.Detail()
	d["slot"], d["algorithm"], d["asks"] = s.Slot, s.public.String(), s.asks()
	if d["attested"] = "no"; s.Attested != nil {
		d["attested"] = "yes"
		d["policies"] = fmt.Sprintf("PIN %s, touch %s", s.PIN, s.Touch)
	}
	return d
}

// about tells the person what they have enrolled, in a line.
func (s *slot) about() string {
	words := []string{fmt.Sprintf("%s, slot %s, a key of the kind %s", key.Name(s.Serial), s.Slot, s.public)}
	if words = append(words, "asks for "+s.asks()); s.NoPresence {
		words = append(words, "for rules with presence = false only")
	}
	if s.Attested != nil {
		return strings.Join(append(words, "made in the YubiKey, as its attestation proves"), "; ")
	}
	return strings.Join(append(words, "not attested, so that copies of it may be elsewhere"), "; ")
}

// job has the slot sign a challenge.
func (s *slot) job(user, why string, challenge []byte, p *key.PIN, reply *agent.SignReply) key.Job {
	q := &agent.SignRequest{Serial: s.Serial, Slot: s.Slot, Public: s.Public, Message: challenge, Touch: s.Touch}
	j := key.Job{Verb: agent.Sign, Queue: key.Queue(s.Serial), User: user, For: why, Request: q, Reply: reply}
	if p != nil {
		q.NeedsPIN, q.LastTry, j.PIN = true, p.LastTry(), p.Secret()
	}
	return j
}

// next is PIN.Next. A password that was typed for the PIN costs no try.
func next(p *key.PIN) error {
	if err := proof.FitPIN(p.Secret()); err != nil && len(p.Secret()) > 0 {
		p.Wipe()
		return &factor.Lapse{Text: err.Error() + ": it was not tried", Err: err}
	}
	return p.Next()
}

// again reads a slot as it is kept now. It is nil if it is not there any more, or is
// another one.
func (s *slot) again(rs factor.Records) (*slot, error) {
	value, ok, err := rs.Get(s.ID)
	if err != nil || !ok {
		return nil, err
	}
	now, err := record.Decode[slot](factor.Record{ID: s.ID, Value: value})
	if err != nil || now.Serial != s.Serial || now.Slot != s.Slot || !now.public.Equal(s.public) {
		return nil, err
	}
	return now, nil
}

// admit says whether a user who has these slots may have this one as well.
func (s *slot) admit(existing []*slot) error {
	if err := key.Full(len(existing)); err != nil {
		return err
	}
	for _, other := range existing {
		switch {
		case other.public.Equal(s.public):
			return factor.Refusal(fmt.Sprintf("that key is enrolled already, as %q", other.ID))
		case other.Serial == s.Serial && other.Slot == s.Slot:
			return factor.Refusal(fmt.Sprintf("slot %s of %s is enrolled already, as %q, with another key\nhint: factorctl remove %[3]s, if that key is not there any more", s.Slot, key.Name(s.Serial), other.ID))
		}
	}
	return record.Admit(s, existing)
}
