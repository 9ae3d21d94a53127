package piv

import (
	"errors"
	"fmt"
	"testing"
)

// TestClassify has texts of go-piv as they come in practice.
func TestClassify(t *testing.T) {
	for text, want := range map[string]error{
		"connecting to smart card: the smart card cannot be accessed because of other connections outstanding":            ErrBusy,
		"connecting to smart card: the operation requires a Smart Card, but no Smart Card is currently in the device":     errGone,
		"command failed: scard response too short: 0":                                                                     errGone,
		"command failed: transmitting request: attempt was made to end a non-existent transaction":                        errGone,
		"command failed: transmitting request: the smart card has been removed, so further communication is not possible": errGone,
		"connecting to pcsc: the Smart card resource manager is not running":                                              ErrService,
		"connecting to pcsc: access was denied because of a security violation":                                           ErrService,
		"verify pin: transmitting request: an internal communications error has been detected":                            ErrService,
		"expected error code from empty pin":                                                                              errVerified,
		"command failed: scard response too short: 1":                                                                     ErrGarbled,
		"something new": ErrGarbled,
	} {
		if err := classify(errors.New(text)); !errors.Is(err, want) {
			t.Errorf("%q is %v, want %v", text, err, want)
		}
	}
	if classify(nil) != nil {
		t.Error("no error is one")
	}
}

func TestPanic(t *testing.T) {
	value, err := guard(func() (int, error) {
		var answer []byte
		return int(answer[2:][0]), nil
	})
	if value != 0 || !errors.Is(err, ErrGarbled) {
		t.Errorf("got %d, %v", value, err)
	}
}

func TestReaderNames(t *testing.T) {
	for name, want := range map[string]bool{
		"Yubico YubiKey OTP+FIDO+CCID 00 00": true, "Yubico Yubikey NEO OTP+CCID 01 00": true,
		"Alcor Micro AU9560 00 00": false, "": false,
	} {
		if ours(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}

func TestWrongPINText(t *testing.T) {
	for left, want := range map[int]string{0: "the PIN is wrong, and is blocked now", 1: "the PIN is wrong, and one try is left",
		2: "the PIN is wrong, and 2 tries are left"} {
		if got := fmt.Sprint(&WrongPIN{Left: left}); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
