package fido2_test

import (
	"testing"

	"github.com/factord/factord/usb/virtual/fido"
)

func TestTouch(t *testing.T) {
	d, _ := enrolled(t, fido.Options{}, "name=blue")
	d.expect("allow fido2", "Touch security key blue")
	d.expect("allow fido2", "Touch security key blue")
}

func TestPIN(t *testing.T) {
	d, _ := enrolled(t, fido.Options{PIN: pin}, "verification=pin", pin)
	d.expect("allow fido2", "PIN of security key fido2-1: ", "", pin)
}
