package record

import (
	"fmt"
	"strings"

	"github.com/factord/factord/daemon/factor"
)

// Name gives a new record its id, whose number is one more than the highest there
// is, and its name; without one, that is the id.
func Name[E Entry](e Entry, name string, existing []E) {
	n := uint64(0)
	for _, other := range existing {
		n = max(n, number(other))
	}
	h := e.Base()
	h.ID = fmt.Sprintf("%s-%d", e.Kind(), n+1)
	if h.Name = name; name == "" {
		h.Name = h.ID
	}
}

// Admit says whether a user who has these records may have one more with this id and
// name.
func Admit[E Entry](e Entry, existing []E) error {
	for _, other := range existing {
		switch {
		case number(other) == number(e):
			return factor.Refusal("another enrolment came between\nhint: enrol again")
		case strings.EqualFold(other.Base().Name, e.Base().Name):
			return factor.Refusal(fmt.Sprintf("the name %q is taken by %q\nhint: choose another with --name", e.Base().Name, other.Base().ID))
		}
	}
	return nil
}
