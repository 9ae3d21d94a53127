package yubico

import (
	"fmt"
	"strings"

	"github.com/factord/factord/daemon/factor"
)

// Limits of a line of an owners' file: KEY,USER or KEY,USER,NAME.
const (
	minOwner = 2
	maxOwner = 3
)

// assign gives the keys to users, as a file says that has no secrets: a line for each
// key that is somebody's, with the key's public id or serial number, the user, and the
// name that the key is to have. A key without such a line stays nobody's, since files
// of keys have those that are still in the drawer. A line without a key is a mistake.
func assign(rows []*row, owners factor.Secret) error {
	byID, bySerial := map[string][]*row{}, map[string][]*row{}
	for _, r := range rows {
		byID[r.publicID] = append(byID[r.publicID], r)
		if r.serial != "" {
			bySerial[r.serial] = append(bySerial[r.serial], r)
		}
	}
	given := map[*row]int{}
	for at, fields := range lines(owners) {
		fail := func(format string, args ...any) error {
			return fmt.Errorf("line %d of the users: %s", at, fmt.Sprintf(format, args...))
		}
		if len(fields) < minOwner || len(fields) > maxOwner || len(fields[0]) == 0 || len(fields[1]) == 0 {
			return fail("it is not KEY,USER or KEY,USER,NAME")
		}
		found := byID[strings.ToLower(string(fields[0]))]
		if len(found) == 0 && isSerial(fields[0]) {
			found = bySerial[strings.TrimLeft(string(fields[0]), "0")]
		}
		switch {
		case len(found) == 0 && isHeader(fields) && checkPublicID(strings.ToLower(string(fields[0]))) != nil:
			return fail("it names columns\nhint: take the line out, or put # before it")
		case len(found) == 0:
			return fail("the file has no key with this public id or serial number")
		case len(found) > 1:
			return fail("lines %d and %d have this serial number\nhint: name the key by its public id", found[0].line, found[1].line)
		case given[found[0]] != 0:
			return fail("this key has an owner already, on line %d", given[found[0]])
		}
		r := found[0]
		given[r] = at
		r.user, r.given = string(fields[1]), at
		if len(fields) == maxOwner && len(fields[2]) > 0 {
			r.name = string(fields[2])
			if err := factor.CheckName(r.name); err != nil {
				return fail("%v", err)
			}
		}
	}
	if len(given) == 0 {
		return fmt.Errorf("no key has an owner\nhint: a line is like PUBLIC-ID,USER or SERIAL,USER")
	}
	return nil
}
