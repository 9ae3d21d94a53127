package piv_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"strings"
	"testing"

	gopiv "github.com/go-piv/piv-go/v2/piv"

	"github.com/factord/factord/daemon/factor/key"
	"github.com/factord/factord/daemon/factor/piv"
	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire/agent"
	"github.com/factord/factord/usb/virtual/card"
)

// importKey puts a key into slot 9a that was made elsewhere, with its certificate.
func (k *yubikey) importKey(pin gopiv.PINPolicy, touch gopiv.TouchPolicy) {
	k.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		k.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "imported"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		k.t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		k.t.Fatal(err)
	}
	k.use(func(yk *gopiv.YubiKey) error {
		policy := gopiv.Key{Algorithm: gopiv.AlgorithmEC256, PINPolicy: pin, TouchPolicy: touch}
		if err := yk.SetPrivateKeyInsecure(gopiv.DefaultManagementKey, gopiv.SlotAuthentication, private, policy); err != nil {
			return err
		}
		return yk.SetCertificate(gopiv.DefaultManagementKey, gopiv.SlotAuthentication, certificate)
	})
}

// TestImported: of a key that was made elsewhere nothing is believed, and the PIN is
// demanded.
func TestImported(t *testing.T) {
	d := newDesk(t)
	for _, version := range []card.Version{{4, 3, 5}, {5, 4, 3}, {5, 7, 1}} {
		k := d.insertEmpty(card.Config{Version: version})
		k.importKey(gopiv.PINPolicyOnce, gopiv.TouchPolicyNever)
		data, p, err := d.enroll("", pin)
		if err != nil || !strings.Contains(data, `"attested":false`) || !strings.Contains(p.read(), "not proven where the key was made") {
			t.Errorf("%v: %s, %v, %q", version, data, err, p.Shown)
		}
		if list := d.MustCall("LIST user=alice"); !strings.Contains(list, `"asks":"PIN","attested":"no"`) || strings.Contains(list, "policies") {
			t.Errorf("list %s", list)
		}
		v, p := d.login("", pin)
		d.allowed(v, p)
		d.MustCall("REMOVE user=alice id=piv-1")

		// A card that says it wants a touch, and no PIN, could be any.
		k.importKey(gopiv.PINPolicyNever, gopiv.TouchPolicyAlways)
		d.mustEnroll("", pin)
		before := k.pins()
		v, p = d.login("", wrong)
		if d.denied(v, p); !strings.Contains(p.read(), "Wrong, 2 tries are left") {
			t.Errorf("%v: read %q", version, p.Shown)
		}
		v, p = d.login("", pin)
		if d.allowed(v, p); k.pins() != before+2 {
			t.Errorf("%v: %d PINs", version, k.pins()-before)
		}
		d.MustCall("REMOVE user=alice id=piv-1")
		k.Remove()
	}
}

// TestForged has attestations that say all the right things, or are about something
// else.
func TestForged(t *testing.T) {
	required := deskWith(t, piv.Config{Attested: true})
	other := card.NewAuthority("Yubico PIV Root CA Serial 263751")
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	lie := func(change func(*card.Attestation)) card.Config {
		return card.Config{Forge: func(f9 *card.Authority, what card.Attestation) ([]byte, error) {
			change(&what)
			return f9.Attest(what)
		}}
	}
	for name, c := range map[string]card.Config{
		"a root of one's own":          {Authority: other},
		"another serial number":        lie(func(a *card.Attestation) { a.Serial++ }),
		"another slot":                 lie(func(a *card.Attestation) { a.Slot = 0x9c }),
		"another key":                  lie(func(a *card.Attestation) { a.Key = stranger.Public() }),
		"no policies":                  lie(func(a *card.Attestation) { a.PINPolicy, a.TouchPolicy = 0, 0 }),
		"a PIN policy that is unknown": lie(func(a *card.Attestation) { a.PINPolicy = 9 }),
		"the device for the slot": {Forge: func(f9 *card.Authority, _ card.Attestation) ([]byte, error) {
			return f9.Certificate.Raw, nil
		}},
		"signed by somebody else": {Forge: func(_ *card.Authority, what card.Attestation) ([]byte, error) {
			return other.Intermediate("Yubico PIV Attestation").Attest(what)
		}},
		"garbage": {Forge: func(*card.Authority, card.Attestation) ([]byte, error) { return []byte("garbage"), nil }},
	} {
		t.Run(name, func(t *testing.T) {
			k := required.insert(c, gopiv.PINPolicyNever, gopiv.TouchPolicyAlways)
			defer k.Remove()
			why := "only a key can be enrolled that proves where it was made"
			if name == "garbage" {
				why = "gave no clear answer"
			}
			required.refused(why, "", pin)
			if k.pins() != 0 {
				t.Error("the PIN was sent")
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		k := required.insertEmpty(card.Config{})
		defer k.Remove()
		k.importKey(gopiv.PINPolicyOnce, gopiv.TouchPolicyNever)
		required.refused("the card has no attestation of it", "", pin)
	})
	t.Run("the truth", func(t *testing.T) {
		k := required.insert(card.Config{}, gopiv.PINPolicyNever, gopiv.TouchPolicyAlways)
		defer k.Remove()
		required.mustEnroll("")
	})
}

// TestForgedOptional: where none is demanded, a forged one is worth as much as none.
func TestForgedOptional(t *testing.T) {
	d := newDesk(t)
	d.insert(card.Config{Authority: card.NewAuthority("Yubico PIV Root CA Serial 263751")}, gopiv.PINPolicyNever, gopiv.TouchPolicyAlways)
	if data := d.mustEnroll("", pin); !strings.Contains(data, `"attested":false`) {
		t.Errorf("enrolled %s", data)
	}
	if list := d.MustCall("LIST user=alice"); !strings.Contains(list, `"asks":"PIN","attested":"no"`) {
		t.Errorf("list %s", list)
	}
}

// TestNoPresence: a key that asks for nothing is root's to enrol, and serves the rules
// that say so.
func TestNoPresence(t *testing.T) {
	d := newDesk(t)
	for name, insert := range map[string]func() *yubikey{
		"made there": func() *yubikey { return d.insert(card.Config{}, gopiv.PINPolicyNever, gopiv.TouchPolicyNever) },
		"imported": func() *yubikey {
			k := d.insertEmpty(card.Config{})
			k.importKey(gopiv.PINPolicyNever, gopiv.TouchPolicyNever)
			return k
		},
	} {
		t.Run(name, func(t *testing.T) {
			k := insert()
			defer k.Remove()
			d.Configure(rules)
			d.refused("asks for neither PIN nor touch", "", pin)
			if data := d.mustEnroll("no-presence=1"); !strings.Contains(data, "asks for nothing; for rules with presence = false only") {
				t.Errorf("enrolled %s", data)
			}
			if list := d.MustCall("LIST user=alice"); !strings.Contains(list, `"presence":"none: only for rules with presence = false"`) || !strings.Contains(list, `"asks":"nothing"`) {
				t.Errorf("list %s", list)
			}
			v, p := d.login("")
			if d.denied(v, p); v.Text != "your YubiKey asks for neither touch nor PIN, which does not do here" {
				t.Errorf("text %q", v.Text)
			}
			d.Configure(strings.Replace(rules, "[[rule]]", "[[rule]]\npresence=false", 1))
			v, p = d.login("")
			d.allowed(v, p, "Press Enter for a signature of "+k.name+": ")
			if k.pins() != 0 {
				t.Error("a PIN was sent")
			}
			d.MustCall("REMOVE user=alice id=piv-1")
		})
	}
	t.Run("who asks for more", func(t *testing.T) {
		k := d.insert(card.Config{}, gopiv.PINPolicyOnce, gopiv.TouchPolicyNever)
		defer k.Remove()
		d.Configure(rules)
		d.mustEnroll("no-presence=1", pin)
		v, p := d.login("", pin)
		d.allowed(v, p)
	})
	if _, err := factordtest.Call(d.Socket, 1001, "ENROLL factor=piv no-presence=1"); err == nil || !strings.Contains(err.Error(), "only root") {
		t.Errorf("as alice: %v", err)
	}
}

// TestSlots: the other slots, with their other policies, and none.
func TestSlots(t *testing.T) {
	d := newDesk(t)
	k := d.insertEmpty(card.Config{})
	d.refused("slot 9a of "+k.name+" has no key that can sign", "")
	k.use(func(yk *gopiv.YubiKey) error {
		_, err := yk.GenerateKey(gopiv.DefaultManagementKey, gopiv.SlotSignature, gopiv.Key{Algorithm: gopiv.AlgorithmEC384, PINPolicy: gopiv.PINPolicyAlways, TouchPolicy: gopiv.TouchPolicyNever})
		return err
	})
	if data := d.mustEnroll("slot=9C name=red", pin); !strings.Contains(data, `"name":"red"`) || !strings.Contains(data, `"slot":"9c"`) || !strings.Contains(data, "P-384") {
		t.Errorf("enrolled %s", data)
	}
	v, p := d.login("", pin)
	d.allowed(v, p)
	for options, why := range map[string]string{
		"slot=f9": "no slot for logging in", "slot=2": "no slot for logging in", "digits=6": `a PIV key has no "digits"`,
		"slot=9d": "has no key that can sign", "slot=9c name=blue": "is enrolled already",
	} {
		d.refused(why, options)
	}
	k.generate(gopiv.PINPolicyOnce, gopiv.TouchPolicyNever)
	d.refused(`the name "RED" is taken`, "name=RED", pin)
}

// TestAbsentAtEnrolment: no key, and one that is named and comes.
func TestAbsentAtEnrolment(t *testing.T) {
	d := newDesk(t)
	d.refused("no YubiKey with PIV is plugged in", "")
	k := d.insert(card.Config{}, gopiv.PINPolicyOnce, gopiv.TouchPolicyNever)
	other, err := gopiv.Open(k.Reader)
	if err != nil {
		t.Fatal(err)
	}
	d.refused("another program holds the key", "")
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	k.Remove()
	back := make(chan struct{})
	go func() {
		defer close(back)
		d.Wait(func() bool { return d.device.asked() > 2 && !d.device.idle() })
		k.Key = d.readers.Insert(k.Card)
	}()
	d.mustEnroll(fmt.Sprintf("serial=%d", k.Card.Serial()), pin)
	<-back
}

// TestLies: what factord-usb says is checked.
func TestLies(t *testing.T) {
	d := newDesk(t)
	d.insert(card.Config{}, gopiv.PINPolicyOnce, gopiv.TouchPolicyNever)
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := x509.MarshalPKIXPublicKey(other.Public())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		lie func(*agent.CardReply)
		why string
	}{
		"another card":  {func(r *agent.CardReply) { r.Serial++ }, "factord-usb tells of slot"},
		"another slot":  {func(r *agent.CardReply) { r.Slot = "9c" }, "factord-usb tells of slot"},
		"no public key": {func(r *agent.CardReply) { r.Public = nil }, "won't do"},
		"garbage":       {func(r *agent.CardReply) { r.Public = []byte("garbage") }, "won't do"},
		"another key":   {func(r *agent.CardReply) { r.Public = stranger }, "has not what was enrolled"},
	} {
		d.device.after = func(j key.Job) {
			if r, ok := j.Reply.(*agent.CardReply); ok {
				c.lie(r)
			}
		}
		t.Run(name, func(t *testing.T) { d.refused(c.why, "", pin) })
	}
	d.device.after = func(j key.Job) {
		if r, ok := j.Reply.(*agent.SignReply); ok {
			r.Signature[len(r.Signature)-1] ^= 1
		}
	}
	t.Run("another signature", func(t *testing.T) { d.refused("has signed does not hold", "", pin) })
}

// TestMany: a user has so many, and no more.
func TestMany(t *testing.T) {
	d := newDesk(t)
	k := d.insert(card.Config{}, gopiv.PINPolicyOnce, gopiv.TouchPolicyNever)
	for n := range key.MaxKeys {
		if n > 0 {
			k.Remove()
			k = d.insert(card.Config{}, gopiv.PINPolicyOnce, gopiv.TouchPolicyNever)
		}
		d.mustEnroll("", pin)
	}
	d.refused("no more than 5 keys per user", "")
	enter := "Press Enter for the PIN of"
	v, p := d.login(fmt.Sprint(key.MaxKeys), pin) // the last of the choices
	if d.allowed(v, p); strings.HasPrefix(p.read(), enter) {
		t.Errorf("read %q", p.Shown)
	}
}
