package yubico

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/factord/factord/daemon/factor"
)

var (
	_ factor.Restorer = (*Factor)(nil)
	_ factor.Resyncer = (*Factor)(nil)
)

// Restored implements factor.Restorer. A record that can't be read stays as it is:
// nothing is accepted while it is there, and it must not keep the others from being
// put right. Of a key that servers verify, they know what is spent.
func (f *Factor) Restored(rs factor.Records, present []factor.Record, _ time.Time) error {
	list, err := rs.List()
	if err != nil && !errors.Is(err, factor.ErrDamaged) {
		return err
	}
	for _, r := range list {
		k, err := decode(r)
		if err != nil {
			continue
		}
		changed := k.raise(present)
		if k.Local != nil && !k.Local.Resync {
			k.Local.Resync, changed = true, true
		}
		if !changed {
			continue
		}
		if err := k.put(rs); err != nil {
			return err
		}
	}
	return nil
}

// raise moves the counter to where the replaced database has it, which is never
// down. The key may have been removed and enrolled anew under another id.
func (k *key) raise(present []factor.Record) (changed bool) {
	for _, r := range present {
		p, err := decode(r)
		if err != nil || !k.same(p) {
			continue
		}
		if p.Next > k.Next {
			k.Next, changed = p.Next, true
		}
		if p.Last != nil && !bytes.Equal(p.Last, k.Last) {
			k.Last, changed = p.Last, true
		}
	}
	return changed
}

// Resync implements factor.Resyncer. Two OTPs made one right after the other show
// that the key is at hand: those that were typed somewhere else and noted down are
// seldom two in a row. Neither may have been spent, and both are then.
func (f *Factor) Resync(rs factor.Records, id string, first, second factor.Secret, _ time.Time) (log string, err error) {
	value, ok, err := rs.Get(id)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", fmt.Errorf("there is no %q\nhint: factorctl list shows the ids", id)
	}
	k, err := decode(factor.Record{ID: id, Value: value})
	if err != nil {
		return "", err
	}
	if k.Local == nil {
		return "", fmt.Errorf("%q is verified by a server, which knows its counter\nhint: if it is refused, the server's log says why", id)
	}
	one, ok1 := k.counterIn(first)
	two, ok2 := k.counterIn(second)
	if !ok1 || !ok2 || two != one+1 || one.use() != two.use() || !k.accepts(one) || two.worn() {
		return "", factor.ErrResync
	}
	log = fmt.Sprintf("counter of %q moved from %v to %v", k.id, k.Next, two+1)
	k.spend(two)
	k.Local.Resync = false
	return log, k.put(rs)
}

// counterIn is the counter of an OTP of this key.
func (k *key) counterIn(answer factor.Secret) (counter, bool) {
	publicID, token, ok := typed(answer)
	if !ok || k.PublicID != string(publicID) {
		return 0, false
	}
	return k.Local.secrets().open(token)
}
