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
	switch {
	case i.Origin != "":
		return factor.Batch{}, errors.New("--origin is not for YubiKeys that type")
	case i.User == "" && len(i.Owners) == 0:
		return factor.Batch{}, errors.New("the file does not say whose the keys are\nhint: --users FILE, or --user USER")
	}
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
	b := factor.Batch{Where: map[string]string{}}
	var owned []*row
	for _, r := range rows {
		if i.User != "" {
			r.user = i.User
		}
		if r.user == "" {
			b.Left++
			continue
		}
		if line := b.Where[r.user]; r.given > 0 && line == "" {
			b.Where[r.user] = fmt.Sprintf("line %d of the users", r.given)
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
			if taken, err = everybodys(r.user, rs); err != nil {
				return nil, err
			}
		}
		k, err := r.keep(rs, taken, now)
		var no factor.Refusal
		switch {
		case errors.As(err, &no):
			return nil, factor.Refusal(fmt.Sprintf("line %d of the keys: %s", r.line, no))
		case err != nil:
			return nil, fmt.Errorf("line %d of the keys: %w", r.line, err)
		}
		one := factor.Imported{User: r.user, ID: k.ID, Name: k.Name, Detail: map[string]string{"public-id": k.PublicID}}
		if r.serial != "" {
			one.Detail["serial"] = r.serial
		}
		all = append(all, one)
	}
	return all, nil
}

// everybodys are the keys that are enrolled for anybody. To look through all of them
// for each new one would take long.
func everybodys(user string, rs factor.Records) (*known, error) {
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
		taken.add(k.PublicID, k.Local, seen{user: user, id: k.ID})
	}
	list, err := rs.List()
	for _, k := range record.Readable[key](list) {
		taken.add(k.PublicID, k.Local, seen{user: user, id: k.ID})
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
	for _, other := range existing {
		if k.same(other) {
			return nil, r.taken(seen{user: r.user, id: other.ID})
		}
	}
	if err := k.admit(existing); err != nil {
		return nil, err
	}
	if other, found := taken.find(k.PublicID, k.Local); found {
		return nil, r.taken(other)
	}
	if err := record.Check(k); err != nil {
		return nil, err
	}
	return k, record.Put(rs, k)
}

// taken refuses a key that somebody has. It is said to root alone.
func (r *row) taken(by seen) factor.Refusal {
	hint := "take this line out of the keys"
	if r.given > 0 {
		hint = fmt.Sprintf("take line %d out of the users", r.given)
	}
	if by.user == r.user {
		return factor.Refusal(fmt.Sprintf("the YubiKey with the public id %q is enrolled for %s already, as %q\nhint: %s", r.publicID, by.user, by.id, hint))
	}
	return factor.Refusal(fmt.Sprintf("the YubiKey with the public id %q is another user's: %s has it, as %q\nhint: %s; or, if it has changed hands: factorctl remove %s --user %s",
		r.publicID, by.user, by.id, hint, by.id, by.user))
}
