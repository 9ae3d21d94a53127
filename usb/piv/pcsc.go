package piv

import (
	"errors"
	"strings"

	"github.com/go-piv/piv-go/v2/piv"
)

// go-piv has the codes of PC/SC in a type that it keeps to itself, and hands out their
// texts alone (its issue 179). Here they are told apart again, in the order in which
// they stand. The codes are those of pcsclite.h.

// meaning is of a text in go-piv's errors.
type meaning struct {
	text string
	err  error
}

func meanings() []meaning {
	return []meaning{
		// SCARD_E_SHARING_VIOLATION: somebody is connected, exclusively or not.
		{"because of other connections outstanding", ErrBusy},
		// SCARD_E_NO_SMARTCARD, _UNKNOWN_READER, _READER_UNAVAILABLE: it was pulled out
		// between the list of readers and now.
		{"no Smart Card is currently in the device", errGone},
		{"the specified reader name is not recognized", errGone},
		{"the specified reader is not currently available", errGone},
		// SCARD_W_REMOVED_CARD, _UNPOWERED_CARD, _UNRESPONSIVE_CARD, _RESET_CARD.
		{"the smart card has been removed", errGone},
		{"power has been removed from the smart card", errGone},
		{"the smart card is not responding to a reset", errGone},
		{"the smart card has been reset", errGone},
		// A command that was under way when the card was pulled out succeeds without an
		// answer. SCARD_E_NOT_TRANSACTED and SCARD_E_COMM_DATA_LOST come later.
		{"scard response too short: 0", errGone},
		{"attempt was made to end a non-existent transaction", errGone},
		{"a communications error with the smart card", errGone},
		// SCARD_E_NO_SERVICE, SCARD_E_SERVICE_STOPPED; SCARD_F_COMM_ERROR and
		// SCARD_E_INVALID_HANDLE from a pcscd that ended or began anew;
		// SCARD_W_SECURITY_VIOLATION from a socket where nobody listens, and from polkit.
		{"resource manager is not running", ErrService},
		{"resource manager has shut down", ErrService},
		{"an internal communications error", ErrService},
		{"the supplied handle was invalid", ErrService},
		{"access was denied because of a security violation", ErrService},
	}
}

var (
	// errGone: no card is in the reader. When that is ErrRemoved, its caller knows.
	errGone = errors.New("no card is there")
	// errVerified: the PIN is verified already.
	errVerified = errors.New("the PIN is verified")
)

// classify adds to an error of go-piv what it means.
func classify(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	for _, m := range meanings() {
		if strings.Contains(text, m.text) {
			return because(m.err, err)
		}
	}
	// Of the PIN's status: 9000 where the tries were expected.
	if strings.Contains(text, "expected error code from empty pin") {
		return errVerified
	}
	return because(ErrGarbled, err)
}

// Status words of ISO 7816-4.
const (
	success        = 0x9000
	moreData       = 0x61   // SW1
	notSatisfied   = 0x6982 // the PIN or a touch is missing
	wrongData      = 0x6a80 // of ATTEST: no key, or one from elsewhere
	notFound       = 0x6a82
	noReference    = 0x6a88
	notInstruction = 0x6d00 // firmware too old for it
)

// status returns the status word in an error, or 0.
func status(err error) uint16 {
	var word interface{ Status() uint16 }
	if errors.As(err, &word) {
		return word.Status()
	}
	return 0
}

// nothing reports whether an error says that what was asked for is not on the card.
func nothing(err error) bool {
	if errors.Is(err, piv.ErrNotFound) {
		return true
	}
	switch status(err) {
	case wrongData, notFound, noReference, notInstruction:
		return true
	}
	return false
}
