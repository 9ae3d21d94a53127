// Package piv is the factor of PIV keys: a YubiKey that is plugged into this machine, as
// a smart card, signs a fresh challenge with the private key in one of its slots.
//
// What lies here is the public key, which was pinned when it was enrolled: no certificate
// is looked at in a login, so none expires, and nobody who issues them lets anybody in.
// Where the private key was made, and what the card asks of a person before it signs, is
// known of a card that attests it; of any other one, the PIN is demanded, whatever it says
// of itself.
//
// One key may be enrolled for several users: who has an administrator's account beside
// their own has one YubiKey. What it signs names the user, so that a signature is of no
// use for another; and it is a user's own doing whom their factors let in.
package piv

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/key"
	"github.com/factord/factord/daemon/factor/piv/proof"
	"github.com/factord/factord/daemon/factor/record"
)

// Config is what the factor needs.
type Config struct {
	// Device puts challenges to keys; nil: there is no way to them.
	Device key.Device
	// Host names this machine in what is signed.
	Host string
	// Trust is who is believed about where a key was made; nil: nobody.
	Trust *proof.Trust
	// Attested: only keys can be enrolled of which that is known.
	Attested bool
	// Rand is where challenges come from; nil is the system's generator.
	Rand io.Reader
}

// Factor asks PIV keys. It implements factor.Local and factor.Keeper.
type Factor struct {
	key.Untyped
	Config
}

var (
	_ factor.Local    = (*Factor)(nil)
	_ factor.Keeper   = (*Factor)(nil)
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
// challenge, so that nothing was spent since.
func (f *Factor) Restored(factor.Records, []factor.Record, time.Time) error { return nil }

// serving are the slots that do for a login, in the order of its choices.
func serving(l factor.Login) (all, serve []*slot, err error) {
	all, err = record.DecodeAll[slot](l.Records)
	for _, s := range all {
		if s.Serves(l) && (l.CanAsk || !s.NeedsPIN) {
			serve = append(serve, s)
		}
	}
	return all, serve, err
}

// textMute is for who has nothing but keys with a PIN where none can be typed.
const textMute = "your YubiKey asks for its PIN, which can't be typed here"

// Offer implements factor.Factor.
func (f *Factor) Offer(_ context.Context, l factor.Login) (factor.Offer, error) {
	all, serve, err := serving(l)
	if err != nil || len(all) == 0 {
		return factor.Offer{}, err
	}
	var choices []key.Choice
	for _, s := range serve {
		choices = append(choices, s.choice())
	}
	if l.Wanted && l.Local && len(choices) == 0 && mute(all, l) {
		return factor.Offer{Enrolled: true, Refused: textMute}, nil
	}
	return key.Offer(l, f.Device, choices)
}

// mute reports whether one of the slots would do if somebody could type.
func mute(all []*slot, l factor.Login) bool {
	for _, s := range all {
		if s.Serves(l) {
			return true
		}
	}
	return false
}

// Describe implements factor.Describer.
func (f *Factor) Describe(r factor.Record) (factor.Item, error) {
	s, err := record.Decode[slot](r)
	if err != nil {
		return factor.Item{}, err
	}
	return factor.Item{ID: s.ID, Factor: kind, Kind: kind, Name: s.Name, Created: s.Created, Used: s.Used,
		Detail: s.detail(), Mark: fmt.Sprintf("slot %s of %s", s.Slot, key.Name(s.Serial))}, nil
}
