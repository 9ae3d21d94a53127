package ctap

import (
	"errors"
	"fmt"
)

// Errors that a person, or who talks with the person, can act on. They are wrapped.
var (
	// ErrNoCredentials: the key has none of those it was asked for.
	ErrNoCredentials = errors.New("the key has no such credential")
	// ErrExcluded: the key has a credential for this person already.
	ErrExcluded = errors.New("the key is enrolled already")
	// ErrDenied: the person said no, or with some keys nothing at all (6.1.2 and 6.2.2).
	ErrDenied = errors.New("the person refused at the key, or did nothing")
	// ErrTouchTimeout: nobody touched the key.
	ErrTouchTimeout = errors.New("nobody touched the key in time")
	// ErrCancelled: somebody else ended the key's waiting.
	ErrCancelled = errors.New("the key was told to stop")
	// ErrPINRequired: nothing goes without a PIN or a fingerprint.
	ErrPINRequired = errors.New("the key wants its PIN")
	// ErrNoPIN: no PIN is set, so none can be asked for.
	ErrNoPIN = errors.New("no PIN is set for the key")
	// ErrPINBlocked: the PIN was wrong too often, and the key must be reset.
	ErrPINBlocked = errors.New("the key's PIN is blocked")
	// ErrReplug: the PIN was wrong three times, and the key must be plugged in again.
	ErrReplug = errors.New("the key takes no more PINs until it is plugged in again")
	// ErrPINLength: no PIN can be so short or long. The key was not asked.
	ErrPINLength = errors.New("a PIN has at least 4 characters, and at most 63 bytes")
	// ErrWrongUV: the finger was not recognised.
	ErrWrongUV = errors.New("the key did not recognise the finger")
	// ErrUVBlocked: fingers were not recognised too often, and the key wants its PIN.
	ErrUVBlocked = errors.New("the key's fingerprint reader is blocked")
	// ErrNoUV: the key can't verify its user by itself.
	ErrNoUV = errors.New("the key has no fingerprint reader, or no finger is enrolled")
	// ErrUnsupported: the key can't do what it is asked for.
	ErrUnsupported = errors.New("the key can't do that")
	// ErrTooLong: more than the key takes at once.
	ErrTooLong = errors.New("the request is too long for the key")
)

// WrongPIN is the error of one.
type WrongPIN struct {
	// Retries are left; -1 if the key doesn't tell.
	Retries int
}

func (w WrongPIN) Error() string {
	if w.Retries < 0 {
		return "the PIN is wrong"
	}
	return fmt.Sprintf("the PIN is wrong; tries left: %d", w.Retries)
}

// Status is an answer that is neither success nor any of the errors above (8.2).
type Status byte

func (s Status) Error() string { return fmt.Sprintf("the key refuses: status 0x%02x", byte(s)) }

// Status codes.
const (
	statusOK         = 0x00
	statusBusy       = 0x06
	statusProcessing = 0x21
	statusPINInvalid = 0x31
	statusPINNeeded  = 0x36
)

func busy(status byte) bool { return status == statusBusy || status == statusProcessing }

// statusError is what a status code means; nil: success.
func statusError(code byte) error {
	switch code {
	case statusOK:
		return nil
	case 0x19:
		return ErrExcluded
	case 0x26, 0x2b, 0x2c, 0x40:
		return fmt.Errorf("%w: status 0x%02x", ErrUnsupported, code)
	case 0x27:
		return ErrDenied
	case 0x2d:
		return ErrCancelled
	case 0x2e:
		return ErrNoCredentials
	case 0x2f, 0x3a:
		return ErrTouchTimeout
	case statusPINInvalid:
		return WrongPIN{Retries: -1}
	case 0x32:
		return ErrPINBlocked
	case 0x34:
		return ErrReplug
	case 0x35:
		return ErrNoPIN
	case statusPINNeeded:
		return ErrPINRequired
	case 0x37:
		return ErrPINLength
	case 0x39:
		return ErrTooLong
	case 0x3c:
		return ErrUVBlocked
	case 0x3f:
		return ErrWrongUV
	}
	return Status(code)
}
