package ctl

import (
	"os"
	"slices"

	"github.com/factord/factord/daemon/wire"
)

// lacksBackup reports whether the user is known to have no backup codes. The factor
// is enrolled, so whatever goes wrong here is no error.
func (e enrolment) lacksBackup(call func(string, func([]byte)) error) bool {
	user := e.user
	if user == "" && os.Geteuid() == 0 {
		user = selfName() // root who names nobody is shown everybody
	}
	lacks := false
	err := call(wire.Command(wire.VerbList, "user", user), func(line []byte) {
		items, err := decode[[]item](line)
		lacks = err == nil && !slices.ContainsFunc(items, func(it item) bool { return it.Factor == "backup" })
	})
	return err == nil && lacks
}
