package backup

import (
	"crypto/hmac"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/factord/factord/daemon/factor"
)

// Shown is a new set, as the person who makes it sees it once.
type Shown struct {
	ID     string   `json:"id"`
	Factor string   `json:"factor"`
	Name   string   `json:"name"`
	Codes  []string `json:"codes"`
	Voids  []string `json:"voids,omitempty"` // the sets that are void from now on
}

// Kinds implements factor.Keeper.
func (f *Factor) Kinds() []string { return []string{kind} }

// Enroll implements factor.Keeper. A new set replaces the old one, also one that
// can't be read.
func (f *Factor) Enroll(e factor.Enrolment) (factor.Draft, error) {
	s, codes, err := f.draft(e)
	if err != nil {
		return factor.Draft{}, err
	}
	var voids []string
	for _, r := range e.Existing {
		voids = append(voids, r.ID)
	}
	return factor.Draft{
		ID:     s.id,
		Show:   Shown{ID: s.id, Factor: kind, Name: s.Name, Codes: codes, Voids: voids},
		Commit: s.commit,
	}, nil
}

// draft makes a set that is not kept yet, and its codes.
func (f *Factor) draft(e factor.Enrolment) (s *set, codes []string, err error) {
	if e.Kind != kind {
		return nil, nil, fmt.Errorf("unknown kind of backup codes: %q", e.Kind)
	}
	for _, key := range slices.Sorted(maps.Keys(e.Options)) {
		return nil, nil, fmt.Errorf("option %q: backup codes have no options", key)
	}
	if len(e.Seed) > 0 {
		return nil, nil, errors.New("backup codes are made here and can't be brought")
	}
	if s, codes, err = newSet(f.rand); err != nil {
		return nil, nil, err
	}
	s.id = nextID(e.Existing, kind)
	if s.Name = e.Name; s.Name == "" {
		s.Name = s.id
	}
	return s, codes, s.check()
}

// commit is Draft.Commit. No code of a set that was kept before works after it.
func (s *set) commit(rs factor.Records, _ factor.Secret, now time.Time) error {
	list, err := rs.List()
	if err != nil {
		return err
	}
	for _, r := range list {
		if old, err := decodeSet(r); err == nil && hmac.Equal(old.Key, s.Key) {
			return errors.New("these codes are kept already") // and some may be spent
		}
		if err := rs.Delete(r.ID); err != nil {
			return err
		}
	}
	fresh := *s
	fresh.Created = now.UTC().Truncate(time.Second)
	return fresh.put(rs)
}

// Describe implements factor.Keeper.
func (f *Factor) Describe(r factor.Record) (factor.Item, error) {
	s, err := decodeSet(r)
	if err != nil {
		return factor.Item{}, err
	}
	return factor.Item{
		ID: s.id, Factor: kind, Kind: kind, Name: s.Name, Created: s.Created, Used: s.Used,
		Detail: detail("left", strconv.Itoa(s.left()), s.Voided),
	}, nil
}
