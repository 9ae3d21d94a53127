package proof

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"slices"
	"testing"
	"time"
)

func TestRealAttestation(t *testing.T) {
	trust, err := Yubico()
	if err != nil {
		t.Fatal(err)
	}
	slot, device := stored(t, "5.4.3-slot"), stored(t, "5.4.3-device")
	claim := Claim{Slot: Authentication, Serial: 15732500, Key: key(t, slot.PublicKey)}
	got, err := trust.Verify(Chain{slot.Raw, device.Raw}, claim, now)
	want := Attestation{Slot: Authentication, Serial: 15732500, Firmware: Firmware{5, 4, 3},
		PIN: PINOnce, Touch: TouchNever, Form: 4}
	if err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}

	other := stored(t, "4.3.7-device")
	if _, err := trust.Verify(Chain{slot.Raw, other.Raw}, claim, now); err == nil {
		t.Error("another device's certificate is taken")
	}
	// Its chain holds, for all that is odd in it; only the serial number is missing.
	old := stored(t, "4.3.7-slot")
	_, err = trust.Verify(Chain{old.Raw, other.Raw}, claim, now)
	if err == nil || err.Error() != "the attestation tells no serial number" {
		t.Errorf("the key of 2018: %v", err)
	}
}

// TestYubicoCertificates: what is built in leads to PIV, and to nothing else.
func TestYubicoCertificates(t *testing.T) {
	trust, err := Yubico()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for block, rest := pem.Decode(yubicoIntermediates); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, c.Subject.CommonName)
		chains, err := c.Verify(x509.VerifyOptions{Roots: trust.roots, Intermediates: trust.intermediates,
			CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		if err != nil || len(chains) != 1 {
			t.Errorf("%s is below no root: %v", c.Subject.CommonName, err)
		}
	}
	want := []string{"Yubico Attestation Intermediate A 1", "Yubico Attestation Intermediate B 1",
		"Yubico PIV Attestation A 1", "Yubico PIV Attestation B 1"}
	if !slices.Equal(names, want) {
		t.Errorf("the intermediates are %q, want %q", names, want)
	}
}

func TestAttestation(t *testing.T) {
	m := newMaker(t)
	ours := newKey(t)
	good := Claim{Slot: Authentication, Serial: 1234567, Key: key(t, ours.Public())}
	verify := func(slot, device *x509.Certificate) (Attestation, error) {
		return m.trust.Verify(Chain{slot.Raw, device.Raw}, good, now)
	}
	slot := issue(t, slotTemplate(), ours.Public(), m.device)
	got, err := verify(slot, m.device.cert)
	want := Attestation{Slot: Authentication, Serial: 1234567, Firmware: Firmware{5, 4, 3},
		PIN: PINAlways, Touch: TouchAlways, Form: 1}
	if err != nil || got != want {
		t.Fatalf("got %+v, %v, want %+v", got, err, want)
	}

	for name, claim := range map[string]Claim{
		"another slot":   {Slot: Signature, Serial: 1234567, Key: good.Key},
		"another serial": {Slot: Authentication, Serial: 1234568, Key: good.Key},
		"another key":    {Slot: Authentication, Serial: 1234567, Key: key(t, newKey(t).Public())},
		"no key":         {Slot: Authentication, Serial: 1234567},
		"an empty key":   {Slot: Authentication, Serial: 1234567, Key: &Key{}},
		"nothing":        {},
	} {
		if a, err := m.trust.Verify(Chain{slot.Raw, m.device.cert.Raw}, claim, now); err == nil || a != (Attestation{}) {
			t.Errorf("about %s: %+v, %v", name, a, err)
		}
	}

	for name, extensions := range map[string][]pkix.Extension{
		"no serial":         without(7),
		"serial 0":          without(7, extension(7, 2, 1, 0)),
		"a negative serial": without(7, extension(7, 2, 1, 0xff)),
		"a long serial":     without(7, extension(7, 2, 5, 1, 0, 0x12, 0xd6, 0x87)),
		"bytes after it":    without(7, extension(7, 2, 3, 0x12, 0xd6, 0x87, 0)),
		"no policies":       without(8),
		"policies 0":        without(8, extension(8, 0, 0)),
		"PIN policy 0":      without(8, extension(8, 0, 2)),
		"touch policy 0":    without(8, extension(8, 3, 0)),
		"a finger":          without(8, extension(8, 4, 1)),
		"PIN policy 6":      without(8, extension(8, 6, 1)),
		"touch policy 4":    without(8, extension(8, 3, 4)),
		"one policy":        without(8, extension(8, 3)),
		"no firmware":       without(3),
		"short firmware":    without(3, extension(3, 5, 4)),
		"long form factor":  without(9, extension(9, 1, 1)),
	} {
		c := slotTemplate()
		c.ExtraExtensions = extensions
		if a, err := verify(issue(t, c, ours.Public(), m.device), m.device.cert); err == nil || a != (Attestation{}) {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
	if a, err := (&Trust{}).Verify(Chain{slot.Raw, m.device.cert.Raw}, good, now); err == nil {
		t.Errorf("nobody is trusted, and it says %+v", a)
	}
	if a, err := m.trust.Verify(Chain{slot.Raw, m.device.cert.Raw}, good, time.Time{}); err == nil {
		t.Errorf("the time is not known, and it says %+v", a)
	}
}

// TestForgedChain has certificates that say all the right things.
func TestForgedChain(t *testing.T) {
	m, stranger := newMaker(t), newMaker(t)
	ours := newKey(t)
	claim := Claim{Slot: Authentication, Serial: 1234567, Key: key(t, ours.Public())}
	refuse := func(name string, slot, device *x509.Certificate) {
		t.Helper()
		if a, err := m.trust.Verify(Chain{slot.Raw, device.Raw}, claim, now); err == nil {
			t.Errorf("%s: %+v", name, a)
		}
	}
	slot := issue(t, slotTemplate(), ours.Public(), m.device)

	refuse("a root of one's own", issue(t, slotTemplate(), ours.Public(), stranger.device), stranger.device.cert)
	refuse("another device of the same name", slot, stranger.device.cert)
	refuse("signed by the root", issue(t, slotTemplate(), ours.Public(), m.root), m.device.cert)
	refuse("the root for the device", issue(t, slotTemplate(), ours.Public(), m.root), m.root.cert)
	refuse("a slot of the slot", issue(t, slotTemplate(), ours.Public(), &authority{ours, slot}), slot)

	// The device's own certificate, with the extensions of a slot's: whoever may
	// certify is no key in a slot, whatever its name.
	for _, name := range []string{"Yubico PIV Attestation", prefix + "9a"} {
		c := certifier(name)
		c.ExtraExtensions = attested()
		device := sign(t, c, ours, m.root)
		refuse("the device for the slot", device.cert, device.cert)
		refuse("a device for the slot", issue(t, c, ours.Public(), m.device), m.device.cert)
	}
	for _, name := range []string{"YubiKey OPGP Attestation SIG", prefix + "f9", prefix + "82", prefix + "9A",
		prefix + "9b", prefix, "yubikey piv attestation 9a", ""} {
		c := slotTemplate()
		c.Subject.CommonName = name
		refuse(name, issue(t, c, ours.Public(), m.device), m.device.cert)
	}
	changed := *slot
	changed.Raw = append([]byte{}, slot.Raw...)
	changed.Raw[len(changed.Raw)-1] ^= 1
	refuse("a changed signature", &changed, m.device.cert)
}

// TestOtherApplets: an intermediate of another applet leads nowhere, also if it is
// shown in the device's place.
func TestOtherApplets(t *testing.T) {
	m := newMaker(t)
	ours := newKey(t)
	claim := Claim{Slot: Authentication, Serial: 1234567, Key: key(t, ours.Public())}
	all := sign(t, certifier("Attestation Intermediate"), newKey(t), m.root)
	piv := sign(t, certifier("PIV Attestation"), newKey(t), all)
	openpgp := sign(t, certifier("OPGP Attestation"), newKey(t), all)
	for _, c := range []*x509.Certificate{all.cert, piv.cert} {
		if err := m.trust.Add(inPEM(c)); err != nil {
			t.Fatal(err)
		}
	}
	device := func(by *authority) *authority { return sign(t, certifier("Yubico PIV Attestation"), newKey(t), by) }
	verify := func(d *authority) error {
		slot := issue(t, slotTemplate(), ours.Public(), d)
		_, err := m.trust.Verify(Chain{slot.Raw, d.cert.Raw}, claim, now)
		return err
	}
	if err := verify(device(piv)); err != nil {
		t.Errorf("below the PIV intermediate: %v", err)
	}
	if verify(device(openpgp)) == nil {
		t.Error("a device below the intermediate of OpenPGP is taken")
	}
	// The card of OpenPGP as what a device of PIV has certified.
	card := certifier("Yubico OPGP Attestation")
	card.ExtraExtensions = attested()
	made := issue(t, card, ours.Public(), openpgp)
	if a, err := m.trust.Verify(Chain{made.Raw, openpgp.cert.Raw}, claim, now); err == nil {
		t.Errorf("an OpenPGP device for a slot: %+v", a)
	}
}

func TestValidity(t *testing.T) {
	m := newMaker(t)
	ours := newKey(t)
	claim := Claim{Slot: Authentication, Serial: 1234567, Key: key(t, ours.Public())}
	slot := issue(t, slotTemplate(), ours.Public(), m.device)
	for when, good := range map[time.Time]bool{now: true, now.AddDate(2, 0, 0): false, now.AddDate(-2, 0, 0): false} {
		if _, err := m.trust.Verify(Chain{slot.Raw, m.device.cert.Raw}, claim, when); (err == nil) != good {
			t.Errorf("at %v: %v", when, err)
		}
	}
}

// TestNoConstraints: a device of 2018 that does not say that it certifies is taken for
// one that does. One that says it doesn't is not, nor is anything else that is silent.
func TestNoConstraints(t *testing.T) {
	m := newMaker(t)
	old := sign(t, certifier(u2fRoot), newKey(t), nil)
	if err := m.trust.Add(inPEM(old.cert)); err != nil {
		t.Fatal(err)
	}
	ours := newKey(t)
	claim := Claim{Slot: Authentication, Serial: 1234567, Key: key(t, ours.Public())}
	for _, c := range []struct {
		what, name string
		root       *authority
		extensions []pkix.Extension
		denies     bool
		good       bool
	}{
		{"a device of 2018", "Yubico PIV Attestation", old, attested()[:1], false, true},
		{"that says it does not certify", "Yubico PIV Attestation", old, attested()[:1], true, false},
		{"below another root", "Yubico PIV Attestation", m.root, attested()[:1], false, false},
		{"of another name", "Yubico OPGP Attestation", old, attested()[:1], false, false},
		{"without a firmware", "Yubico PIV Attestation", old, without(3), false, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			silent := template(c.name)
			silent.BasicConstraintsValid, silent.ExtraExtensions = c.denies, c.extensions
			device := sign(t, silent, newKey(t), c.root)
			slot := issue(t, slotTemplate(), ours.Public(), device)
			if _, err := m.trust.Verify(Chain{slot.Raw, device.cert.Raw}, claim, now); (err == nil) != c.good {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestSlotAsDevice: a key in a slot, which signs anything, does not pass for a device,
// also if the device's own certificate is among those that were added.
func TestSlotAsDevice(t *testing.T) {
	m := newMaker(t)
	if err := m.trust.Add(inPEM(m.device.cert)); err != nil {
		t.Fatal(err)
	}
	held, soft := newKey(t), newKey(t)
	claim := Claim{Slot: Authentication, Serial: 1234567, Key: key(t, soft.Public())}
	certifies := slotTemplate()
	certifies.BasicConstraintsValid, certifies.IsCA, certifies.KeyUsage = true, true, x509.KeyUsageCertSign
	for name, c := range map[string]*x509.Certificate{"as it is": slotTemplate(), "that certifies": certifies} {
		attested := sign(t, c, held, m.device)
		forged := issue(t, slotTemplate(), soft.Public(), attested)
		if a, err := m.trust.Verify(Chain{forged.Raw, attested.cert.Raw}, claim, now); err == nil {
			t.Errorf("a slot's certificate %s attests a key of software: %+v", name, a)
		}
	}
}

func TestTrust(t *testing.T) {
	m := newMaker(t)
	leaf := issue(t, template("leaf"), newKey(t).Public(), m.root)
	for name, bundle := range map[string][]byte{
		"nothing":     nil,
		"text":        []byte("no certificate"),
		"a key":       []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
		"no DER":      []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
		"a leaf":      inPEM(leaf),
		"a leaf, too": append(inPEM(m.root.cert), inPEM(leaf)...),
		"too much":    make([]byte, maxBundle+1),
	} {
		if err := (&Trust{}).Add(bundle); err == nil {
			t.Errorf("%s is trusted", name)
		}
	}
}

func TestUnverified(t *testing.T) {
	a, err := Unverified(stored(t, "5.4.3-slot").Raw)
	if err != nil || a.PIN != PINOnce || a.Touch != TouchNever {
		t.Errorf("got %+v, %v", a, err)
	}
	a, err = Unverified(stored(t, "4.3.7-slot").Raw)
	if err != nil || a.PIN != PINOnce || a.Touch != TouchNever || a.Serial != 0 {
		t.Errorf("the key of 2018: %+v, %v", a, err)
	}
	if a, err := Unverified(stored(t, "5.4.3-device").Raw); err == nil {
		t.Errorf("the device's certificate: %+v", a)
	}
}

// FuzzAttestation: nothing that was not signed is ever believed.
func FuzzAttestation(f *testing.F) {
	trust, err := Yubico()
	if err != nil {
		f.Fatal(err)
	}
	slot := stored(f, "5.4.3-slot")
	f.Add(slot.Raw, stored(f, "5.4.3-device").Raw)
	f.Add(stored(f, "4.3.7-slot").Raw, stored(f, "4.3.7-device").Raw)
	m := newMaker(f)
	f.Add(issue(f, slotTemplate(), newKey(f).Public(), m.device).Raw, m.device.cert.Raw)
	f.Add([]byte{0x30, 0x80}, []byte{})
	claim := Claim{Slot: Authentication, Serial: 15732500, Key: key(f, slot.PublicKey)}
	f.Fuzz(func(t *testing.T, s, d []byte) {
		a, err := Unverified(s)
		if err == nil && (a.PIN > PINAlways || a.Touch > TouchCached || a.Slot == 0) {
			t.Errorf("unverified, it says %+v", a)
		}
		a, err = trust.Verify(Chain{s, d}, claim, now)
		if err == nil && string(s) != string(slot.Raw) {
			t.Errorf("believed: %+v", a)
		}
		if err != nil && a != (Attestation{}) {
			t.Errorf("refused, and says %+v", a)
		}
	})
}
