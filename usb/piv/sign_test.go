package piv_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"

	gopiv "github.com/go-piv/piv-go/v2/piv"

	"github.com/factord/factord/daemon/factor/piv/proof"
	"github.com/factord/factord/usb/piv"
	"github.com/factord/factord/usb/virtual/card"
	"github.com/factord/factord/usb/virtual/reader"
)

// TestSign has every firmware sign with every kind of key, and forget the PIN.
func TestSign(t *testing.T) {
	r := reader.New(t, reader.Config{})
	for _, v := range []card.Version{{4, 3, 5}, {5, 4, 3}, {5, 7, 1}} {
		algorithms := []gopiv.Algorithm{gopiv.AlgorithmEC256, gopiv.AlgorithmEC384, gopiv.AlgorithmRSA2048}
		if v.AtLeast(5, 7) {
			algorithms = append(algorithms, gopiv.AlgorithmEd25519)
		}
		k := insert(t, r, card.Config{Version: v}, ec(gopiv.PINPolicyNever, gopiv.TouchPolicyNever))
		for _, a := range algorithms {
			for _, policy := range []gopiv.PINPolicy{gopiv.PINPolicyNever, gopiv.PINPolicyOnce, gopiv.PINPolicyAlways} {
				t.Run(fmt.Sprint(v, a, policy), func(t *testing.T) {
					k.generate(t, gopiv.Key{Algorithm: a, PINPolicy: policy, TouchPolicy: gopiv.TouchPolicyNever})
					before := k.pins()
					must(t, k.sign(t, k.request(pin)))
					if n := k.pins() - before; n != 1 {
						t.Errorf("the PIN was sent %d times", n)
					}
					if left := k.tries(t); left != 3 {
						t.Errorf("afterwards the card says %d: the PIN is verified", left)
					}
					err := k.sign(t, k.request(""))
					if policy == gopiv.PINPolicyNever {
						must(t, err)
					} else {
						wants(t, "without a PIN", err, piv.ErrPINNeeded)
					}
				})
			}
		}
		k.Remove()
	}
}

func TestPIN(t *testing.T) {
	r := reader.New(t, reader.Config{})
	k := insert(t, r, card.Config{}, ec(gopiv.PINPolicyAlways, gopiv.TouchPolicyNever))
	for _, bad := range []string{"12345", "123456789", "1234567\xff", strings.Repeat("1", 64)} {
		wants(t, bad, k.sign(t, k.request(bad)), proof.ErrPIN)
	}
	if k.pins() != 0 {
		t.Error("a PIN of a wrong length was sent")
	}
	left := func(want int) {
		t.Helper()
		tries, err := piv.Retries(patient(t), k.wanted())
		if err != nil || tries != (piv.Tries{Left: want}) {
			t.Errorf("tries %+v, %v, want %d", tries, err, want)
		}
	}
	left(3)
	for want := 2; want > 0; want-- {
		var refused *piv.WrongPIN
		if err := k.sign(t, k.request(wrong)); !errors.As(err, &refused) || refused.Left != want {
			t.Errorf("a wrong PIN: %v, want %d left", err, want)
		}
		left(want)
	}
	wants(t, "the last try", k.sign(t, k.request(pin)), piv.ErrLastTry)
	if k.pins() != 2 {
		t.Errorf("%d PINs were sent, want 2", k.pins())
	}

	last := k.request(pin)
	last.LastTry = true
	must(t, k.sign(t, last))
	left(3)

	for range 2 {
		k.sign(t, k.request(wrong))
	}
	last = k.request(wrong)
	last.LastTry = true
	err := k.sign(t, last)
	wants(t, "the last wrong PIN", err, piv.ErrBlocked)
	if !errors.As(err, new(*piv.WrongPIN)) {
		t.Errorf("it was wrong, too: %v", err)
	}
	left(0)
	sent := k.pins()
	last = k.request(pin)
	last.LastTry = true
	wants(t, "a blocked PIN", k.sign(t, last), piv.ErrBlocked)
	if k.pins() != sent {
		t.Error("a PIN was sent to a card that is blocked")
	}
}

// TestWiped: the PIN does not stay in the request.
func TestWiped(t *testing.T) {
	r := piv.Request{PIN: []byte(pin)}
	if _, err := piv.Sign(t.Context(), r); err == nil || string(r.PIN) != strings.Repeat("\x00", len(pin)) {
		t.Errorf("PIN %q after %v", r.PIN, err)
	}
}

// TestLeftVerified: another program has left the PIN verified.
func TestLeftVerified(t *testing.T) {
	r := reader.New(t, reader.Config{})
	for _, v := range []card.Version{{5, 4, 3}, {5, 7, 1}} {
		k := insert(t, r, card.Config{Version: v}, ec(gopiv.PINPolicyOnce, gopiv.TouchPolicyNever))
		k.use(t, func(yk *gopiv.YubiKey) { must(t, yk.VerifyPIN(pin)) })

		tries, err := piv.Retries(patient(t), k.wanted())
		if err != nil || tries != (piv.Tries{Verified: true}) {
			t.Errorf("tries %+v, %v", tries, err)
		}
		if _, _, err := piv.List(patient(t)); err != nil || k.tries(t) != -1 {
			t.Errorf("looking has taken what another program had verified, or failed: %v", err)
		}
		wants(t, "with another program's PIN", k.sign(t, k.request("")), piv.ErrPINNeeded)
		var refused *piv.WrongPIN
		if err := k.sign(t, k.request(wrong)); !errors.As(err, &refused) || refused.Left != 2 {
			t.Errorf("a wrong PIN: %v", err)
		}
		k.use(t, func(yk *gopiv.YubiKey) { must(t, yk.VerifyPIN(pin)) })
		must(t, k.sign(t, k.request(pin)))
		if left := k.tries(t); left != 3 {
			t.Errorf("afterwards the card says %d", left)
		}
		k.Remove()
	}
}

func TestWrongKey(t *testing.T) {
	r := reader.New(t, reader.Config{})
	k := insert(t, r, card.Config{}, ec(gopiv.PINPolicyOnce, gopiv.TouchPolicyNever))
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	request := k.request(pin)
	request.Key, err = proof.NewKey(other.Public())
	must(t, err)
	wants(t, "another key in the slot", k.sign(t, request), piv.ErrWrongKey)
	request = k.request(pin)
	request.Slot = proof.Signature
	wants(t, "an empty slot", k.sign(t, request), piv.ErrEmpty)
	request.Slot = 0xf9
	if err := k.sign(t, request); err == nil {
		t.Error("slot f9 signs")
	}
	if n := k.pins(); n != 0 {
		t.Errorf("the PIN was sent %d times to the wrong key", n)
	}

	// A signature of another message, as the card may have made it before.
	old := k.request(pin)
	old.Message = []byte("factord test: host, user, another nonce")
	var replayed []byte
	k.Card.SetFault(func(_ context.Context, apdu []byte, answer func([]byte) []byte) []byte {
		out := answer(apdu)
		if signing(apdu) && replayed != nil {
			return replayed
		}
		if signing(apdu) {
			replayed = out
		}
		return out
	})
	must(t, k.sign(t, old))
	err = k.sign(t, k.request(pin))
	wants(t, "a signature of another nonce", err, piv.ErrWrongKey)
	wants(t, "a signature of another nonce", err, proof.ErrSignature)
}

// TestFinger: a YubiKey Bio may want a finger for the key, which nobody is asked for.
func TestFinger(t *testing.T) {
	r := reader.New(t, reader.Config{})
	k := insert(t, r, card.Config{}, ec(gopiv.PINPolicyOnce, gopiv.TouchPolicyNever))
	for _, policy := range []byte{4, 5} {
		k.spoil(metadata, 0x01, 0x01, 0x11, 0x02, 0x02, policy, 0x01, 0x90, 0x00)
		if err := k.sign(t, k.request(pin)); err == nil || !strings.Contains(err.Error(), "finger") {
			t.Errorf("policy %d: %v", policy, err)
		}
	}
	if k.pins() != 0 {
		t.Error("the PIN was sent")
	}
}

// TestImported: a key from elsewhere has no attestation. Firmware before 5.3 does not
// tell it either; its certificate does.
func TestImported(t *testing.T) {
	r := reader.New(t, reader.Config{})
	for _, v := range []card.Version{{4, 3, 5}, {5, 4, 3}} {
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		must(t, err)
		k := &key{Key: r.Insert(card.New(card.Config{Version: v}))}
		k.know(t, private.Public())
		k.use(t, func(yk *gopiv.YubiKey) {
			must(t, yk.SetPrivateKeyInsecure(gopiv.DefaultManagementKey, gopiv.SlotAuthentication, private, ec(gopiv.PINPolicyOnce, gopiv.TouchPolicyNever)))
		})
		if !v.AtLeast(5, 3) {
			wants(t, "a key that is not told", k.sign(t, k.request(pin)), piv.ErrEmpty)
			k.use(t, func(yk *gopiv.YubiKey) { certify(t, yk, private) })
		}
		must(t, k.sign(t, k.request(pin)))
		e, err := piv.Read(patient(t), k.wanted(), proof.Authentication)
		if err != nil || e.Chain.Slot != nil || e.Slot.Generated || !e.Slot.Key.Equal(k.public) {
			t.Errorf("firmware %v: %+v, %v", v, e, err)
		}
		if v.AtLeast(5, 3) != (e.Slot.PIN == proof.PINOnce) {
			t.Errorf("firmware %v: PIN policy %v", v, e.Slot.PIN)
		}
		k.Remove()
	}
}
