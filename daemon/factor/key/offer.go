package key

import (
	"fmt"

	"github.com/factord/factord/daemon/factor"
)

// Choice is one key that can be asked in a login.
type Choice struct {
	Serial uint32
	Text   string // "touch of YubiKey 12345678", in a list
	Enter  string // "a touch of YubiKey 12345678", behind "Enter for"
	// Auto: nothing has to be typed for it, and the key asks for a touch.
	Auto bool
}

// Texts for who is refused.
const (
	textAway     = "your YubiKey works only at this machine itself, where it is plugged in"
	textPresence = "your YubiKey asks for neither touch nor PIN, which does not do here"
)

// Offer offers the choices that serve a login: here, and nowhere else. It is for those
// who have some; choices are those that can be taken, which may be none.
func Offer(l factor.Login, d Device, choices []Choice) (factor.Offer, error) {
	o := factor.Offer{Enrolled: true}
	switch {
	case !l.Wanted:
		return o, nil
	case !l.Local:
		o.Refused = textAway
		return o, nil
	case len(choices) == 0:
		o.Refused = textPresence
		return o, nil
	case d == nil:
		return factor.Offer{}, errNoDevice()
	}
	o.Usable, o.Enter, o.Auto = true, choices[0].Enter, choices[0].Auto
	for _, c := range choices {
		o.Choices = append(o.Choices, c.Text)
	}
	return o, nil
}

// Touch is the choice that asks a key for a touch.
func Touch(serial uint32) Choice {
	what := fmt.Sprintf("touch of %s", Name(serial))
	return Choice{Serial: serial, Text: what, Enter: "a " + what, Auto: true}
}
