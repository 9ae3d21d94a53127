package yubico

import (
	"fmt"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/record"
)

var (
	_ factor.Restorer = (*Factor)(nil)
	_ factor.Resyncer = (*Factor)(nil)
)

// Restored implements factor.Restorer. Of a key that servers verify, they know what
// is spent.
func (f *Factor) Restored(rs factor.Records, present []factor.Record, _ time.Time) error {
	return record.Change(rs, func(k *key) bool {
		changed := k.raise(present)
		if k.Local != nil && !k.Local.Resync {
			k.Local.Resync, changed = true, true
		}
		return changed
	})
}

// raise moves the counter to where the replaced database has it, which is never
// down. The key may have been removed and enrolled anew under another id.
func (k *key) raise(present []factor.Record) (changed bool) {
	for _, p := range record.Readable[key](present) {
		if !k.same(p) {
			continue
		}
		if p.Next > k.Next {
			k.Next, changed = p.Next, true
		}
		changed = k.Last.addAll(p.Last) || changed
		changed = k.Sent.addAll(p.Sent) || changed
	}
	return changed
}

// Resync implements factor.Resyncer. Two OTPs made one right after the other show
// that the key is at hand: those that were typed somewhere else and noted down are
// seldom two in a row. Neither may have been spent, and both are then.
func (f *Factor) Resync(rs factor.Records, id string, first, second factor.Secret, _ time.Time) (log string, err error) {
	k, err := record.Find[key](rs, id)
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
	log = fmt.Sprintf("counter of %q moved from %v to %v", k.ID, k.Next, two+1)
	k.spend(two)
	k.Local.Resync = false
	return log, record.Put(rs, k)
}

// counterIn is the counter of an OTP of this key.
func (k *key) counterIn(answer factor.Secret) (counter, bool) {
	publicID, token, ok := typedBy([]*key{k}, answer)
	if !ok || k.PublicID != string(publicID) {
		return 0, false
	}
	return k.Local.secrets().open(token)
}
