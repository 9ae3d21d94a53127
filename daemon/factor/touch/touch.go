// Package touch is the factor of a YubiKey that is plugged into this machine and types its
// OTP when it is touched: what it types is captured before any window sees it.
//
// The OTP is one that could be typed too, so this factor keeps no secrets and no counters
// of its own. It goes through the factor that keeps the key's token, and spends it there:
// whichever way an OTP comes, it comes once. What is kept here is which key, by its serial
// number, may type for which token.
package touch

import (
	"context"
	"fmt"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/key"
	"github.com/factord/factord/daemon/factor/record"
)

// Config is what the factor needs.
type Config struct {
	// Device captures; nil: there is no way to keys.
	Device key.Device
	// OTP keeps the tokens of Yubico OTPs, and Code those of HOTP codes.
	OTP  factor.SeedKeeper
	Code factor.Keeper
}

// Factor captures OTPs. It implements factor.Local, factor.SeedKeeper and
// factor.Borrower.
type Factor struct {
	key.Untyped
	Config
}

var (
	_ factor.Local      = (*Factor)(nil)
	_ factor.SeedKeeper = (*Factor)(nil)
	_ factor.Borrower   = (*Factor)(nil)
	_ factor.Restorer   = (*Factor)(nil)
)

// New makes the factor.
func New(c Config) *Factor { return &Factor{Config: c} }

// Name implements factor.Factor.
func (f *Factor) Name() string { return kind }

// Kinds implements factor.Keeper.
func (f *Factor) Kinds() []string { return []string{kind} }

// Restored implements factor.Restorer. What may have been spent since is known to the
// factor of the tokens.
func (f *Factor) Restored(factor.Records, []factor.Record, time.Time) error { return nil }

// Borrows implements factor.Borrower.
func (f *Factor) Borrows() []string { return []string{f.OTP.Name(), f.Code.Name()} }

// Texts for people.
const (
	textOrphan   = "the token of your YubiKey was removed: enrol it again (factorctl enroll touch)"
	textUnproven = "your YubiKey can't be verified here any more: ask your administrator"
)

// Offer implements factor.Factor. A key whose token is gone, or can't be verified, is of
// no use.
func (f *Factor) Offer(ctx context.Context, l factor.Login) (factor.Offer, error) {
	links, err := record.DecodeAll[link](l.Records)
	if err != nil || len(links) == 0 {
		return factor.Offer{}, err
	}
	s, err := f.survey(ctx, l, links)
	if err != nil {
		return factor.Offer{}, err
	}
	var choices []key.Choice
	for _, g := range s.groups {
		choices = append(choices, g.choice())
	}
	o, err := key.Offer(l, f.Device, choices)
	switch {
	case err != nil:
		return o, err
	case len(s.groups) == 0 && l.Wanted:
		o.Refused = s.useless
	case o.Usable:
		o.Guessable, o.State = s.guessable, s
	}
	return o, nil
}

// Choose implements factor.Asker.
func (f *Factor) Choose(_ context.Context, l factor.Login, n int) (factor.Claim, error) {
	s, _ := l.State.(*survey)
	if !l.Local || s == nil || n < 0 || n >= len(s.groups) {
		return factor.Claim{}, factor.ErrNotMine
	}
	a := &asking{f: f, login: l, group: s.groups[n]}
	return factor.Claim{Chosen: true, Outside: &factor.Outside{Ask: a.ask, Guessed: a.guessed}, Settle: a.settle}, nil
}

// Describe implements factor.Describer.
func (f *Factor) Describe(r factor.Record) (factor.Item, error) {
	return f.DescribeBeside(r, nil)
}

// DescribeBeside implements factor.Borrower.
func (f *Factor) DescribeBeside(r factor.Record, of func(string) []factor.Record) (factor.Item, error) {
	k, err := record.Decode[link](r)
	if err != nil {
		return factor.Item{}, err
	}
	item := factor.Item{ID: k.ID, Factor: kind, Kind: kind, Name: k.Name, Created: k.Created, Used: k.Used, Detail: k.detail(),
		Mark: fmt.Sprintf("%s types for %q", key.Name(k.Serial), k.Token)}
	if of != nil && f.tokenOf(k, of) == nil {
		item.Detail["token"] += " (removed: this is of no use any more)"
	}
	return item, nil
}
