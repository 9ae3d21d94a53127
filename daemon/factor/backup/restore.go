package backup

import (
	"errors"
	"time"

	"github.com/factord/factord/daemon/factor"
)

// An old copy of the database has codes as unspent that were spent since. Which
// they are nobody knows, so a restored backup voids them all; a voided one stays,
// to be told from one that never was.
//
// What can't be read stays as it is: nothing is accepted from it, and it must not
// keep the rest of a backup from being restored.
var (
	_ factor.Restorer = (*Factor)(nil)
	_ factor.Restorer = (*Bypass)(nil)
	_ factor.Restorer = (*Invite)(nil)
)

// Restored implements factor.Restorer.
func (f *Factor) Restored(rs factor.Records, _ []factor.Record, _ time.Time) error {
	return each(rs, func(r factor.Record) error {
		s, err := decodeSet(r)
		if err != nil || s.Voided {
			return nil
		}
		s.Voided = true
		for i := range s.Codes {
			s.Codes[i].Spent = true
		}
		return s.put(rs)
	})
}

// Restored implements factor.Restorer.
func (b *Bypass) Restored(rs factor.Records, _ []factor.Record, _ time.Time) error {
	return b.tickets.void(rs)
}

// Restored implements factor.Restorer.
func (v *Invite) Restored(rs factor.Records, _ []factor.Record, _ time.Time) error {
	return v.tickets.void(rs)
}

func (ts tickets) void(rs factor.Records) error {
	return each(rs, func(r factor.Record) error {
		t, err := ts.decode(r)
		if err != nil || t.Voided || !t.Used.IsZero() {
			return nil
		}
		t.Voided = true
		return t.put(rs)
	})
}

// each calls change with every record that the store can read.
func each(rs factor.Records, change func(factor.Record) error) error {
	list, err := rs.List()
	if err != nil && !errors.Is(err, factor.ErrDamaged) {
		return err
	}
	for _, r := range list {
		if err := change(r); err != nil {
			return err
		}
	}
	return nil
}

// detail is what may be shown of a record.
func detail(key, value string, voided bool) map[string]string {
	d := map[string]string{key: value}
	if voided {
		d["voided"] = "by a restored backup"
	}
	return d
}
