package otp

import (
	"errors"
	"fmt"

	"github.com/factord/factord/usb/hid"
)

// ScanMapSize is a scan map, in bytes.
const ScanMapSize = len(scanMapOrder)

// scanMapOrder is what the bytes of a scan map are for.
const scanMapOrder = "cbdefghijklnrtuvCBDEFGHIJKLNRTUV0123456789!\t\r"

// defaultScanMap is the one that keys come with, and the positions of a US keyboard:
// usages, with the highest bit for the shift key.
const defaultScanMap = "\x06\x05\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x11\x15\x17\x18\x19" +
	"\x86\x85\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x91\x95\x97\x98\x99" +
	"\x27\x1e\x1f\x20\x21\x22\x23\x24\x25\x26\x9e\x2b\x28"

const bitShift = 0x80

// Positions that are not in a scan map.
const (
	usageEnter       = 0x28
	usageTab         = 0x2b
	usageKeypadEnter = 0x58
	usageKeypad1     = 0x59 // to 9
	usageKeypad0     = 0x62
)

// ScanMap says what the key means with the positions that it types. Its zero value is
// the one that keys come with; another is for keys whose owner has programmed one, so
// that a layout that is not the US one shows the right letters.
type ScanMap struct {
	meant map[byte]byte // nil: the default
}

// ParseScanMap takes a scan map as it is programmed into a key.
func ParseScanMap(programmed []byte) (ScanMap, error) {
	if len(programmed) != ScanMapSize {
		return ScanMap{}, fmt.Errorf("a scan map has %d bytes, not %d", ScanMapSize, len(programmed))
	}
	m := ScanMap{meant: make(map[byte]byte)}
	for i, c := range []byte(scanMapOrder) {
		position := programmed[i]
		if position&^bitShift == 0 {
			continue // not typed at all
		}
		if before, taken := m.meant[position]; taken && before != lower(c) {
			return ScanMap{}, fmt.Errorf("the scan map has %#02x for %q and %q", position, before, lower(c))
		}
		m.meant[position] = lower(c)
	}
	for _, c := range []byte("cbdefghijklnrtuv") {
		if !m.has(c) {
			return ScanMap{}, errors.New("the scan map lacks letters of an OTP")
		}
	}
	m.addKeypad()
	return m, nil
}

func (m ScanMap) has(c byte) bool {
	for _, meant := range m.meant {
		if meant == c {
			return true
		}
	}
	return false
}

// addKeypad adds what a key types there if it is told to. That goes past a scan map.
func (m ScanMap) addKeypad() {
	add := func(position, c byte) {
		if _, taken := m.meant[position]; !taken {
			m.meant[position] = c
		}
	}
	for digit := range byte(9) {
		add(usageKeypad1+digit, '1'+digit)
	}
	add(usageKeypad0, '0')
	add(usageKeypadEnter, '\r')
	add(usageEnter, '\r')
	add(usageTab, '\t')
}

// orDefault returns the map, or the one that keys come with.
func (m ScanMap) orDefault() ScanMap {
	if m.meant != nil {
		return m
	}
	m, err := ParseScanMap([]byte(defaultScanMap))
	if err != nil {
		panic(err) // it is a constant
	}
	return m
}

// read returns the character that a press means, in lower case.
func (m ScanMap) read(p hid.Press) (c byte, ok bool) {
	if p.Other || p.Usage&bitShift != 0 {
		return 0, false
	}
	position := p.Usage
	if p.Shift {
		position |= bitShift
	}
	c, ok = m.meant[position]
	return c, ok
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c - 'A' + 'a'
	}
	return c
}
