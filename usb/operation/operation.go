// Package operation is what factord-usb does with keys. It finds the one that is meant,
// by its serial number or by what is in it and never because it is the first, waits for
// it to be plugged in, and keeps other processes of factord-usb off it meanwhile.
package operation

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/factord/factord/daemon/wire/agent"
	"github.com/factord/factord/usb"
	"github.com/factord/factord/usb/hid"
	"github.com/factord/factord/usb/otp"
)

// Machine has the keys of this machine. It implements usb.Operations.
type Machine struct {
	// Hidraw and Libusb are the ways to them; nil is one that can't be gone.
	Hidraw, Libusb hid.Backend
	// Locks is a directory of this user alone, in which the keys that are in use are
	// locked; "": none is, as in tests.
	Locks string
	// Log is told what is no answer to the caller; nil: nobody is.
	Log func(text string)
	// Rest counts what still goes on when an operation has been answered: the rest of what
	// a key types, which is to reach no window, is swallowed. nil: nobody waits for it.
	Rest *sync.WaitGroup
}

// restLimit is more than swallowing takes, however much a device types.
const restLimit = 12 * time.Second

// Finish waits for Rest, before the process ends and gives all keyboards back.
func (m Machine) Finish() {
	done := make(chan struct{})
	go func() { defer close(done); m.Rest.Wait() }()
	select {
	case <-done:
	case <-time.After(restLimit):
	}
}

func (m Machine) log(format string, args ...any) {
	if m.Log != nil {
		m.Log(fmt.Sprintf(format, args...))
	}
}

var _ usb.Operations = Machine{}

// backend returns the way that is asked for.
func (m Machine) backend(c agent.Common) (hid.Backend, error) {
	name, b := "hidraw", m.Hidraw
	if c.Backend == "libusb" {
		name, b = c.Backend, m.Libusb
	}
	if b == nil {
		return nil, &agent.Error{Code: agent.Unsupported, Text: "this factord-usb is built without " + name}
	}
	if c.Device != "" {
		return device{b, c.Device}, nil
	}
	return b, nil
}

// codes are what errors mean for the caller, the first that fits.
var codes = []struct {
	err  error
	code agent.Code
}{
	{hid.ErrGone, agent.Gone}, {hid.ErrBusy, agent.Held}, {hid.ErrAccess, agent.NoAccess}, {hid.ErrDriver, agent.NoAccess},
	{hid.ErrNone, agent.WrongKey},
	{otp.ErrTouch, agent.NoTouch}, {otp.ErrEmpty, agent.WrongKey}, {otp.ErrRejected, agent.WrongKey}, {otp.ErrOld, agent.Unsupported},
	{otp.ErrStuck, agent.Garbled}, {otp.ErrGarbled, agent.Garbled}, {otp.ErrChallenge, agent.Protocol},
}

// codeOf is what an error means for the caller; Internal if it is none of a key's.
func codeOf(err error) agent.Code {
	var known *agent.Error
	if errors.As(err, &known) {
		return known.Code
	}
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	return agent.Internal
}

// failure is an error as the caller is told it. The end of a context stays what it is,
// unless it was the end of waiting for something.
func failure(err error) error {
	var known *agent.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	code := codeOf(err)
	if code == agent.Internal && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return err
	}
	return &agent.Error{Code: code, Text: err.Error()}
}

func failuref(code agent.Code, format string, args ...any) error {
	return &agent.Error{Code: code, Text: fmt.Sprintf(format, args...)}
}
