package yubico

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/record"
)

var _ factor.Importer = (*Factor)(nil)

// Import implements factor.Importer, for keys that are verified here.
func (f *Factor) Import(i factor.Import) (factor.Batch, error) {
	rows, err := parseKeys(i.File)
	if err != nil {
		return factor.Batch{}, err
	}
	if i.User == "" {
		err = assign(rows, i.Owners)
	}
	if err != nil {
		return factor.Batch{}, err
	}
	var b factor.Batch
	var owned []*row
	for _, r := range rows {
		if i.User != "" {
			r.user = i.User
		}
		if r.user == "" {
			b.Left++
			continue
		}
		owned, b.Users = append(owned, r), append(b.Users, r.user)
	}
	slices.Sort(b.Users)
	b.Users = slices.Compact(b.Users)
	b.Commit = func(of func(string) factor.Records, now time.Time) ([]factor.Imported, error) {
		return commitAll(owned, of, now)
	}
	return b, nil
}

// commitAll keeps the keys of an import. Its errors name their lines.
func commitAll(rows []*row, of func(string) factor.Records, now time.Time) ([]factor.Imported, error) {
	var all []factor.Imported
	var taken *known
	for _, r := range rows {
		rs := of(r.user)
		if taken == nil {
			var err error
			if taken, err = everybodys(rs); err != nil {
				return nil, err
			}
		}
		k, err := r.keep(rs, taken, now)
		var no factor.Refusal
		switch {
		case errors.As(err, &no):
			return nil, factor.Refusal(fmt.Sprintf("line %d: %s", r.line, no))
		case err != nil:
			return nil, fmt.Errorf("line %d: %w", r.line, err)
		}
		all = append(all, factor.Imported{User: r.user, ID: k.ID, Name: k.Name})
	}
	return all, nil
}

// everybodys are the keys that are enrolled for anybody. To look through all of them
// for each new one would take long.
func everybodys(rs factor.Records) (*known, error) {
	others, ok := rs.(factor.Neighbours)
	if !ok {
		return nil, errUnknownOwners
	}
	taken := newKnown()
	for user, r := range others.Others() {
		k, err := record.Decode[key](r)
		if err != nil {
			return nil, unknownOwner(user, r.ID)
		}
		taken.add(k.PublicID, k.Local, 0)
	}
	list, err := rs.List()
	for _, k := range record.Readable[key](list) {
		taken.add(k.PublicID, k.Local, 0)
	}
	if errors.Is(err, factor.ErrDamaged) { // which keep says, if it matters
		err = nil
	}
	return taken, err
}

// keep puts the key of one row.
func (r *row) keep(rs factor.Records, taken *known, now time.Time) (*key, error) {
	existing, err := record.List[key](rs)
	if err != nil {
		return nil, err
	}
	k := &key{PublicID: r.publicID, Local: r.secrets}
	k.Version, k.Created = version, record.Stamp(now)
	record.Name(k, r.name, existing)
	if err := k.admit(existing); err != nil {
		return nil, err
	}
	if _, found := taken.find(k.PublicID, k.Local); found {
		return nil, errOthersKey
	}
	if err := record.Check(k); err != nil {
		return nil, err
	}
	return k, record.Put(rs, k)
}
