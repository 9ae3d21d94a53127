package piv_test

import (
	"strings"
	"testing"

	gopiv "github.com/go-piv/piv-go/v2/piv"

	"github.com/factord/factord/usb/virtual/card"
)

// TestPIN is a PIN on its way down, and up again.
func TestPIN(t *testing.T) {
	d := newDesk(t)
	k := d.insert(card.Config{}, gopiv.PINPolicyAlways, gopiv.TouchPolicyNever)
	d.mustEnroll("", pin)
	enter, ask := "Press Enter for the PIN of "+k.name+": ", "PIN of "+k.name+": "
	const last = "A wrong PIN would block it now. Type yes to try: "

	t.Run("a slip", func(t *testing.T) {
		v, p := d.login("", wrong, pin)
		d.allowed(v, p, enter, ask, "Wrong, 2 tries are left. "+ask)
		v, p = d.login("", pin)
		d.allowed(v, p, enter, ask)
	})
	t.Run("no PIN", func(t *testing.T) {
		before := k.pins()
		for _, typed := range []string{"", "12345", "123456789", "correct horse battery staple"} {
			v, p := d.login("", typed)
			d.denied(v, p)
			want := "it was not tried"
			if typed == "" {
				want = "no PIN was given"
			}
			if !strings.Contains(p.read(), want) {
				t.Errorf("%q: read %q", typed, p.Shown)
			}
		}
		if k.pins() != before {
			t.Error("it was sent")
		}
	})
	t.Run("tries are shown", func(t *testing.T) {
		v, p := d.login("", wrong)
		d.denied(v, p, enter, ask, "Wrong, 2 tries are left. "+ask)
		v, p = d.login("", wrong)
		d.denied(v, p, enter, "PIN of "+k.name+", 2 tries are left: ", "Wrong, 1 try is left. "+ask)
	})
	lastTry := "PIN of " + k.name + ", 1 try is left: "
	t.Run("the last try is not spent", func(t *testing.T) {
		before := k.pins()
		for _, answer := range []string{"no", "", "y", "YES"} {
			v, p := d.login("", pin, answer)
			d.denied(v, p)
			if !strings.HasPrefix(p.read(), enter+"|"+lastTry+"|"+last+"|one try of the PIN is left, and was not used") {
				t.Errorf("read %q", p.Shown)
			}
		}
		if k.pins() != before {
			t.Error("it was spent")
		}
	})
	t.Run("the last try is right", func(t *testing.T) {
		v, p := d.login("", pin, "yes")
		d.allowed(v, p, enter, lastTry, last)
		v, p = d.login("", pin)
		d.allowed(v, p, enter, ask)
	})
	t.Run("blocked", func(t *testing.T) {
		const blocked = " is blocked: use another factor, and unblock it with the maker's program"
		v, p := d.login("", wrong, wrong, wrong, "yes")
		d.denied(v, p)
		if want := strings.Join([]string{enter, ask, "Wrong, 2 tries are left. " + ask, "Wrong, 1 try is left. " + ask, last, "the PIN of " + k.name + blocked}, "|"); !strings.HasPrefix(p.read(), want) {
			t.Errorf("read %q\nwant %q", p.Shown, want)
		}
		before := k.pins()
		v, p = d.login("")
		d.denied(v, p, enter, "the PIN of "+k.name+blocked, enter)
		if k.pins() != before {
			t.Error("a PIN was sent to a card that is blocked")
		}
		d.refused("is enrolled already", "")
		d.MustCall("REMOVE user=alice id=piv-1")
		d.refused("is blocked", "", pin)
		if k.pins() != before {
			t.Error("a PIN was sent to a card that is blocked")
		}
	})
}

// TestEnrolPIN: the same care when a key is set up.
func TestEnrolPIN(t *testing.T) {
	d := newDesk(t)
	k := d.insert(card.Config{}, gopiv.PINPolicyOnce, gopiv.TouchPolicyNever)
	ask := "PIN of " + k.name + ": "
	_, p, err := d.enroll("", wrong, wrong, pin, "no")
	if err == nil || !strings.Contains(err.Error(), "was not used") || k.pins() != 2 {
		t.Errorf("%v, %d PINs", err, k.pins())
	}
	d.hasRead(p, ask, "Wrong, 2 tries are left. "+ask, "Wrong, 1 try is left. "+ask, "A wrong PIN would block it now. Type yes to try: ")
	d.refused("it was not tried", "", "12345")
	d.refused("no PIN was given", "", "")
	d.refused("cancelled", "")
	_, p, err = d.enroll("", pin, "yes")
	if err != nil {
		t.Error(err)
	}
	d.hasRead(p, "PIN of "+k.name+", 1 try is left: ", "A wrong PIN would block it now. Type yes to try: ")
	if d.refused("is enrolled already", ""); k.pins() != 3 {
		t.Errorf("%d PINs", k.pins())
	}
}
