package totp

import (
	"fmt"
	"slices"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/record"
)

const (
	// maxTokens bounds what one answer is compared with, and with it the
	// chance of a guess.
	maxTokens = 5
	// enrolWindow is the window of the first code, in steps on each side. It
	// is wider than at a login, to learn how the phone's clock is off.
	enrolWindow = 2
)

// Shown is a new token, as the person who enrols sees it once.
type Shown struct {
	ID     string `json:"id"`
	Factor string `json:"factor"` // the kind: "totp" or "hotp"
	Name   string `json:"name"`
	URI    string `json:"uri"`
}

// Enroll implements factor.Keeper.
func (f *Factor) Enroll(e factor.Enrolment) (factor.Draft, error) {
	t, uri, err := f.draft(e)
	if err != nil {
		return factor.Draft{}, err
	}
	return factor.Draft{
		ID:     t.ID,
		Show:   Shown{ID: t.ID, Factor: e.Kind, Name: t.Name, URI: uri},
		Ask:    "Code of the new token: ",
		Commit: t.commit,
	}, nil
}

// draft makes a token that is not kept yet, and the URI that an app reads.
func (f *Factor) draft(e factor.Enrolment) (t *token, uri string, err error) {
	if t, err = newToken(e.Kind); err != nil {
		return nil, "", err
	}
	existing, err := record.DecodeAll[token](e.Existing)
	if err != nil {
		return nil, "", err
	}
	var fromURI map[string]string
	if len(e.Seed) > 0 {
		t.Secret, fromURI, err = parseSeed(e.Kind, e.Seed)
	} else {
		t.Secret, err = makeSeed(f.rand)
	}
	if err != nil {
		return nil, "", err
	}
	if err := t.setAll(fromURI, e.Options); err != nil {
		return nil, "", err
	}
	record.Name(t, e.Name, existing)
	if err := record.Check(t); err != nil {
		return nil, "", err
	}
	if err := t.admit(existing); err != nil {
		return nil, "", err
	}
	uri, err = t.uri(f.issuer, e.User)
	return t, uri, err
}

// admit says whether a user who has these tokens may have this one as well. The
// same secret twice would make each code work twice.
func (t *token) admit(existing []*token) error {
	if len(existing) >= maxTokens {
		return factor.ErrFull
	}
	for _, other := range existing {
		if factor.Secret(other.Secret).Equal(t.Secret) {
			return factor.Refusal(fmt.Sprintf("that secret is enrolled already, as %q", other.ID))
		}
	}
	return record.Admit(t, existing)
}

// commit is Draft.Commit. The draft stays as it is, so that after a mistyped
// first code it can be committed with another.
func (t *token) commit(rs factor.Records, first factor.Secret, now time.Time) error {
	existing, err := record.List[token](rs)
	if err != nil {
		return err
	}
	if err := t.admit(existing); err != nil {
		return err
	}
	kept := t.clone()
	if first != nil {
		if err := kept.confirm(first, now); err != nil {
			return err
		}
	}
	kept.Created = record.Stamp(now)
	return record.Put(rs, kept)
}

// confirm spends the first code and learns the drift from it. It is not counted
// as a use.
func (t *token) confirm(first factor.Secret, now time.Time) error {
	code, ok := t.codeIn(first)
	if !ok {
		return factor.ErrFirstCode
	}
	r, err := t.settle(code, attempt{now: now, window: enrolWindow})
	if err != nil {
		return err
	}
	if r.outcome != factor.Proven {
		if r.log != "" && t.TOTP != nil {
			return fmt.Errorf("%w\nhint: it is a code of another time; set the clock of the phone, or of this machine", factor.ErrFirstCode)
		}
		return factor.ErrFirstCode
	}
	if s := t.TOTP; s != nil {
		s.Drift = (s.Floor - s.at(now)) * driftUnits
	}
	t.Used = time.Time{}
	return nil
}

func (t *token) clone() *token {
	c := *t
	if t.TOTP != nil {
		s := *t.TOTP
		s.Spent = slices.Clone(s.Spent)
		c.TOTP = &s
	}
	if t.HOTP != nil {
		h := *t.HOTP
		c.HOTP = &h
	}
	return &c
}
