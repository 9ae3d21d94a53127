// Package yubico is the factor of the one-time passwords that a YubiKey types
// into any prompt: its public id and, encrypted, who it is and how often it was
// used.
//
// Whoever has seen such an OTP before it is used can use it themself, and whoever
// has a key's secrets can make them. What protects it is that each works once:
// accepting one moves the key's counter past it, in the transaction that lets the
// user in. A validation server that is asked counts too, but on this machine ours
// has the last word.
package yubico

import (
	"context"
	"fmt"
	"slices"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/layout"
	"github.com/factord/factord/daemon/factor/record"
	"github.com/factord/factord/daemon/factor/yubico/ykval"
)

// Config is what an administrator can choose.
type Config struct {
	// Servers verify the keys whose secrets are not here; nil: there are none.
	Servers Servers
}

// Servers decide about OTPs. An error is that they can't, which is never the
// user's fault.
type Servers interface {
	Verify(ctx context.Context, otp string) (ykval.Answer, error)
}

// Factor keeps YubiKeys. It implements factor.SeedKeeper.
type Factor struct{ servers Servers }

var (
	_ factor.SeedKeeper = (*Factor)(nil)
	_ factor.Telltale   = (*Factor)(nil)
)

// New makes the factor.
func New(c Config) *Factor { return &Factor{servers: c.Servers} }

// Name implements factor.Factor.
func (f *Factor) Name() string { return "yubico" }

// Kinds implements factor.Keeper.
func (f *Factor) Kinds() []string { return []string{kind} }

// Offer implements factor.Factor. A key that nobody can verify is enrolled and not
// usable. One that has to be resynced is asked for all the same, so that the log
// says what is the matter with it.
func (f *Factor) Offer(_ context.Context, l factor.Login) (factor.Offer, error) {
	keys, err := record.DecodeAll[key](l.Records)
	if err != nil || len(keys) == 0 {
		return factor.Offer{}, err
	}
	o := factor.Offer{Enrolled: true, Hint: "YubiKey touch"}
	o.Usable = f.servers != nil || slices.ContainsFunc(keys, func(k *key) bool { return k.Local != nil })
	if !o.Usable && l.Wanted {
		o.Refused = "your YubiKey can't be verified here any more: ask your administrator"
	}
	o.Vain = true
	for _, k := range keys {
		switch {
		case k.Local != nil && k.Local.Resync:
			o.Advice = fmt.Sprintf("%s has to be resynced: factorctl resync %[1]s", k.ID)
		case k.Local != nil || f.servers != nil:
			o.Vain = false
		}
	}
	return o, nil
}

// Doubt implements factor.Telltale.
func (f *Factor) Doubt(answer factor.Secret) string {
	for _, otp := range layout.Readings(untabbed(answer)) {
		if _, _, fits := split(otp); fits {
			return "is it your YubiKey?"
		}
	}
	return ""
}

// Describe implements factor.Keeper.
func (f *Factor) Describe(r factor.Record) (factor.Item, error) {
	k, err := record.Decode[key](r)
	if err != nil {
		return factor.Item{}, err
	}
	return factor.Item{
		ID: k.ID, Factor: f.Name(), Kind: kind, Name: k.Name,
		Created: k.Created, Used: k.Used, Detail: k.detail(),
		Mark: fmt.Sprintf("public id %q", k.PublicID),
	}, nil
}
