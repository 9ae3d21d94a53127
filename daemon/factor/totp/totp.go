// Package totp is the factor of short codes: time-based ones (TOTP, RFC 6238)
// and counter-based ones (HOTP, RFC 4226).
//
// Such a code is a secret that can be guessed, seen over a shoulder and passed
// on by a phishing site. What protects it is that it works once: accepting a
// code moves the token past it, in the transaction that lets the user in.
package totp

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/record"
)

// maxWindow bounds Config.Window: every step more is one more code to guess.
const maxWindow = 10

// Config is what an administrator can choose.
type Config struct {
	// Issuer is shown by the user's app; without a colon, which separates
	// it from the user's name. Empty is "factord".
	Issuer string
	// Window is the number of steps accepted on each side of the current
	// one, from 0 to 10.
	Window int
	// Rand is where secrets come from; nil is the system's generator.
	Rand io.Reader
}

// Factor keeps TOTP and HOTP tokens. It implements factor.Keeper and factor.Starter.
type Factor struct {
	issuer string
	window int64
	rand   io.Reader
}

var (
	_ factor.Keeper  = (*Factor)(nil)
	_ factor.Starter = (*Factor)(nil)
)

// New makes the factor. A window out of range is brought into it.
func New(c Config) *Factor {
	f := &Factor{issuer: c.Issuer, window: int64(min(max(c.Window, 0), maxWindow)), rand: c.Rand}
	if f.issuer == "" {
		f.issuer = "factord"
	}
	if f.rand == nil {
		f.rand = rand.Reader
	}
	return f
}

// Name implements factor.Factor.
func (f *Factor) Name() string { return "totp" }

// Kinds implements factor.Keeper.
func (f *Factor) Kinds() []string { return []string{kindTOTP, kindHOTP} }

// Offer implements factor.Factor. A token whose counter has come to its end is
// enrolled and not usable. One that has to be resynced is asked for all the same,
// so that the log says what is the matter with it.
func (f *Factor) Offer(_ context.Context, l factor.Login) (factor.Offer, error) {
	tokens, err := record.DecodeAll[token](l.Records)
	if err != nil || len(tokens) == 0 {
		return factor.Offer{}, err
	}
	o := factor.Offer{Enrolled: true, Hint: "passcode", Guessable: true, Advice: advice(tokens)}
	for _, t := range tokens {
		o.Usable = o.Usable || !t.worn()
	}
	return o, nil
}

// Advice for people whose codes are wrong.
const (
	adviceTime    = "is the phone's time set automatically?"
	adviceCounter = "let the token make a new code"
	adviceResync  = "%s has to be resynced: factorctl resync %[1]s"
)

// advice is what the owner of these tokens can look at.
func advice(tokens []*token) string {
	text := adviceCounter
	for _, t := range tokens {
		switch {
		case t.TOTP != nil:
			text = adviceTime
		case t.HOTP.Resync:
			return fmt.Sprintf(adviceResync, t.ID)
		}
	}
	return text
}

// Describe implements factor.Keeper.
func (f *Factor) Describe(r factor.Record) (factor.Item, error) {
	t, err := record.Decode[token](r)
	if err != nil {
		return factor.Item{}, err
	}
	return factor.Item{
		ID: t.ID, Factor: f.Name(), Kind: t.Kind(), Name: t.Name,
		Created: t.Created, Used: t.Used, Detail: t.detail(),
	}, nil
}
