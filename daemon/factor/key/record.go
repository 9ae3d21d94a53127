package key

import (
	"fmt"
	"strconv"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/record"
)

// Head is what the records of factors begin with that ask a key.
type Head struct {
	record.Head
	// Serial is the key's number; 0: it shows none, or is known by something else.
	Serial uint32 `json:"serial,omitempty"`
	// NoPresence: the key answers though nobody touches it or gives a PIN.
	NoPresence bool `json:"no-presence,omitempty"`
}

// Serves reports whether what the key asks of a person is enough for a login.
func (h *Head) Serves(l factor.Login) bool { return !l.Presence || !h.NoPresence }

// Detail is what may be shown of it.
func (h *Head) Detail() map[string]string {
	d := map[string]string{}
	if h.Serial != 0 {
		d["serial"] = strconv.FormatUint(uint64(h.Serial), 10)
	}
	if h.NoPresence {
		d["presence"] = "none: only for rules with presence = false"
	}
	return d
}

// MaxKeys is how many records each of these factors keeps for a user.
const MaxKeys = 5

// Full refuses one more.
func Full(n int) error {
	if n < MaxKeys {
		return nil
	}
	return factor.Refusal(fmt.Sprintf("no more than %d keys per user\nhint: factorctl remove takes one away", MaxKeys))
}
