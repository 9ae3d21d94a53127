package piv_test

import (
	"slices"
	"testing"

	gopiv "github.com/go-piv/piv-go/v2/piv"

	"github.com/factord/factord/usb/virtual/card"
)

// A card can have more tries of its PIN than there are questions in a row. That is the end
// of the questions, and no failure of factord.
func TestManyTries(t *testing.T) {
	d := newDesk(t)
	k := d.insert(card.Config{}, gopiv.PINPolicyOnce, gopiv.TouchPolicyNever)
	k.use(func(yk *gopiv.YubiKey) error { return yk.SetRetries(gopiv.DefaultManagementKey, pin, 10, 10) })
	d.mustEnroll("", pin)
	v, p := d.login("", wrong, wrong, wrong, wrong)
	if v.Allow || !slices.Contains(p.Shown, "too many wrong answers: log in again") {
		t.Errorf("%+v read %q", v, p.Shown)
	}
	if v, p := d.login("", pin); !v.Allow {
		t.Errorf("the next login: %+v read %q", v, p.Shown)
	}
}
