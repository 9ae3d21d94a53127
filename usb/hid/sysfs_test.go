package hid

import (
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhichDevicesAreKeys(t *testing.T) {
	tr := newTree(t)
	tr.yubikey("1-1.2")

	tr.device("1-2", "2581", "f1d0") // another vendor's
	tr.inter("1-2", 0, 3, 0, 0, fidoDescriptor)
	tr.device("1-3", "1050", "0402") // the keyboard switched off
	tr.inter("1-3", 0, 3, 0, 0, fidoDescriptor)
	tr.device("1-4", "1050", "0404")
	tr.inter("1-4", 0, 0x0b, 0, 0, "")
	tr.device("1-5", "1050", "0407") // no driver
	tr.inter("1-5", 0, 3, 1, 1, "")
	tr.inter("1-5", 1, 3, 0, 0, "")

	tr.device("2-1", "046d", "c31c") // a keyboard
	tr.inter("2-1", 0, 3, 1, 1, keyboardDescriptor)
	tr.device("2-2", "04e6", "5116") // a card reader
	tr.inter("2-2", 0, 0x0b, 0, 0, "")
	tr.device("2-3", "1050", "0030") // a YubiHSM
	tr.inter("2-3", 0, 0xff, 0, 0, "")
	tr.device("2-4", "0bda", "8153")                       // no interface yet
	tr.mkdir(filepath.Join(tr.sys, "bus/usb/devices/2-5")) // one that goes away
	tr.device("2-6", "046d", "0001")                       // another vendor's HID without a driver
	tr.inter("2-6", 0, 3, 0, 0, "")

	keys, err := tr.hidraw().Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]Key{}
	for _, k := range keys {
		got[k.Port] = k
	}
	for port, want := range map[string]Key{
		"1-1.2": {Vendor: 0x1050, Product: 0x0407, OTP: true, FIDO: true, SmartCard: true},
		"1-2":   {Vendor: 0x2581, Product: 0xf1d0, FIDO: true},
		"1-3":   {Vendor: 0x1050, Product: 0x0402, FIDO: true},
		"1-4":   {Vendor: 0x1050, Product: 0x0404, SmartCard: true},
		"1-5":   {Vendor: 0x1050, Product: 0x0407, OTP: true, FIDO: true},
	} {
		want.Port, want.Release, want.Name = port, 0x0543, "YubiKey OTP+FIDO+CCID"
		if got[port] != want {
			t.Errorf("%+v, not %+v", got[port], want)
		}
	}
	if len(keys) != 5 {
		t.Errorf("%d keys: %+v", len(keys), keys)
	}
}

func TestNoUSB(t *testing.T) {
	keys, err := Hidraw{Sys: t.TempDir()}.Keys(t.Context())
	if len(keys) != 0 || err != nil {
		t.Error(keys, err)
	}
}

func TestAKeysOwnWordsAreMadeFitToBeShown(t *testing.T) {
	tr := newTree(t)
	dir := tr.device("1-1", "1050", "0407")
	tr.inter("1-1", 0, 3, 1, 1, keyboardDescriptor)
	tr.write(dir, map[string]string{"product": "\x1b[31mred\x00\xff\n" + strings.Repeat("x", 5000), "serial": " 12\r34\n"})
	keys, err := tr.hidraw().Keys(t.Context())
	if err != nil || len(keys) != 1 {
		t.Fatal(keys, err)
	}
	if k := keys[0]; !strings.HasPrefix(k.Name, "[31mredxxx") || len(k.Name) > nameLimit || k.Serial != "1234" {
		t.Errorf("%q %q", k.Name, k.Serial)
	}
}

func TestPortsAreNames(t *testing.T) {
	tr := newTree(t)
	tr.yubikey("1-1")
	for _, port := range []string{"", ".", "..", "1-1/", "../1-1", "1-1:1.0", "usb1", "1-1\n", "1-", "1-1.1.1.1.1.1.1.1", "12345-1"} {
		if _, err := tr.hidraw().Frames(t.Context(), port); err == nil || errors.Is(err, ErrGone) {
			t.Errorf("port %q: %v", port, err)
		}
	}
	if _, err := tr.hidraw().Frames(t.Context(), "3-1"); !errors.Is(err, ErrGone) {
		t.Error(err)
	}
}

func TestWhatIsMissing(t *testing.T) {
	tr := newTree(t)
	tr.device("1-1", "1050", "0402")
	tr.inter("1-1", 0, 3, 0, 0, "")
	dir := filepath.Join(tr.sys, "bus/usb/devices/1-1/1-1:1.0")
	if _, err := tr.hidraw().Keyboard(t.Context(), "1-1"); !errors.Is(err, ErrNone) {
		t.Error(err)
	}
	if _, err := tr.hidraw().Frames(t.Context(), "1-1"); !errors.Is(err, ErrDriver) {
		t.Error(err)
	}
	if err := os.Symlink("/sys/bus/usb/drivers/usbfs", filepath.Join(dir, "driver")); err != nil {
		t.Fatal(err)
	}
	if _, err := tr.hidraw().Frames(t.Context(), "1-1"); !errors.Is(err, ErrBusy) {
		t.Error(err)
	}
}

func TestDescriptors(t *testing.T) {
	for descriptor, want := range map[string]bool{
		fidoDescriptor: true, keyboardDescriptor: false, "": false,
		"06d0f10902a101": false, "06d0f1": false, "06d0": false, "06": false, "fe0500": false,
		"07d0f100000901a101": true, "a101": false, "05010906a101c006d0f10901a101": false,
	} {
		b, err := hex.DecodeString(descriptor)
		if err != nil {
			t.Fatal(err)
		}
		if isFIDO(b) != want {
			t.Errorf("%s: %v", descriptor, !want)
		}
	}
}

func FuzzDescriptor(f *testing.F) {
	for _, d := range []string{fidoDescriptor, keyboardDescriptor} {
		b, _ := hex.DecodeString(d)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { isFIDO(b) })
}
