package fido2_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/policy"
	"github.com/factord/factord/daemon/wire"
	"github.com/factord/factord/daemon/wire/agent"
	"github.com/factord/factord/usb/virtual/fido"
)

// limit is what no test waits longer for.
const limit = 20 * time.Second

// button puts a key's touch into the test's hands.
func button(k *fido.Key) (press func(yes bool)) {
	b := fido.NewButton()
	k.Change(func(o *fido.Options) { o.Touch = b.Touch })
	return func(yes bool) {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		b.Press(ctx, yes)
	}
}

func TestTouch(t *testing.T) {
	d, k := enrolled(t, fido.Options{}, "name=blue")
	press := button(k)
	l := d.begin()
	l.await("Touch security key blue")
	press(true)
	d.check(l.end(), "allow fido2", "Touch security key blue")
	if list := d.MustCall("LIST user=alice"); !strings.Contains(list, `"rp-id":"factord"`) || !strings.Contains(list, `"algorithm":"ES256"`) || !strings.Contains(list, `"used"`) {
		t.Errorf("list: %s", list)
	}
	if last := d.audit(); !strings.Contains(last, `"id":"fido2-1"`) {
		t.Errorf("audit: %s", last)
	}
}

func TestPIN(t *testing.T) {
	d, k := enrolled(t, fido.Options{PIN: pin}, "verification=pin", pin)
	d.expect("allow fido2", "PIN of security key fido2-1: ", "", pin)
	// A slip is no end, and a PIN that can't be one is not tried.
	d.expect("allow fido2", "Wrong, 7 tries are left. PIN of security key fido2-1: ", "", "000000", pin)
	d.expect("deny cancelled", "no PIN of security key fido2-1 is so short or long", "", "1")
	d.expect("deny cancelled", "no PIN was given", "", "")
	press := button(k)
	l := d.begin("", pin)
	l.await("Touch security key fido2-1")
	press(true)
	d.check(l.end(), "allow fido2", "")
	if log := d.log.String() + d.audit(); strings.Contains(log, pin) {
		t.Errorf("the PIN is in the log: %s", log)
	}
}

// The last try before a key is blocked is the person's to spend.
func TestLastTry(t *testing.T) {
	d, k := enrolled(t, fido.Options{PIN: pin}, "verification=pin", pin)
	replug := func() { d.pull("1-1"); d.plug("1-1", k) }
	d.expect("deny cancelled", "pull out security key fido2-1, plug it in and try again", "", "000000", "000000", "000000")
	d.expect("deny cancelled", "pull out security key fido2-1", "", pin)
	replug()
	d.expect("deny cancelled", "pull out security key fido2-1", "", "000000", "000000", "000000")
	replug()
	d.expect("deny cancelled", "PIN of security key fido2-1, 2 tries are left: |Wrong, 1 try is left. PIN of security key fido2-1: |"+
		"A wrong PIN would block it now. Type yes to try: |one try of the PIN is left, and was not used", "", "000000", pin, "no")
	d.expect("deny cancelled", "one try of the PIN is left, and was not used", "", pin, "")
	d.expect("allow fido2", "A wrong PIN would block it now. Type yes to try: ", "", pin, "yes")
	replug()
	d.expect("allow fido2", "PIN of security key fido2-1: ", "", pin) // all tries are back
	for range 2 {
		d.expect("deny cancelled", "pull out", "", "000000", "000000", "000000")
		replug()
	}
	d.expect("deny cancelled", "the PIN of security key fido2-1 is blocked", "", "000000", "000000", "yes")
	replug()
	d.expect("deny cancelled", "the PIN of security key fido2-1 is blocked", "", pin)
}

func TestBuiltIn(t *testing.T) {
	finger := true
	d, k := enrolled(t, fido.Options{Verify: func(context.Context) bool { return finger }}, "verification=built-in")
	d.expect("allow fido2", "")
	finger = false
	k.Change(func(*fido.Options) {})
	d.expect("deny cancelled", "security key fido2-1 did not recognise the finger")
}

// A key that hides its credential, or shows nothing without its PIN.
func TestHidden(t *testing.T) {
	for name, o := range map[string]fido.Options{"protected": {PIN: pin, Protect: 3}, "always": {PIN: pin, AlwaysUV: true}} {
		t.Run(name, func(t *testing.T) {
			d, k := enrolled(t, o, "verification=pin", pin)
			d.expect("allow fido2", "PIN of security key fido2-1: ", "", pin)
			if _, err := d.enroll("name=touch", pin); err == nil {
				t.Error("enrolled twice")
			}
			// With a second one it is not known beforehand which is there.
			d.pull("1-1")
			second := fido.New(o)
			d.plug("1-2", second)
			d.mustEnroll("verification=pin name=second", pin)
			d.expect("allow fido2", "PIN of your security key: ", "", pin)
			d.pull("1-2")
			d.plug("1-1", k)
			d.expect("allow fido2", "PIN of your security key: ", "", pin)
		})
	}
}

func TestSeveral(t *testing.T) {
	d, _ := enrolled(t, fido.Options{}, "name=home")
	d.pull("1-1")
	work, other := fido.New(fido.Options{}), fido.New(fido.Options{PIN: pin})
	d.plug("1-2", work)
	d.mustEnroll("name=work")
	d.pull("1-2")
	d.plug("1-3", other)
	d.mustEnroll("name=pin verification=pin", pin)
	d.plug("1-2", work)
	press := button(work)
	l := d.begin("") // the first choice, of two
	l.await("Touch security key work")
	press(true)
	d.check(l.end(), "allow fido2", "")
	d.expect("allow fido2", "PIN of security key pin: ", "2", pin)
	d.pull("1-2")
	l = d.begin("")
	l.await("Plug in your security key, then touch it")
	d.plug("1-2", work)
	l.await("Touch your security key")
	press(true)
	d.check(l.end(), "allow fido2", "")
}

// A key that was not enrolled is asked for nothing.
func TestForeignKey(t *testing.T) {
	d, k := enrolled(t, fido.Options{}, "")
	d.pull("1-1")
	foreign := fido.New(fido.Options{Touch: func(context.Context) bool { t.Error("it blinks"); return true }})
	d.plug("1-2", foreign)
	d.jobs.hasten(time.Second)
	d.expect("deny cancelled", "security key fido2-1 is not plugged in: plug it in and try again")
	d.jobs.hasten(0)
	l := d.begin()
	l.await("Plug in security key fido2-1, then touch it")
	d.plug("1-1", k)
	d.check(l.end(), "allow fido2", "")
}

// Pulled out while it blinks, it is waited for.
func TestPulledOut(t *testing.T) {
	d, k := enrolled(t, fido.Options{}, "")
	k.Change(func(o *fido.Options) { o.Touch = fido.Never })
	l := d.begin()
	l.await("Touch security key fido2-1")
	d.pull("1-1")
	l.await("Plug in security key fido2-1, then touch it")
	k.Change(func(o *fido.Options) { o.Touch = nil })
	d.plug("1-1", k)
	d.check(l.end(), "allow fido2", "")
}

func TestUntouched(t *testing.T) {
	d, k := enrolled(t, fido.Options{}, "")
	press := button(k)
	l := d.begin()
	press(false)
	d.check(l.end(), "deny cancelled", "it was declined at security key fido2-1, or nobody touched it")
	k.Change(func(o *fido.Options) { o.Touch = fido.Never })
	d.jobs.hasten(time.Second)
	d.expect("deny cancelled", "security key fido2-1 was not touched in time")
	k.Change(func(o *fido.Options) { o.TouchTimeout = 100 * time.Millisecond }) // it is asked again
	d.expect("deny cancelled", "security key fido2-1 was not touched in time")
	d.jobs.hasten(0)
	k.Change(func(o *fido.Options) { o.TouchTimeout, o.Touch = 0, fido.After(300*time.Millisecond) })
	d.expect("allow fido2", "")
}

// What is removed while the key blinks proves nothing.
func TestRemovedMeanwhile(t *testing.T) {
	d, k := enrolled(t, fido.Options{}, "")
	press := button(k)
	l := d.begin()
	l.await("Touch security key fido2-1")
	d.MustCall("REMOVE user=alice id=fido2-1")
	press(true)
	if o := l.end(); !strings.HasPrefix(o.verdict, "deny") {
		t.Errorf("%+v", o)
	}
}

// Two logins want one key: both are told, and the older one has the first touch.
func TestTwoLogins(t *testing.T) {
	d, k := enrolled(t, fido.Options{}, "")
	press := button(k)
	first := d.begin()
	first.await("Touch security key fido2-1")
	second := d.begin()
	second.await("Touch security key fido2-1 for sudo first, then again for this")
	first.await("Touch security key fido2-1 for this; sudo waits for the next touch")
	press(true)
	d.check(first.end(), "allow fido2", "")
	second.await("Touch security key fido2-1")
	press(true)
	d.check(second.end(), "allow fido2", "")
}

// Who hangs up leaves no key blinking.
func TestHangUp(t *testing.T) {
	d, k := enrolled(t, fido.Options{}, "")
	ended := make(chan struct{})
	k.Change(func(o *fido.Options) {
		o.Touch = func(ctx context.Context) bool { defer close(ended); return fido.Never(ctx) }
	})
	l := d.race("sudo")
	l.expect(question("Touch security key fido2-1:"))
	l.nc.Close()
	select {
	case <-ended:
	case <-time.After(limit):
		t.Fatal("it blinks on")
	}
	d.Wait(func() bool { return d.jobs.under() == 0 })
}

// From elsewhere, or from nobody knows where, no key is asked.
func TestElsewhere(t *testing.T) {
	d, _ := enrolled(t, fido.Options{}, "")
	opens := d.ports.count()
	for _, place := range []policy.Known{policy.No, policy.Unknown} {
		d.place = place
		d.expect("deny denied", "your security key works only at this machine itself, where it is plugged in", "", "1", "touch")
	}
	if d.ports.count() != opens || d.jobs.count(agent.Assert)+d.jobs.count("FIND") != 2 { // those of the enrolment
		t.Errorf("asked for %q", d.jobs.asked)
	}
}

// Where nothing can be typed no PIN is asked for.
func TestNobodyTypes(t *testing.T) {
	d, _ := enrolled(t, fido.Options{PIN: pin}, "verification=pin", pin)
	a := sudo
	a.Conv = wire.ConvInfo
	p := &factordtest.Talk{}
	v, err := factordtest.Converse(d.Socket, -1, a, p)
	if err != nil {
		t.Fatal(err)
	}
	d.check(outcome(v, p), "deny denied", "your security key wants its PIN, which can't be typed here")
}

// On a terminal the key waits beside the question, and whichever comes first counts.
func TestRace(t *testing.T) {
	d, k := enrolled(t, fido.Options{}, "")
	tok := d.MustEnroll("alice", "totp")
	ask := question("Touch security key fido2-1, or type a code:")
	press := button(k)
	l := d.race("sudo")
	l.expect(ask)
	press(true)
	l.expect("S VERDICT allow basis=factor factor=fido2 rule=any")
	l = d.race("sudo")
	l.expect(ask)
	l.send("D " + factordtest.TOTP(t, tok, d.Clock.Now()) + "\nEND")
	l.expect("S VERDICT allow basis=factor factor=totp rule=any")
	d.Wait(func() bool { return d.jobs.under() == 0 })
}
