// Package backup has the codes that are used when everything else is lost: sets
// of one-use backup codes that a user keeps on paper, bypass codes that root
// makes for a user who is locked out, and invitations to enrol.
//
// Such a code lies about for months before it is needed. So the records have
// only keyed hashes of codes, and those that root makes expire.
package backup

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/factord/factord/daemon/factor"
)

const kind = "backup"

// Config is what this package needs.
type Config struct {
	// Rand is where codes come from; nil is the system's generator.
	Rand io.Reader
}

func (c Config) random() io.Reader {
	if c.Rand == nil {
		return rand.Reader
	}
	return c.Rand
}

// Factor is the factor "backup". It implements factor.Keeper and factor.Reserve.
type Factor struct {
	rand io.Reader
}

var (
	_ factor.Keeper  = (*Factor)(nil)
	_ factor.Reserve = (*Factor)(nil)
)

// New makes the factor.
func New(c Config) *Factor { return &Factor{rand: c.random()} }

// Name implements factor.Factor.
func (f *Factor) Name() string { return kind }

// Offer implements factor.Factor. Who has spent all codes is still enrolled.
func (f *Factor) Offer(_ context.Context, l factor.Login) (factor.Offer, error) {
	var o factor.Offer
	for _, r := range l.Records {
		s, err := decodeSet(r)
		if err != nil {
			return factor.Offer{}, err
		}
		o = factor.Offer{Enrolled: true, Usable: o.Usable || s.left() > 0, Hint: "backup code"}
	}
	return o, nil
}

// Verify implements factor.Factor. A bypass code has the same form, so a code
// that is in no set passes on; so it does when a set can't be read, since a
// bypass code is the way out of that.
func (f *Factor) Verify(_ context.Context, l factor.Login, answer factor.Secret) (factor.Claim, error) {
	code, ok := parse(answer)
	if !ok {
		return factor.Claim{}, factor.ErrNotMine
	}
	mine := false
	for _, r := range l.Records {
		if s, err := decodeSet(r); err == nil {
			mine = s.spend(code) != factor.Wrong || mine // in this copy only
		}
	}
	if !mine {
		return factor.Claim{}, factor.ErrNotMine
	}
	return factor.Claim{Settle: func(rs factor.Records) (factor.Finding, error) {
		defer code.Wipe()
		return settle(rs, code, l.Now)
	}}, nil
}

// settle spends the code in the sets that are kept now.
func settle(rs factor.Records, code factor.Secret, now time.Time) (factor.Finding, error) {
	list, err := rs.List()
	if err != nil {
		return factor.Finding{}, err
	}
	var finding factor.Finding
	voided := false
	for _, r := range list {
		s, err := decodeSet(r)
		if err != nil {
			return factor.Finding{}, err
		}
		outcome := s.spend(code)
		if outcome > finding.Outcome {
			finding, voided = factor.Finding{Outcome: outcome, ID: s.id}, s.Voided
		}
		if outcome != factor.Proven {
			continue
		}
		finding.Note = note(s.left())
		s.Used = now.UTC().Truncate(time.Second)
		if err := s.put(rs); err != nil {
			return factor.Finding{}, err
		}
	}
	if finding.Outcome == factor.Replayed {
		finding.Log = fmt.Sprintf("code of %q was used before", finding.ID)
		if voided {
			finding.Log += ", or voided by a restored backup"
		}
	}
	return finding, nil
}

// note tells the person how many codes are left.
func note(left int) string {
	text := strconv.Itoa(left) + " backup codes left"
	switch left {
	case 0:
		text = "no backup codes left"
	case 1:
		text = "1 backup code left"
	}
	if left <= 2 {
		text += ": make new ones with: factorctl enroll backup"
	}
	return text
}
