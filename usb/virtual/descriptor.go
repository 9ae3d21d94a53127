package virtual

import (
	"encoding/binary"
	"strings"
	"unicode/utf16"

	"github.com/factord/factord/usb/virtual/usbip"
)

// How USB identifies a YubiKey.
const (
	vendorYubico = 0x1050
	baseProduct  = 0x0400
)

// Types of descriptors (USB 2.0, table 9-5; HID 1.11, 7.1).
const (
	descDevice    = 1
	descConfig    = 2
	descString    = 3
	descInterface = 4
	descEndpoint  = 5
	descHID       = 0x21
	descReport    = 0x22
)

// Kinds of endpoints.
const (
	bulk      = 2
	interrupt = 3
	dirIn     = 0x80
)

// Classes of interfaces.
const (
	classHID  = 3
	classCCID = 0x0b
)

// product has a bit for each of the interfaces that there are.
func (d *device) product() uint16 {
	product := uint16(baseProduct)
	for _, f := range d.functions {
		switch f.name() {
		case "OTP":
			product |= 1
		case "FIDO":
			product |= 2
		case "CCID":
			product |= 4
		}
	}
	return product
}

// Descriptor is the device's, as USB/IP has it.
func (d *device) Descriptor() usbip.Descriptor {
	u := usbip.Descriptor{Vendor: vendorYubico, Product: d.product(), Release: d.release}
	for _, f := range d.functions {
		u.Interfaces = append(u.Interfaces, [3]byte(f.descriptors(0)[5:]))
	}
	return u
}

func (d *device) descriptor(s usbip.Setup) ([]byte, error) {
	switch kind, n := s.Value>>8, s.Value&0xff; kind {
	case descDevice:
		return d.deviceDescriptor(), nil
	case descConfig:
		if n == 0 {
			return d.configDescriptor(), nil
		}
	case descString:
		return d.text(int(n))
	case descReport:
		if f := d.function(s); f != nil && f.report() != nil {
			return f.report(), nil
		}
	}
	return nil, usbip.ErrStall // a device qualifier too: the key has one speed
}

func (d *device) deviceDescriptor() []byte {
	b := []byte{18, descDevice, 0x00, 0x02, 0, 0, 0, 64}
	for _, v := range []uint16{vendorYubico, d.product(), d.release} {
		b = binary.LittleEndian.AppendUint16(b, v)
	}
	return append(b, 1, 2, 0, 1) // strings: maker, product, no serial; one configuration
}

func (d *device) configDescriptor() []byte {
	b := []byte{9, descConfig, 0, 0, byte(len(d.functions)), 1, 0, 0x80, 15} // 30 mA
	for i, f := range d.functions {
		b = append(b, f.descriptors(uint8(i))...)
	}
	binary.LittleEndian.PutUint16(b[2:], uint16(len(b)))
	return b
}

// text is a string: of languages there is one, US English.
func (d *device) text(n int) ([]byte, error) {
	var names []string
	for _, f := range d.functions {
		names = append(names, f.name())
	}
	texts := []string{"\u0409", "Yubico", "YubiKey " + strings.Join(names, "+")}
	if n >= len(texts) {
		return nil, usbip.ErrStall
	}
	units := utf16.Encode([]rune(texts[n]))
	b := []byte{byte(2 + 2*len(units)), descString}
	for _, u := range units {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b, nil
}

func interfaceDescriptor(number, endpoints, class, subclass, protocol uint8) []byte {
	return []byte{9, descInterface, number, 0, endpoints, class, subclass, protocol, 0}
}

func endpointDescriptor(address, kind, size, interval uint8) []byte {
	return []byte{7, descEndpoint, address, kind, size, 0, interval}
}

func hidDescriptor(report []byte) []byte {
	return []byte{9, descHID, 0x10, 0x01, 0, 1, descReport, byte(len(report)), 0}
}
