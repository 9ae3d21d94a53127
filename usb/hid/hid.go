// Package hid finds the security keys that are plugged into this machine, and moves
// reports to and from them. There are two ways: Linux's own device files (hidraw and
// evdev), which is the default, and libusb. What the reports mean is for others to
// know: otp, ctap.
//
// Nothing of it outlives the process: where a key has to be taken from the console,
// it is given back when the process ends, however it does.
package hid

import (
	"context"
	"errors"
)

// Sizes of reports, in bytes.
const (
	// FeatureSize is a feature report of the OTP interface, without its report id 0.
	FeatureSize = 8
	// FrameSize is a report of the FIDO interface, in and out, without its report id 0.
	FrameSize = 64
)

// Backend is one way to the keys. Its methods are safe for concurrent use; what they
// return is for one goroutine, except that a context may end a read at any time.
type Backend interface {
	// Keys returns what is plugged in, in no particular order. That no key is there is
	// no error; ErrAccess is that one is there, or may be, and can't be looked at.
	Keys(ctx context.Context) ([]Key, error)
	// Keyboard takes a key's keyboard from the console: nothing that the key types
	// becomes input of another program until Close. (A program of root that reads the
	// raw reports still sees them.)
	Keyboard(ctx context.Context, port string) (Keyboard, error)
	// Features opens the OTP interface for feature reports.
	Features(ctx context.Context, port string) (Features, error)
	// Frames opens the FIDO interface.
	Frames(ctx context.Context, port string) (Frames, error)
}

// Key is a security key, as far as its USB descriptors tell.
type Key struct {
	// Port is where it is plugged in: the kernel's name of the USB device, such as
	// "1-1.2". Another key in the same place has the same name.
	Port            string
	Vendor, Product uint16
	// Release is bcdDevice: of a YubiKey the firmware's major and minor version.
	Release uint16
	// Name is the product string, which is the key's own word.
	Name string
	// Serial is the serial number that the descriptors show, which few keys do.
	Serial string
	// Which interfaces it has.
	OTP, FIDO, SmartCard bool
}

// Press is one key of the keyboard going down.
type Press struct {
	Usage byte // of the HID usage page 0x07: a position, and no letter
	Shift bool // with either shift key held
	// Other: with another modifier held, which no OTP has.
	Other bool
}

// Keyboard is a key's keyboard, taken from the console.
type Keyboard interface {
	// Read returns the next press. ErrLost says that some may be missing.
	Read(ctx context.Context) (Press, error)
	// Close gives the keyboard back. It may take a moment, until no key is down.
	Close() error
}

// Features are the feature reports of an OTP interface.
type Features interface {
	Get(ctx context.Context) ([FeatureSize]byte, error)
	Set(ctx context.Context, report [FeatureSize]byte) error
	Close() error
}

// Frames are the reports of a FIDO interface.
type Frames interface {
	Read(ctx context.Context) ([FrameSize]byte, error)
	Write(ctx context.Context, frame [FrameSize]byte) error
	Close() error
}

// Errors. They are wrapped; what a caller can act on is told apart.
var (
	// ErrGone: the key is not, or not any more, at that port.
	ErrGone = errors.New("the key is not plugged in")
	// ErrBusy: another program holds the key.
	ErrBusy = errors.New("another program holds the key")
	// ErrAccess: there is a key, and this process may not open it.
	ErrAccess = errors.New("no access to the key's device files")
	// ErrNone: the key has no such interface, or it is switched off.
	ErrNone = errors.New("the key has no such interface")
	// ErrDriver: the kernel's own driver is not on that interface, as after a program
	// that took the key and was killed.
	ErrDriver = errors.New("the kernel's driver is not on the key's interface")
	// ErrLost: reports were lost on their way.
	ErrLost = errors.New("input from the key was lost")
)
