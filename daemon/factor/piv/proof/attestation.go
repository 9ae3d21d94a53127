package proof

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxCertificate is of DER; an object of a card has no more than 3052 bytes.
const maxCertificate = 4 << 10

// Chain is an attestation as the card gives it, in DER.
type Chain struct {
	Slot   []byte // made for the key in a slot, and signed by the device
	Device []byte // of the device itself: slot F9
}

// Firmware is a version: major, minor, patch.
type Firmware [3]uint8

func (f Firmware) String() string { return fmt.Sprintf("%d.%d.%d", f[0], f[1], f[2]) }

// FormFactor is the shape of a YubiKey, as it numbers them. 0x80 is a FIPS one.
type FormFactor uint8

// Attestation is what a device says of a key that it has made.
type Attestation struct {
	Slot     Slot
	Serial   uint32
	Firmware Firmware
	PIN      PINPolicy
	Touch    TouchPolicy
	Form     FormFactor // 0: not told
}

// Claim is what an attestation has to be about.
type Claim struct {
	Slot   Slot
	Serial uint32
	Key    *Key
}

// Verify checks an attestation in full. It says nothing about who sends it, for
// anybody can keep and send it again: that takes a signature.
//
// Certificates have to be valid at the given time. Yubico's are until 2050 and longer;
// a company may have given its own less.
func (t *Trust) Verify(c Chain, about Claim, now time.Time) (Attestation, error) {
	slot, err := parse(c.Slot)
	if err != nil {
		return Attestation{}, fmt.Errorf("the slot's certificate: %w", err)
	}
	device, err := parse(c.Device)
	if err != nil {
		return Attestation{}, fmt.Errorf("the device's certificate: %w", err)
	}
	if strings.HasPrefix(device.Subject.CommonName, prefix) {
		return Attestation{}, errors.New("the device's certificate is about a key in a slot, which could have signed anything")
	}
	if silent(device) {
		device.BasicConstraintsValid, device.IsCA = true, true
	}
	if err := t.chain(slot, device, now); err != nil {
		return Attestation{}, fmt.Errorf("the attestation is not to be trusted: %v", err)
	}
	a, err := describe(slot)
	if err == nil {
		err = a.complete()
	}
	if err != nil {
		return Attestation{}, err
	}
	if err := about.match(a, slot); err != nil {
		return Attestation{}, err
	}
	return a, nil
}

// silent reports whether a certificate is of one of the devices of 2018 that don't say
// that they certify (RFC 5280, 4.2.1.9). A key in a slot signs whatever its owner likes,
// and its certificate does not say so either: nothing else may pass for such a device.
func silent(device *x509.Certificate) bool {
	isFirmware := func(e pkix.Extension) bool { return e.Id.String() == "1.3.6.1.4.1.41482.3.3" }
	return !device.BasicConstraintsValid && slices.ContainsFunc(device.Extensions, isFirmware) &&
		device.Subject.CommonName == "Yubico PIV Attestation" && device.Issuer.CommonName == u2fRoot
}

// match says how an attestation is about something else, if so.
func (c Claim) match(a Attestation, slot *x509.Certificate) error {
	key, err := NewKey(slot.PublicKey)
	switch {
	case err != nil:
		return fmt.Errorf("the attested key: %w", err)
	case a.Slot != c.Slot:
		return fmt.Errorf("the attestation is about slot %v, not %v", a.Slot, c.Slot)
	case a.Serial != c.Serial:
		return fmt.Errorf("the attestation is of the key with serial number %d, not %d", a.Serial, c.Serial)
	case !key.Equal(c.Key):
		return errors.New("the attestation is about another key")
	}
	return nil
}

// Unverified reads what a slot's certificate says, without believing it: enough to
// tell a person what a card is going to ask. What it does not say is zero.
func Unverified(slot []byte) (Attestation, error) {
	c, err := parse(slot)
	if err != nil {
		return Attestation{}, fmt.Errorf("the slot's certificate: %w", err)
	}
	return describe(c)
}

func parse(der []byte) (*x509.Certificate, error) {
	if len(der) > maxCertificate {
		return nil, fmt.Errorf("it has %d bytes, more than %d", len(der), maxCertificate)
	}
	return x509.ParseCertificate(der)
}

// prefix is of the subject in the certificate that a YubiKey makes for a slot
// (developers.yubico.com/PIV/Introduction/PIV_attestation.html, as the extensions).
// A device's own certificate has none: it must not pass for one of a slot.
const prefix = "YubiKey PIV Attestation "

func describe(c *x509.Certificate) (Attestation, error) {
	name, found := strings.CutPrefix(c.Subject.CommonName, prefix)
	if !found || c.IsCA {
		return Attestation{}, errors.New("the certificate is about no PIV slot")
	}
	slot, err := ParseSlot(name)
	if err != nil {
		return Attestation{}, err
	}
	a := Attestation{Slot: slot}
	for _, e := range c.Extensions {
		if err := a.extend(e.Id, e.Value); err != nil {
			return Attestation{}, err
		}
	}
	return a, nil
}

// complete says what an attestation leaves out, if so. Some devices of 2018 have no
// serial number in it.
func (a Attestation) complete() error {
	switch {
	case a.Serial == 0:
		return errors.New("the attestation tells no serial number")
	case a.Firmware == Firmware{}:
		return errors.New("the attestation tells no firmware")
	case a.PIN == 0, a.Touch == 0:
		return errors.New("the attestation tells no policies")
	}
	return nil
}

// extend reads one of Yubico's extensions (1.3.6.1.4.1.41482.3); x509 has made sure
// that none comes twice.
func (a *Attestation) extend(id asn1.ObjectIdentifier, value []byte) error {
	yubico := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3}
	if len(id) != len(yubico)+1 || !id[:len(yubico)].Equal(yubico) {
		return nil
	}
	switch id[len(yubico)] {
	case 3:
		return a.firmware(value)
	case 7:
		return a.serial(value)
	case 8:
		return a.policies(value)
	case 9:
		return a.form(value)
	}
	return nil // others, FIPS and CSPN, say how the device was certified
}

func (a *Attestation) firmware(value []byte) error {
	if len(value) != len(a.Firmware) {
		return errors.New("the attested firmware is no version")
	}
	a.Firmware = Firmware(value)
	return nil
}

func (a *Attestation) serial(value []byte) error {
	var serial int64
	rest, err := asn1.Unmarshal(value, &serial)
	if err != nil || len(rest) > 0 || serial <= 0 || serial > 1<<32-1 {
		return errors.New("the attested serial number is none")
	}
	a.Serial = uint32(serial)
	return nil
}

func (a *Attestation) policies(value []byte) error {
	if len(value) != 2 {
		return errors.New("the attested policies are not two")
	}
	pin, touch := PINPolicy(value[0]), TouchPolicy(value[1])
	switch {
	case pin == 4 || pin == 5:
		return errors.New("the key wants a finger, which factord does not ask for with PIV\n" +
			"hint: make a key that wants the PIN")
	case pin < PINNever || pin > PINAlways:
		return fmt.Errorf("the attested PIN policy %d is not known", pin)
	case touch < TouchNever || touch > TouchCached:
		return fmt.Errorf("the attested touch policy %d is not known", touch)
	}
	a.PIN, a.Touch = pin, touch
	return nil
}

func (a *Attestation) form(value []byte) error {
	if len(value) != 1 {
		return errors.New("the attested form factor is none")
	}
	a.Form = FormFactor(value[0])
	return nil
}
