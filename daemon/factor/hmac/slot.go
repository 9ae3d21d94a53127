package hmac

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/key"
	"github.com/factord/factord/daemon/factor/record"
	"github.com/factord/factord/daemon/wire/agent"
)

const (
	version = 1
	kind    = "hmac"

	// secretSize is what a slot has room for, in bytes.
	secretSize = 20
	// challengeSize is below the 64 bytes that a slot can take: of those it may drop some
	// (HMAC_LT64).
	challengeSize = 32
)

// slot is one record: a challenge-response slot of a YubiKey.
type slot struct {
	key.Head
	Slot   int       `json:"slot"` // 1 or 2
	Secret hexSecret `json:"secret"`
}

// hexSecret prints as "[secret]"; only MarshalText, for the record, writes it out.
type hexSecret []byte

// Format implements fmt.Formatter for every verb.
func (s hexSecret) Format(f fmt.State, verb rune) { factor.Secret(s).Format(f, verb) }

// MarshalText writes hexadecimal digits.
func (s hexSecret) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, s), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *hexSecret) UnmarshalText(text []byte) (err error) {
	if *s, err = hex.AppendDecode(nil, text); err != nil {
		return errors.New("not hexadecimal") // what it quotes would be secret
	}
	return nil
}

// Kind implements record.Entry.
func (s *slot) Kind() string { return kind }

// Check implements record.Entry.
func (s *slot) Check() error {
	switch {
	case s.Version != version:
		return fmt.Errorf("version %d is unknown", s.Version)
	case s.Serial == 0:
		return errors.New("no serial number")
	case s.Slot != 1 && s.Slot != 2:
		return fmt.Errorf("there is no slot %d", s.Slot)
	case len(s.Secret) != secretSize:
		return errors.New("secret has a wrong size")
	}
	return nil
}

func (s *slot) choice() key.Choice {
	if !s.NoPresence {
		return key.Touch(s.Serial)
	}
	what := "check of " + key.Name(s.Serial)
	return key.Choice{Serial: s.Serial, Text: what, Enter: "a " + what, Auto: true}
}

func (s *slot) detail() map[string]string {
	d := s.Detail()
	d["slot"] = strconv.Itoa(s.Slot)
	return d
}

// job asks the slot.
func (s *slot) job(user, why string, challenge []byte, reply *agent.HMACReply) key.Job {
	return key.Job{Verb: agent.HMAC, Queue: key.Queue(s.Serial), User: user, For: why,
		Request: &agent.HMACRequest{Serial: s.Serial, Slot: s.Slot, Challenge: challenge}, Reply: reply}
}

// challenge is fresh. Its last byte is not zero: zeros behind a challenge are not part
// of it.
func (f *Factor) challenge() ([]byte, error) {
	c := make([]byte, challengeSize)
	for c[challengeSize-1] == 0 {
		if _, err := io.ReadFull(f.Rand, c); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// answers compares an answer with that of the slot's secret.
func (s *slot) answers(challenge, answer []byte) bool {
	mac := hmac.New(sha1.New, s.Secret)
	mac.Write(challenge)
	return hmac.Equal(mac.Sum(nil), answer)
}

// again reads a slot as it is kept now. It is nil if it is not there any more, or is
// another one.
func (s *slot) again(rs factor.Records) (*slot, error) {
	value, ok, err := rs.Get(s.ID)
	if err != nil || !ok {
		return nil, err
	}
	defer clear(value)
	now, err := record.Decode[slot](factor.Record{ID: s.ID, Value: value})
	if err != nil || now.Serial != s.Serial || now.Slot != s.Slot || !factor.Secret(now.Secret).Equal(s.Secret) {
		return nil, err
	}
	return now, nil
}
