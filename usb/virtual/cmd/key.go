package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/factord/factord/usb/virtual"
	"github.com/factord/factord/usb/virtual/card"
	"github.com/factord/factord/usb/virtual/fido"
	"github.com/factord/factord/usb/virtual/otpkey"
)

// keyUsage explains --key.
const keyUsage = `Words of --key, with spaces between them:

  serial=N           decimal; what commands call the key. Default 12345678
  apps=APPS          of otp+fido+piv; default all three. The USB product follows
  version=X.Y.Z      of the firmware; default 5.4.3. FIDO always says 5.4.3
  short=SLOT         slot 1, a short touch;  long=SLOT: slot 2, a long one
  touch-wait=TIME    until a challenge that nobody touches for is given up; default
                     15s, and 30s of FIDO's. PIV's wait is always 15s
  busy=TIME          how long the key takes nothing after each report of a frame
  reclaim=TIME       how long OTP is deaf after FIDO or PIV was used (old firmware)
  hide-serial        the serial number is not told over USB
  scan=HEX           45 usages, as of ykpersonalize -S
  fido-pin=PIN       set from the start; PIV's is 123456, its PUK 12345678
  fido-touch=WHO     as the command fido-touch has it
  out                not plugged in at first

SLOT is one of these, then options, with commas between them:

  yubico:PUBLIC:PRIVATE:AES[:USE]   types Yubico OTP: public id in modhex, private id
                                    and AES key in hex, how often it had power
  hotp:SECRET[:ID[:COUNTER]]        types OATH-HOTP; secret in hex
  static:TEXT                       types TEXT, without space, comma, colon
  hmac:SECRET                       answers challenges, HMAC-SHA1; 20 bytes in hex
  challenge:PRIVATE:AES             answers challenges, Yubico OTP
  options: touch (an answer wants one), lt64 (challenges of variable length), digits=8
  (of hotp), no-enter, tab-first, tab-id, tab-code, delay-id, delay-end, keypad,
  pace=20ms
`

// entry is a key of the command line.
type entry struct {
	serial uint32
	key    *virtual.Key
	out    bool
}

// builder reads the words of a key.
type builder struct {
	apps    []string
	version [3]uint8
	otp     otpkey.Config
	fido    fido.Options
	touches virtual.Touches
	out     bool
}

// defaultSerial is that of a key without one.
const defaultSerial = 12345678

func newEntry(words string) (*entry, error) {
	b := builder{apps: []string{"otp", "fido", "piv"}, otp: otpkey.Config{Serial: defaultSerial}}
	for _, word := range strings.Fields(words) {
		name, value, given := strings.Cut(word, "=")
		err := b.word(name, value)
		if flag := name == "hide-serial" || name == "out"; err == nil && given == flag {
			err = errors.New("with or without a value?")
		}
		if err != nil {
			return nil, fmt.Errorf("%q: %v", word, err)
		}
	}
	c := virtual.Config{Version: b.version}
	for _, app := range b.apps {
		switch app {
		case "otp":
			c.OTP = otpkey.New(b.otp)
		case "fido":
			c.FIDO = fido.New(b.fido)
		case "piv":
			c.PIV = card.New(card.Config{Serial: b.otp.Serial, Version: b.version})
		default:
			return nil, fmt.Errorf("no application %q", app)
		}
	}
	key, err := virtual.New(c)
	if err != nil {
		return nil, err
	}
	key.SetTouches(b.touches)
	return &entry{b.otp.Serial, key, b.out}, nil
}

func (b *builder) word(name, value string) (err error) {
	switch name {
	case "serial":
		var n uint64
		n, err = strconv.ParseUint(value, 10, 32)
		b.otp.Serial = uint32(n)
	case "apps":
		b.apps = strings.Split(value, "+")
	case "version":
		b.version, err = parseVersion(value)
		b.otp.Version = b.version
	case "fido-pin":
		b.fido.PIN = value
	case "fido-touch":
		b.touches, err = parseTouches(value)
	case "short":
		b.otp.Short, err = parseSlot(value)
	case "long":
		b.otp.Long, err = parseSlot(value)
	case "touch-wait":
		b.otp.TouchWait, err = time.ParseDuration(value)
		b.fido.TouchTimeout = b.otp.TouchWait
	case "busy":
		b.otp.Busy, err = time.ParseDuration(value)
	case "reclaim":
		b.otp.Reclaim, err = time.ParseDuration(value)
	case "hide-serial":
		b.otp.HideSerial = true
	case "scan":
		var usages []byte
		if usages, err = unhex(value, 0); err == nil {
			b.otp.Scan, err = otpkey.ParseScanMap(usages)
		}
	case "out":
		b.out = true
	default:
		err = fmt.Errorf("no such word")
	}
	return err
}

func parseTouches(text string) (virtual.Touches, error) {
	switch text {
	case "never":
		return virtual.TouchAsked, nil
	case "grant":
		return virtual.TouchGranted, nil
	case "deny":
		return virtual.TouchDenied, nil
	}
	return 0, fmt.Errorf("never, grant or deny?")
}

func parseVersion(text string) (v [3]uint8, err error) {
	parts := strings.Split(text, ".")
	if len(parts) != len(v) {
		return v, fmt.Errorf("three numbers are wanted")
	}
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 8)
		if err != nil {
			return v, err
		}
		v[i] = uint8(n)
	}
	return v, nil
}
