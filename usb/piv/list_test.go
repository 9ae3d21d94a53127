package piv_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"

	"encoding/pem"
	"math/big"
	"testing"
	"time"

	gopiv "github.com/go-piv/piv-go/v2/piv"

	"github.com/factord/factord/daemon/factor/piv/proof"
	"github.com/factord/factord/usb/piv"
	"github.com/factord/factord/usb/virtual/card"
	"github.com/factord/factord/usb/virtual/reader"
)

// certify puts a certificate beside a key in slot 9a.
func certify(t testing.TB, yk *gopiv.YubiKey, private crypto.Signer) {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "alice"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	must(t, err)
	certificate, err := x509.ParseCertificate(der)
	must(t, err)
	must(t, yk.SetCertificate(gopiv.DefaultManagementKey, gopiv.SlotAuthentication, certificate))
}

// foreign is a card without PIV.
func foreign() *card.Card {
	c := card.New(card.Config{})
	c.SetFault(func(_ context.Context, apdu []byte, _ func([]byte) []byte) []byte { return []byte{0x6a, 0x82} })
	return c
}

func TestList(t *testing.T) {
	r := reader.New(t, reader.Config{Readers: 4})
	keys, skipped, err := piv.List(patient(t))
	if err != nil || len(keys)+len(skipped) != 0 {
		t.Errorf("without cards: %v, %v, %v", keys, skipped, err)
	}
	r.InsertAt(0, foreign())
	k := insert(t, r, card.Config{Version: card.Version{4, 3, 5}}, ec(gopiv.PINPolicyOnce, gopiv.TouchPolicyCached))
	other := insert(t, r, card.Config{}, ec(gopiv.PINPolicyAlways, gopiv.TouchPolicyAlways))
	held := insert(t, r, card.Config{}, ec(gopiv.PINPolicyOnce, gopiv.TouchPolicyNever))
	defer held.Share()()

	keys, skipped, err = piv.List(patient(t))
	must(t, err)
	if len(skipped) != 2 || skipped[0].Reader != reader.Name+" 00 00" || skipped[1].Reader != held.Reader {
		t.Errorf("skipped %v", skipped)
	}
	wants(t, "a key that is held", skipped[1].Err, piv.ErrBusy)
	if len(keys) != 2 {
		t.Fatalf("keys %+v", keys)
	}
	compare(t, keys[0], k, proof.Firmware{4, 3, 5}, proof.PINOnce, proof.TouchCached)
	compare(t, keys[1], other, proof.Firmware{5, 4, 3}, proof.PINAlways, proof.TouchAlways)
}

func compare(t *testing.T, got piv.Key, k *key, firmware proof.Firmware, pin proof.PINPolicy, touch proof.TouchPolicy) {
	t.Helper()
	if got.Tries.Left != 3 || got.Reader != k.Reader || got.Serial != k.Card.Serial() || got.Firmware != firmware || len(got.Slots) != 4 {
		t.Fatalf("listed %+v", got)
	}
	slot := got.Slots[0]
	if slot.Slot != proof.Authentication || !slot.Key.Equal(k.public) || slot.PIN != pin || slot.Touch != touch ||
		!slot.Generated || slot.Certificate || slot.Err != nil {
		t.Errorf("slot %+v", slot)
	}
	for _, slot := range got.Slots[1:] {
		if slot.Key != nil || slot.Certificate || slot.Err != nil {
			t.Errorf("an empty slot: %+v", slot)
		}
	}
}

// TestRead: what is read can be verified, without the card's word for it.
func TestRead(t *testing.T) {
	root := card.NewAuthority("our root")
	trust := &proof.Trust{}
	must(t, trust.Add(pemOf(root.Certificate)))
	yubico, err := proof.Yubico()
	must(t, err)
	r := reader.New(t, reader.Config{})
	for _, v := range []card.Version{{4, 3, 5}, {5, 4, 3}, {5, 7, 1}} {
		k := insert(t, r, card.Config{Version: v, Authority: root}, ec(gopiv.PINPolicyAlways, gopiv.TouchPolicyAlways))
		e, err := piv.Read(patient(t), k.wanted(), proof.Authentication)
		must(t, err)
		claim := proof.Claim{Slot: proof.Authentication, Serial: k.Card.Serial(), Key: e.Slot.Key}
		a, err := trust.Verify(e.Chain, claim, time.Now())
		want := proof.Attestation{Slot: proof.Authentication, Serial: k.Card.Serial(), Firmware: proof.Firmware(v),
			PIN: proof.PINAlways, Touch: proof.TouchAlways, Form: 1}
		if err != nil || a != want {
			t.Errorf("attested %+v, %v, want %+v", a, err, want)
		}
		if said := goPIVSays(t, root, e.Chain); said.Serial != a.Serial || said.Slot != gopiv.SlotAuthentication ||
			int(said.PINPolicy) != int(a.PIN) || int(said.TouchPolicy) != int(a.Touch) {
			t.Errorf("go-piv reads %+v, and we %+v", said, a)
		}
		if _, err := yubico.Verify(e.Chain, claim, time.Now()); err == nil {
			t.Error("Yubico vouches for a virtual key")
		}
		_, err = piv.Read(patient(t), k.wanted(), proof.Signature)
		wants(t, "an empty slot", err, piv.ErrEmpty)
		k.Remove()
	}
}

// goPIVSays is what go-piv's own verifier makes of an attestation.
func goPIVSays(t *testing.T, root *card.Authority, c proof.Chain) *gopiv.Attestation {
	t.Helper()
	slot, err := x509.ParseCertificate(c.Slot)
	must(t, err)
	device, err := x509.ParseCertificate(c.Device)
	must(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(root.Certificate)
	said, err := (&gopiv.Verifier{Roots: roots}).Verify(device, slot)
	must(t, err)
	return said
}

func pemOf(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}
