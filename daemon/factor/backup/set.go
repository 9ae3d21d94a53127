package backup

import (
	"crypto/hmac"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/factord/factord/daemon/factor"
)

const setSize = 10

// set is one record: ten codes that a user made together.
type set struct {
	id      string
	Version int       `json:"v"`
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	Used    time.Time `json:"used,omitzero"`
	Key     []byte    `json:"key"`
	Codes   []kept    `json:"codes"`
	// Voided: all codes were spent because a backup was restored.
	Voided bool `json:"voided,omitempty"`
}

// kept is a code as it is kept. A spent one stays, to be told from a wrong one.
type kept struct {
	MAC   []byte `json:"mac"`
	Spent bool   `json:"spent,omitempty"`
}

// newSet makes a set and returns its codes beside it, as they are shown once.
func newSet(random io.Reader) (*set, []string, error) {
	key, err := newKey(random)
	if err != nil {
		return nil, nil, err
	}
	s := &set{Version: version, Key: key}
	var shown []string
	for range setSize {
		code, err := newCode(random)
		if err != nil {
			return nil, nil, err
		}
		s.Codes = append(s.Codes, kept{MAC: mac(key, kind, code)})
		shown = append(shown, spell(code))
	}
	return s, shown, nil
}

func decodeSet(r factor.Record) (*set, error) {
	s := &set{id: r.ID}
	err := r.Decode(s)
	if err == nil {
		err = s.check()
	}
	if err != nil {
		return nil, fmt.Errorf("reading backup codes %q: %v", r.ID, err)
	}
	return s, nil
}

func (s *set) check() error {
	if s.Version != version {
		return fmt.Errorf("version %d is unknown", s.Version)
	}
	if factor.Number(s.id, kind) == 0 {
		return errors.New("the id is of something else")
	}
	if len(s.Key) != keySize || len(s.Codes) != setSize {
		return errors.New("not a whole set")
	}
	for _, c := range s.Codes {
		if len(c.MAC) != keySize {
			return errors.New("not a whole set")
		}
	}
	return factor.CheckName(s.Name)
}

func (s *set) put(rs factor.Records) error {
	value, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return rs.Put(s.id, value)
}

// spend spends the code wherever it is in the set. All codes are compared.
func (s *set) spend(code factor.Secret) factor.Outcome {
	sum := mac(s.Key, kind, code)
	outcome := factor.Wrong
	for i := range s.Codes {
		if !hmac.Equal(sum, s.Codes[i].MAC) {
			continue
		}
		if s.Codes[i].Spent {
			outcome = factor.Replayed
		} else if outcome != factor.Replayed {
			outcome = factor.Proven
		}
		s.Codes[i].Spent = true
	}
	return outcome
}

// left is the number of codes not spent.
func (s *set) left() int {
	n := 0
	for _, c := range s.Codes {
		if !c.Spent {
			n++
		}
	}
	return n
}
