package yubico

import (
	"context"
	"fmt"
	"slices"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/record"
)

// Verify implements factor.Factor. Which key an OTP is from, its public id says;
// only the user's own are looked at, so that another user's key proves nothing
// however valid it is. If a record can't be read, it is not known whose an OTP is,
// and the attempt ends; other answers pass on, so that a backup code still works.
func (f *Factor) Verify(_ context.Context, l factor.Login, answer factor.Secret) (factor.Claim, error) {
	keys, err := record.DecodeAll[key](l.Records)
	publicID, token, ok := typedBy(keys, answer)
	switch {
	case !ok:
		return factor.Claim{}, factor.ErrNotMine
	case err != nil:
		return factor.Claim{}, err
	}
	at := slices.IndexFunc(keys, func(k *key) bool { return k.PublicID == string(publicID) })
	if at < 0 {
		return factor.Claim{Settle: func(factor.Records) (factor.Finding, error) {
			return factor.Finding{Log: fmt.Sprintf("%s has no YubiKey with %s", l.User, named(publicID))}, nil
		}}, nil
	}
	if keys[at].Local == nil {
		return f.ask(keys[at], l, slices.Concat(publicID, token)), nil
	}
	return factor.Claim{Settle: func(rs factor.Records) (factor.Finding, error) {
		defer clear(token)
		k, err := keys[at].again(rs)
		if k == nil || err != nil {
			return factor.Finding{}, err
		}
		return k.settle(rs, token, l)
	}}, nil
}

// named is how a key that is not the user's is told to root. A public id has 12
// characters if nobody changed that; anything else may be the beginning of a static
// password, which a long touch types in the same letters, and is not repeated.
func named(publicID []byte) string {
	if len(publicID) != usualPublicID {
		return "the public id that was typed"
	}
	return fmt.Sprintf("the public id %q", publicID)
}

// again reads a key as it is kept now. It is nil if it is not there any more, or is
// another one.
func (k *key) again(rs factor.Records) (*key, error) {
	value, ok, err := rs.Get(k.ID)
	if err != nil || !ok {
		return nil, err
	}
	defer clear(value)
	now, err := record.Decode[key](factor.Record{ID: k.ID, Value: value})
	if err != nil || now.PublicID != k.PublicID || (now.Local == nil) != (k.Local == nil) {
		return nil, err
	}
	return now, nil
}

// settle decides about a token of a key whose secrets are here.
func (k *key) settle(rs factor.Records, token []byte, l factor.Login) (factor.Finding, error) {
	found := factor.Finding{ID: k.ID}
	if k.Local.Resync {
		found.Log = fmt.Sprintf("%q has to be resynced after a restored backup: factorctl resync %s --user %s", k.ID, k.ID, l.User)
		return found, nil
	}
	c, ok := k.Local.secrets().open(token)
	switch {
	case !ok:
		found.Log = fmt.Sprintf("not an OTP of %q", k.ID)
	case !k.accepts(c):
		found.Outcome = factor.Replayed
		found.Log = fmt.Sprintf("OTP %v of %q was spent before: the last one was %v", c, k.ID, k.Next-1)
	case c.worn():
		found.Note = "this YubiKey is worn out: replace it"
		found.Log = fmt.Sprintf("%q has come to the end of its counter", k.ID)
	default:
		k.spend(c)
		k.Used = record.Stamp(l.Now)
		found.Outcome = factor.Proven
		return found, record.Put(rs, k)
	}
	return found, nil
}
