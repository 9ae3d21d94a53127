// Package fido2 is the factor of security keys: a key that is plugged into this machine
// signs a fresh challenge, with a private key that it made for this factord and lets
// nobody have.
//
// What lies here is the public half, so a stolen database is no key. What is signed is
// bound to this machine, the user and the attempt, and the key's counter must go up: a
// copy of a key is found out when both are used.
package fido2

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/key"
	"github.com/factord/factord/daemon/factor/record"
)

// Config is what the factor needs.
type Config struct {
	// Device puts challenges to keys; nil: there is no way to them.
	Device key.Device
	// RPID is the relying party for which new credentials are made.
	RPID string
	// Host names this machine in what is signed.
	Host string
	// Rand is where challenges come from; nil is the system's generator.
	Rand io.Reader
}

// Factor asks security keys. It implements factor.Local, factor.Keeper and
// factor.Importer.
type Factor struct {
	key.Untyped
	Config
}

var (
	_ factor.Local    = (*Factor)(nil)
	_ factor.Keeper   = (*Factor)(nil)
	_ factor.Importer = (*Factor)(nil)
	_ factor.Restorer = (*Factor)(nil)
)

// New makes the factor.
func New(c Config) *Factor {
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	return &Factor{Config: c}
}

// Name implements factor.Factor.
func (f *Factor) Name() string { return kind }

// Kinds implements factor.Keeper.
func (f *Factor) Kinds() []string { return []string{kind} }

// Restored implements factor.Restorer. No signature is worth anything for another
// challenge; but a counter that was seen since stays, so that a copy of a key is still
// found out. The credential may have been removed and imported anew under another id.
func (f *Factor) Restored(rs factor.Records, present []factor.Record, _ time.Time) error {
	return record.Change(rs, func(c *credential) (changed bool) {
		for _, p := range record.Readable[credential](present) {
			if p.public.Equal(c.public) && p.Counter > c.Counter {
				c.Counter, changed = p.Counter, true
			}
		}
		return changed
	})
}

// Texts for who is refused.
const (
	textAway = "your security key works only at this machine itself, where it is plugged in"
	textPIN  = "your security key wants its PIN, which can't be typed here"
)

// Offer implements factor.Factor.
func (f *Factor) Offer(_ context.Context, l factor.Login) (factor.Offer, error) {
	all, groups, err := serving(l)
	if err != nil || len(all) == 0 {
		return factor.Offer{}, err
	}
	switch {
	case l.Wanted && !l.Local:
		return factor.Offer{Enrolled: true, Refused: textAway}, nil
	case l.Wanted && len(groups) == 0:
		return factor.Offer{Enrolled: true, Refused: textPIN}, nil
	}
	var choices []key.Choice
	for _, g := range groups {
		choices = append(choices, g.choice())
	}
	return key.Offer(l, f.Device, choices)
}

// Describe implements factor.Describer.
func (f *Factor) Describe(r factor.Record) (factor.Item, error) {
	c, err := record.Decode[credential](r)
	if err != nil {
		return factor.Item{}, err
	}
	return factor.Item{ID: c.ID, Factor: kind, Kind: kind, Name: c.Name, Created: c.Created, Used: c.Used, Detail: c.detail(),
		Mark: fmt.Sprintf("credential %.8x", c.Credential)}, nil
}
