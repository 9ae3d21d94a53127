package main

import (
	"strings"
	"testing"
)

// TestKeys: what can be said of a key.
func TestKeys(t *testing.T) {
	const hmac = "hmac:303132333435363738393a3b3c3d3e3f40414243"
	for _, c := range []struct {
		words   string
		serial  uint32
		product uint16
	}{
		{"", defaultSerial, 0x0407},
		{"serial=7 apps=otp version=4.3.5", 7, 0x0401},
		{"apps=fido", defaultSerial, 0x0402},
		{"apps=fido+piv fido-pin=1234 fido-touch=grant", defaultSerial, 0x0406},
		{"short=yubico:vv:010203040506:000102030405060708090a0b0c0d0e0f:9,no-enter long=" + hmac + ",lt64,touch", defaultSerial, 0x0407},
		{"short=hotp:3132:ubhe:5,digits=8,pace=20ms,tab-first,tab-id,tab-code,delay-id,delay-end,keypad", defaultSerial, 0x0407},
		{"short=static:abc long=challenge:010203040506:000102030405060708090a0b0c0d0e0f,touch", defaultSerial, 0x0407},
		{"touch-wait=2s busy=1ms reclaim=3s hide-serial out scan=" + strings.Repeat("04", 45), defaultSerial, 0x0407},
	} {
		e, err := newEntry(c.words)
		if err != nil {
			t.Errorf("%q: %v", c.words, err)
			continue
		}
		if u := e.key.Descriptor(); e.serial != c.serial || u.Product != c.product {
			t.Errorf("%q: %d %#x", c.words, e.serial, u.Product)
		}
	}
}

func TestKeysRefused(t *testing.T) {
	for _, words := range []string{
		"serial=x", "version=5.4", "version=5.4.256", "serial=4294967296", "apps=", "apps=otp+oath", "colour=red", "short=", "short=hmac:3031",
		"short=yubico:vv:0102:000102030405060708090a0b0c0d0e0f", "short=static:a,touch", "short=static:a,lt64",
		"long=hmac:303132333435363738393a3b3c3d3e3f40414243,no-enter", "short=hotp:31,digits=7", "short=static:a,pace=x",
		"scan=0405", "touch-wait=soon", "fido-touch=maybe", "short=hotp:3", "short=static:a,loud",
		"short=static:a:b", "hide-serial=no", "out=1",
	} {
		if e, err := newEntry(words); err == nil {
			t.Errorf("%q: %+v", words, e)
		}
	}
}

// TestUsage: whatever can be said is explained.
func TestUsage(t *testing.T) {
	for _, word := range strings.Fields("serial= apps= version= short= long= touch-wait= busy= reclaim= hide-serial scan= fido-pin= fido-touch= out " +
		"yubico: hotp: static: hmac: challenge: touch lt64 digits= no-enter tab-first tab-id tab-code delay-id delay-end keypad pace=") {
		if !strings.Contains(keyUsage, word) {
			t.Errorf("%q is not explained", word)
		}
	}
}
