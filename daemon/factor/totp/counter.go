package totp

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/record"
)

const (
	maxLookAhead = 100
	lookBack     = 100 // counters in which a spent code is recognised
	maxPrefix    = 32  // characters
	maxCounter   = math.MaxUint64 - 1
)

// counter is the state of an HOTP token.
type counter struct {
	// Next is the lowest counter that can be accepted: C of RFC 4226, 7.2.
	Next uint64 `json:"counter"`
	// LookAhead is how many counters above Next are tried: s of RFC 4226,
	// 7.4, for codes that were made and never sent.
	LookAhead uint64 `json:"look-ahead"`
	// Prefix is the token identifier that a key types before the code, in
	// lower case.
	Prefix string `json:"prefix,omitempty"`
	// Resync: a backup was restored, so the codes from Next on may have been
	// spent. None is accepted before two in a row have shown where the token
	// is now.
	Resync bool `json:"resync,omitempty"`
}

func (c *counter) check() error {
	if c.LookAhead > maxLookAhead {
		return errors.New("look-ahead out of range")
	}
	if c.Prefix == "" {
		return nil
	}
	return checkPrefix(c.Prefix)
}

// worn: the highest number can't be accepted, since there is none after it.
func (c *counter) worn() bool { return c.Next > maxCounter }

// settleCounter decides about an HOTP code. The one spent last is refused even
// if it comes again by chance ahead; of older ones, chance would refuse too many
// that are right, so they are looked for only when nothing ahead matches.
func (t *token) settleCounter(code factor.Secret, try attempt) (ruling, error) {
	c := t.HOTP
	if c.Resync {
		return ruling{log: fmt.Sprintf("%q has to be resynced after a restored backup: factorctl resync %s --user %s", t.ID, t.ID, try.user)}, nil
	}
	var spent, ahead []uint64
	var err error
	if c.Next > 0 {
		spent, err = t.hits(code, c.Next-1, c.Next-1)
	}
	if !c.worn() && err == nil && len(spent) == 0 {
		ahead, err = t.hits(code, c.Next, c.Next) // nearly always
	}
	if !c.worn() && err == nil && len(spent)+len(ahead) == 0 {
		ahead, err = t.hits(code, c.Next, c.Next+min(c.LookAhead, maxCounter-c.Next))
	}
	if c.Next > 1 && err == nil && len(spent)+len(ahead) == 0 {
		spent, err = t.hits(code, c.Next-min(c.Next, lookBack), c.Next-2)
	}
	if err != nil {
		return ruling{}, err
	}
	switch {
	case len(spent) > 0:
		return ruling{outcome: factor.Replayed, log: fmt.Sprintf("code of %q was spent before", t.ID)}, nil
	case len(ahead) == 0:
		return ruling{}, nil
	}
	c.Next = ahead[0] + 1
	if try.won {
		return ruling{changed: true}, nil
	}
	t.Used = record.Stamp(try.now)
	return ruling{outcome: factor.Proven, changed: true}, nil
}

// checkPrefix holds for token identifiers (those of OATH are 12 characters).
func checkPrefix(p string) error {
	alnum := func(r rune) bool { return '0' <= r && r <= '9' || 'a' <= r && r <= 'z' }
	if p == "" || len(p) > maxPrefix || strings.ContainsFunc(p, func(r rune) bool { return !alnum(r) }) {
		return fmt.Errorf("%q is not 1 to %d letters and digits", p, maxPrefix)
	}
	return nil
}

func (c *counter) detail(d map[string]string) {
	d["counter"] = strconv.FormatUint(c.Next, 10)
	d["look-ahead"] = strconv.FormatUint(c.LookAhead, 10)
	if c.Prefix != "" {
		d["prefix"] = c.Prefix
	}
	if c.Resync {
		d["resync"] = "needed after a restored backup"
	}
}
