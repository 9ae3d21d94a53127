package piv

import (
	"context"
	"crypto"
	"errors"
	"fmt"

	"github.com/go-piv/piv-go/v2/piv"

	"github.com/factord/factord/daemon/factor/piv/proof"
)

// Slot is what a key has in a slot.
type Slot struct {
	Slot proof.Slot
	// Key is nil if the slot is empty, or what is in it serves nobody to log in: Err
	// says why.
	Key *proof.Key
	Err error
	// PIN and Touch are zero if the key does not tell them.
	PIN   proof.PINPolicy
	Touch proof.TouchPolicy
	// Generated: the key says that it was made there. Only an attestation proves it.
	Generated bool
	// Certificate: there is one beside the key. Only List tells.
	Certificate bool
}

// slotOf returns go-piv's name of a slot.
func slotOf(s proof.Slot) (piv.Slot, error) {
	switch s {
	case proof.Authentication:
		return piv.SlotAuthentication, nil
	case proof.Signature:
		return piv.SlotSignature, nil
	case proof.KeyManagement:
		return piv.SlotKeyManagement, nil
	case proof.CardAuthentication:
		return piv.SlotCardAuthentication, nil
	}
	return piv.Slot{}, fmt.Errorf("%v is no slot for logging in", s)
}

// slot reads what is in a slot. An empty one is no error.
func (c *card) slot(ctx context.Context, s proof.Slot) (Slot, error) {
	place, err := slotOf(s)
	if err != nil {
		return Slot{}, err
	}
	read, err := ask(ctx, c, commandLimit, func(yk *piv.YubiKey) (Slot, error) {
		read := Slot{Slot: s}
		public, err := read.describe(yk, place, c.firmware)
		if err != nil {
			return Slot{}, err
		}
		if public == nil && !tellsAll(c.firmware) {
			if certificate, err := yk.Certificate(place); err == nil {
				public = certificate.PublicKey
			}
		}
		if public != nil && read.Err == nil {
			read.Key, read.Err = proof.NewKey(public)
		}
		return read, nil
	})
	if err != nil {
		return Slot{}, fmt.Errorf("reading slot %v: %w", s, err)
	}
	return read, nil
}

// certified reports whether there is a certificate beside the key in a slot.
func (c *card) certified(ctx context.Context, s proof.Slot) (bool, error) {
	place, err := slotOf(s)
	if err != nil {
		return false, err
	}
	_, err = ask(ctx, c, commandLimit, func(yk *piv.YubiKey) (struct{}, error) {
		_, err := yk.Certificate(place)
		return struct{}{}, err
	})
	if err != nil && nothing(err) {
		return false, nil
	}
	return err == nil, err
}

// describe fills in what the card says of the key in a slot: in its metadata, as of
// firmware 5.3, and before in an attestation, which only a key has that was made on the
// card. No public key is a slot that is empty, or about which the card is silent.
func (s *Slot) describe(yk *piv.YubiKey, place piv.Slot, firmware proof.Firmware) (crypto.PublicKey, error) {
	if tellsAll(firmware) {
		return s.metadata(yk, place)
	}
	certificate, err := yk.Attest(place)
	switch {
	case err != nil && nothing(err):
		return nil, nil
	case err != nil:
		return nil, err
	}
	s.Generated = true
	a, err := proof.Unverified(certificate.Raw)
	if err != nil {
		s.Err = err
		return nil, nil
	}
	s.PIN, s.Touch = a.PIN, a.Touch
	return certificate.PublicKey, nil
}

// tellsAll reports whether a card has metadata of every key. One that has not is silent
// about a key that was made elsewhere: what there is to know is its certificate.
func tellsAll(f proof.Firmware) bool { return f[0] > 5 || f[0] == 5 && f[1] >= 3 }

func (s *Slot) metadata(yk *piv.YubiKey, place piv.Slot) (crypto.PublicKey, error) {
	info, err := yk.KeyInfo(place)
	switch {
	case err != nil && nothing(err):
		return nil, nil
	case err != nil:
		return nil, err
	case info.PINPolicy == piv.PINPolicyMatchOnce, info.PINPolicy == piv.PINPolicyMatchAlways:
		s.Err = errors.New("the key wants a finger, which factord does not ask for with PIV")
		return nil, nil
	case info.PublicKey == nil:
		return nil, errors.New("the metadata have no public key")
	}
	// go-piv numbers the policies as the card does.
	s.PIN, s.Touch = proof.PINPolicy(info.PINPolicy), proof.TouchPolicy(info.TouchPolicy)
	s.Generated = info.Origin == piv.OriginGenerated
	return info.PublicKey, nil
}
