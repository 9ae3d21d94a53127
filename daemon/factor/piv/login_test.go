package piv_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	gopiv "github.com/go-piv/piv-go/v2/piv"

	"github.com/factord/factord/daemon/factor/key"
	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/store"
	"github.com/factord/factord/daemon/wire"
	"github.com/factord/factord/daemon/wire/agent"
	"github.com/factord/factord/usb/virtual/card"
)

// TestLogin has every firmware with all that a card may ask for.
func TestLogin(t *testing.T) {
	d := newDesk(t)
	for _, c := range []struct {
		version card.Version
		pin     gopiv.PINPolicy
		touch   gopiv.TouchPolicy
		asks    string
		enter   string
	}{
		{card.Version{4, 3, 5}, gopiv.PINPolicyOnce, gopiv.TouchPolicyNever, "PIN", "the PIN of %s"},
		{card.Version{5, 4, 3}, gopiv.PINPolicyAlways, gopiv.TouchPolicyAlways, "PIN and touch", "the PIN and a touch of %s"},
		{card.Version{5, 7, 1}, gopiv.PINPolicyOnce, gopiv.TouchPolicyCached, "PIN and touch", "the PIN and a touch of %s"},
		{card.Version{4, 3, 5}, gopiv.PINPolicyNever, gopiv.TouchPolicyAlways, "touch", ""},
		{card.Version{5, 7, 1}, gopiv.PINPolicyNever, gopiv.TouchPolicyCached, "PIN and touch", "the PIN and a touch of %s"},
	} {
		t.Run(fmt.Sprint(c.version, c.asks), func(t *testing.T) {
			k := d.insert(card.Config{Version: c.version}, c.pin, c.touch)
			defer k.Remove()
			var answers []string
			if c.enter != "" {
				answers = []string{pin}
			}
			data := d.mustEnroll("", answers...)
			if want := fmt.Sprintf(`"serial":%d,"slot":"9a","attested":true,"about":"%s, slot 9a, a key of the kind P-256; asks for %s; made in`, k.Card.Serial(), k.name, c.asks); !strings.Contains(data, want) {
				t.Errorf("enrolled %s, want %s", data, want)
			}
			list := d.MustCall("LIST user=alice")
			for _, want := range []string{`"asks":"` + c.asks + `"`, `"attested":"yes"`, `"slot":"9a"`, fmt.Sprintf(`"serial":"%d"`, k.Card.Serial())} {
				if !strings.Contains(list, want) {
					t.Errorf("list %s, want %s", list, want)
				}
			}
			before := k.pins()
			if c.enter == "" {
				v, p := d.login()
				d.allowed(v, p)
				if k.pins() != before {
					t.Error("a PIN was sent to a key that wants none")
				}
			} else {
				v, p := d.login("", pin)
				if d.allowed(v, p); !strings.HasPrefix(p.read(), fmt.Sprintf("Press Enter for "+c.enter+": |PIN of %s: ", k.name, k.name)) {
					t.Errorf("read %q", p.Shown)
				}
				if n := k.pins() - before; n != 1 {
					t.Errorf("the PIN was sent %d times", n)
				}
			}
			if last := d.audit(); !strings.Contains(last, `"factor":"piv"`) || !strings.Contains(last, `"id":"piv-1"`) {
				t.Errorf("audit: %s", last)
			}
			if list := d.MustCall("LIST user=alice"); !strings.Contains(list, `"used"`) {
				t.Errorf("not used: %s", list)
			}
			d.MustCall("REMOVE user=alice id=piv-1")
		})
	}
}

// TestLeftVerified: a PIN that another program has had verified is no proof of the person
// who logs in.
func TestLeftVerified(t *testing.T) {
	d := newDesk(t)
	k := d.insert(card.Config{}, gopiv.PINPolicyOnce, gopiv.TouchPolicyNever)
	d.mustEnroll("", pin)
	k.use(func(yk *gopiv.YubiKey) error { return yk.VerifyPIN(pin) })
	v, p := d.login("", wrong)
	d.denied(v, p, "Press Enter for the PIN of "+k.name+": ", "PIN of "+k.name+": ", "Wrong, 2 tries are left. PIN of "+k.name+": ")
	v, p = d.login("", pin)
	d.allowed(v, p)
	k.use(func(yk *gopiv.YubiKey) error { _, err := yk.Retries(); return err }) // which fails where a PIN is verified
}

// TestAbsent: the key is waited for after its PIN was typed.
func TestAbsent(t *testing.T) {
	d := newDesk(t)
	k := d.insert(card.Config{}, gopiv.PINPolicyOnce, gopiv.TouchPolicyNever)
	d.mustEnroll("", pin)
	k.Remove()
	v, p := d.loginWhen(map[string]func(){"Plug in " + k.name: func() { k.Key = d.readers.Insert(k.Card) }}, "", pin)
	d.allowed(v, p)
}

// TestRemoved: a key that is pulled out with the PIN is not sent it again.
func TestRemoved(t *testing.T) {
	d := newDesk(t)
	k := d.insert(card.Config{}, gopiv.PINPolicyOnce, gopiv.TouchPolicyNever)
	d.mustEnroll("", pin)
	k.Card.SetFault(func(_ context.Context, apdu []byte, answer func([]byte) []byte) []byte {
		if verifies(apdu) {
			return nil
		}
		return answer(apdu)
	})
	before := k.pins()
	v, p := d.login("", pin)
	d.denied(v, p)
	if !strings.Contains(p.read(), k.name+" is not plugged in: plug it in and try again") {
		t.Errorf("read %q", p.Shown)
	}
	if n := k.pins() - before; n > 1 {
		t.Errorf("the PIN was sent %d times", n)
	}
	k.Card.SetFault(nil)
	k.Remove()
	k.Key = d.readers.Insert(k.Card)
	v, p = d.login("", pin)
	d.allowed(v, p)
}

// TestForeign: somebody's card in the first reader is not asked for anything.
func TestForeign(t *testing.T) {
	d := newDesk(t)
	foreign := d.insert(card.Config{}, gopiv.PINPolicyOnce, gopiv.TouchPolicyNever)
	k := d.insert(card.Config{}, gopiv.PINPolicyOnce, gopiv.TouchPolicyNever)
	d.refused("several YubiKeys are plugged in", "")
	d.refused("not the serial number", "serial=x")
	if data := d.mustEnroll(fmt.Sprintf("serial=%d", k.Card.Serial()), pin); !strings.Contains(data, k.name) {
		t.Errorf("enrolled %s", data)
	}
	v, p := d.login("", pin)
	d.allowed(v, p)
	if foreign.pins() != 0 {
		t.Error("the PIN was sent to another key")
	}
	k.Remove()
	v, p = d.loginWhen(map[string]func(){"Plug in " + k.name: func() { k.Key = d.readers.Insert(k.Card) }}, "", pin)
	d.allowed(v, p)
	if foreign.pins() != 0 {
		t.Error("the PIN was sent to another key")
	}
}

// TestHeld: another program has the card, which is waited for.
func TestHeld(t *testing.T) {
	d := newDesk(t)
	k := d.insert(card.Config{}, gopiv.PINPolicyOnce, gopiv.TouchPolicyNever)
	d.mustEnroll("", pin)
	other, err := gopiv.Open(k.Reader)
	if err != nil {
		t.Fatal(err)
	}
	v, p := d.loginWhen(map[string]func(){"Another program holds " + k.name + ": close it": func() { other.Close() }}, "", pin)
	d.allowed(v, p)
}

// TestAnotherKey: what is in the slot now was never enrolled, and gets no PIN.
func TestAnotherKey(t *testing.T) {
	d := newDesk(t)
	k := d.insert(card.Config{}, gopiv.PINPolicyOnce, gopiv.TouchPolicyNever)
	d.mustEnroll("", pin)
	k.generate(gopiv.PINPolicyOnce, gopiv.TouchPolicyNever)
	before := k.pins()
	v, p := d.login("", pin)
	d.denied(v, p)
	if !strings.Contains(p.read(), k.name+" has not what was enrolled") || k.pins() != before {
		t.Errorf("read %q, and the PIN was sent %d times", p.Shown, k.pins()-before)
	}
	d.refused("is enrolled already, as \"piv-1\", with another key", "")
}

// TestReplay: a signature is of one login's challenge, of one user's.
func TestReplay(t *testing.T) {
	d := newDesk(t)
	d.insert(card.Config{}, gopiv.PINPolicyOnce, gopiv.TouchPolicyNever)
	d.mustEnroll("", pin)
	d.mustEnroll("user=bob", pin) // who has the same key
	var old []byte
	var messages [][]byte
	d.device.after = func(j key.Job) {
		if r, ok := j.Reply.(*agent.SignReply); ok {
			old = bytes.Clone(r.Signature)
			messages = append(messages, j.Request.(*agent.SignRequest).Message)
		}
	}
	v, p := d.login("", pin)
	d.allowed(v, p)
	d.device.instead = func(j key.Job) (bool, error) {
		r, ok := j.Reply.(*agent.SignReply)
		if ok {
			r.Signature = old
		}
		return ok, nil
	}
	v, p = d.login("", pin)
	d.denied(v, p)
	if last := d.MustCall("AUDIT"); !strings.Contains(last, "does not hold for") || !strings.Contains(last, "the signature is wrong") {
		t.Errorf("audit: %s", last)
	}
	bob := sudo
	bob.User, d.other = "bob", true
	if v := d.Login(bob, "", pin); v.Allow {
		t.Error("a signature for alice lets bob in")
	}
	d.device.instead = nil
	if v := d.Login(bob, "", pin); !v.Allow {
		t.Errorf("bob: %+v", v)
	}
	if len(messages) != 2 || !bytes.HasPrefix(messages[0], []byte("factord-v1\x00piv\x00host.example\x00alice\x00sudo\x00")) ||
		!bytes.HasPrefix(messages[1], []byte("factord-v1\x00piv\x00host.example\x00bob\x00sudo\x00")) {
		t.Errorf("signed %q", messages)
	}
}

// TestRemovedMeanwhile: a record that is taken away while its key waits proves nothing.
func TestRemovedMeanwhile(t *testing.T) {
	d := newDesk(t)
	g := newGate()
	d.insert(card.Config{Touch: g.finger}, gopiv.PINPolicyNever, gopiv.TouchPolicyAlways)
	g.touch <- struct{}{}
	d.mustEnroll("")
	<-g.reached
	v, p := d.loginWhen(map[string]func(){"Touch": func() {
		d.MustCall("REMOVE user=alice id=piv-1")
		g.touch <- struct{}{}
	}})
	d.denied(v, p)
}

// TestPresenceMeanwhile: a record that is for other rules by the time its key has signed
// proves nothing.
func TestPresenceMeanwhile(t *testing.T) {
	d := newDesk(t)
	g := newGate()
	d.insert(card.Config{Touch: g.finger}, gopiv.PINPolicyNever, gopiv.TouchPolicyAlways)
	g.touch <- struct{}{}
	d.mustEnroll("")
	<-g.reached
	v, p := d.loginWhen(map[string]func(){"Touch": func() {
		err := d.Store.Update(t.Context(), func(tx *store.Tx) error {
			rs := tx.Scope("alice", "piv")
			value, _, err := rs.Get("piv-1")
			return errors.Join(err, rs.Put("piv-1", bytes.Replace(value, []byte(`"slot"`), []byte(`"no-presence":true,"slot"`), 1)))
		})
		if err != nil {
			t.Error(err)
		}
		g.touch <- struct{}{}
	}})
	d.denied(v, p)
	if list := d.MustCall("LIST user=alice"); !strings.Contains(list, `"presence":"none`) {
		t.Errorf("list %s", list)
	}
}

// TestCachedTouch: a card that remembers a touch signs a second time though nobody is
// there: one touch would be two logins, so the PIN is demanded.
func TestCachedTouch(t *testing.T) {
	d := newDesk(t)
	k := d.insert(card.Config{}, gopiv.PINPolicyNever, gopiv.TouchPolicyCached)
	d.mustEnroll("", pin)
	v, p := d.login("", pin)
	d.allowed(v, p)
	k.Card.SetTouch(func(context.Context, byte) bool { return false })
	before := k.pins()
	v, p = d.login("", wrong)
	if d.denied(v, p); k.pins() != before+1 {
		t.Errorf("read %q", p.Shown)
	}
	d.MustCall("REMOVE user=alice id=piv-1")
	k.Card.SetTouch(func(context.Context, byte) bool { return true })
	d.mustEnroll("no-presence=1")
	if v, p := d.login(""); v.Allow || v.Text != "your YubiKey asks for neither touch nor PIN, which does not do here" {
		t.Errorf("%+v, read %q", v, p.Shown)
	}
}

func TestTouch(t *testing.T) {
	d := newDesk(t)
	g := newGate()
	k := d.insert(card.Config{Touch: g.finger}, gopiv.PINPolicyOnce, gopiv.TouchPolicyAlways)
	g.touch <- struct{}{}
	d.mustEnroll("", pin)
	<-g.reached
	t.Run("late", func(t *testing.T) {
		v, p := d.loginWhen(map[string]func(){"Touch " + k.name: func() {
			await(t, "the key waits", g.reached)
			g.touch <- struct{}{}
		}}, "", pin)
		d.allowed(v, p)
	})
	t.Run("never", func(t *testing.T) {
		k.Card.SetTouch(func(context.Context, byte) bool { return false })
		defer k.Card.SetTouch(g.finger)
		before := k.pins()
		v, p := d.login("", pin)
		d.denied(v, p)
		if !strings.Contains(p.read(), k.name+" was not touched in time") {
			t.Errorf("read %q", p.Shown)
		}
		if n := k.pins() - before; n != 1 {
			t.Errorf("the PIN was sent %d times", n)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		c, err := factordtest.Dial(d.Socket, -1)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() {
			_, err := wire.Login(wire.NewLines(c), sudo, &person{Talk: factordtest.Talk{Answers: []string{"", pin}}})
			ended <- err
		}()
		await(t, "the key waits", g.reached)
		begun := time.Now()
		c.Close()
		<-ended
		d.Wait(d.device.idle)
		t.Logf("all has ended %v after the client did", time.Since(begun))
		g.touch <- struct{}{} // too late: it is for nobody
		v, p := d.loginWhen(map[string]func(){"Touch " + k.name: func() {
			await(t, "the key waits", g.reached)
			g.touch <- struct{}{}
		}}, "", pin)
		d.allowed(v, p)
	})
}

// TestNotHere: who sits elsewhere, or can't type, has the key asked for nothing.
func TestNotHere(t *testing.T) {
	d := newDesk(t)
	d.insert(card.Config{}, gopiv.PINPolicyOnce, gopiv.TouchPolicyNever)
	d.mustEnroll("", pin)
	before := d.device.asked()
	mute := sudo
	mute.Conv = wire.ConvNone
	v, err := factordtest.Converse(d.Socket, -1, mute, &person{})
	if err != nil || v.Allow || v.Text != "your YubiKey asks for its PIN, which can't be typed here" {
		t.Errorf("%+v, %v", v, err)
	}
	d.away = true
	v, p := d.login("", pin)
	if d.denied(v, p); v.Text != "your YubiKey works only at this machine itself, where it is plugged in" {
		t.Errorf("text %q", v.Text)
	}
	if n := d.device.asked(); n != before {
		t.Errorf("%d jobs", n-before)
	}
}

// TestDiscreet: who has shown no first factor is not told which key it is.
func TestDiscreet(t *testing.T) {
	d := newDesk(t)
	k := d.insert(card.Config{}, gopiv.PINPolicyOnce, gopiv.TouchPolicyAlways)
	d.mustEnroll("", pin)
	stranger := sudo
	stranger.First = false
	p := &person{Talk: factordtest.Talk{Answers: []string{"", wrong, pin}}}
	v, err := factordtest.Converse(d.Socket, -1, stranger, p)
	if err != nil || !v.Allow || strings.Contains(p.read(), fmt.Sprint(k.Card.Serial())) || !strings.HasPrefix(p.read(), "Passcode: |PIN of your YubiKey: |") {
		t.Errorf("%+v, %v, read %q", v, err, p.Shown)
	}
}

// TestNoPCSCD: without the service it is an outage, before a PIN is asked for.
func TestNoPCSCD(t *testing.T) {
	d := newDesk(t)
	d.insert(card.Config{}, gopiv.PINPolicyOnce, gopiv.TouchPolicyNever)
	d.mustEnroll("", pin)
	d.readers.Kill()
	v, p := d.login("", pin)
	d.denied(v, p)
	if !strings.Contains(p.read(), "keys that are plugged in here can't be asked now") || strings.Contains(p.read(), "|PIN of") {
		t.Errorf("read %q", p.Shown)
	}
	d.readers.Start()
	v, p = d.login("", pin)
	d.allowed(v, p)
}

// TestFailures: what a person reads when nothing came of it, and the PIN is not told to
// anybody.
func TestFailures(t *testing.T) {
	d := newDesk(t)
	k := d.insert(card.Config{}, gopiv.PINPolicyOnce, gopiv.TouchPolicyNever)
	d.mustEnroll("", pin)
	for code, text := range map[agent.Code]string{
		agent.Held:      "another program holds " + k.name + ": close it and try again",
		agent.Gone:      k.name + " is not plugged in: plug it in and try again",
		agent.NoTouch:   k.name + " was not touched in time",
		agent.Late:      k.name + " did not answer in time: try again",
		agent.PINNeeded: k.name + " wants its PIN: log in again and give it",
		agent.NoAccess:  "keys that are plugged in here can't be asked now",
		agent.Internal:  "keys that are plugged in here can't be asked now",
	} {
		d.device.instead = func(j key.Job) (bool, error) {
			return j.Verb == agent.Sign, &agent.Error{Code: code, Text: "test"}
		}
		v, p := d.login("", pin)
		if d.denied(v, p); !strings.Contains(p.read()+"|", text) {
			t.Errorf("code %d: read %q, want %q", code, p.Shown, text)
		}
		if last := d.MustCall("AUDIT"); strings.Contains(last, pin) {
			t.Errorf("audit: %s", last)
		}
	}
	d.device.instead = func(j key.Job) (bool, error) { panic("test") }
	v, p := d.login("", pin)
	d.denied(v, p)
}

// TestLastTryMeanwhile: somebody else has spent tries since they were looked at.
func TestLastTryMeanwhile(t *testing.T) {
	d := newDesk(t)
	k := d.insert(card.Config{}, gopiv.PINPolicyOnce, gopiv.TouchPolicyNever)
	d.mustEnroll("", pin)
	v, p := d.loginWhen(map[string]func(){"PIN of": func() {
		k.use(func(yk *gopiv.YubiKey) error { yk.VerifyPIN(wrong); yk.VerifyPIN(wrong); return nil })
	}}, "", pin, "yes")
	d.allowed(v, p, "Press Enter for the PIN of "+k.name+": ", "PIN of "+k.name+": ", "A wrong PIN would block it now. Type yes to try: ")
}
