// Package virtual is a YubiKey in software that is plugged into a kernel as a USB
// device, so that programs which know nothing of it take it for one: an OTP keyboard,
// a FIDO authenticator and a smart card in one case. It is for tests, and imports
// nothing of what it tests.
package virtual

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"github.com/factord/factord/usb/virtual/card"
	"github.com/factord/factord/usb/virtual/fido"
	"github.com/factord/factord/usb/virtual/otpkey"
	"github.com/factord/factord/usb/virtual/usbip"
)

// Config is what a key has: which of the applications, at least one.
type Config struct {
	// Version of the firmware, as USB tells it; default 5.4.3. The applications have
	// their own word on it.
	Version [3]uint8
	OTP     *otpkey.Key
	FIDO    *fido.Key  // New sets its Touch
	PIV     *card.Card // New sets its touch
}

// Key is a YubiKey 5. Its methods are safe for concurrent use.
type Key struct {
	config   Config
	device   *device
	keyboard *keyboard // nil without OTP
	finger   finger
	asked    Asked

	mu      sync.Mutex
	session *session // nil: not plugged in
}

// session is the time between plugging in and unplugging.
type session struct {
	ctx  context.Context
	end  context.CancelFunc
	done chan struct{}
}

// Errors of a key.
var (
	ErrPlugged   = errors.New("the key is plugged in already")
	ErrUnplugged = errors.New("the key is not plugged in")
	ErrUnread    = errors.New("nobody reads the key's keyboard")
	ErrNothing   = errors.New("nothing waits for a touch, and the slot types nothing")
)

// New makes a key that is not plugged in.
func New(c Config) (*Key, error) {
	k := &Key{config: c}
	var functions []function
	if c.OTP != nil {
		k.keyboard = &keyboard{otp: c.OTP, used: func() { k.asked.OTP.Add(1) }}
		functions = append(functions, k.keyboard)
	}
	if c.FIDO != nil {
		c.FIDO.Change(func(o *fido.Options) {
			o.Touch = func(ctx context.Context) bool { return k.finger.await(ctx, "fido") }
		})
		functions = append(functions, &authenticator{key: c.FIDO, used: func() { k.reclaim(&k.asked.FIDO) }})
	}
	if c.PIV != nil {
		c.PIV.SetTouch(k.touchPIV)
		functions = append(functions, &reader{card: c.PIV, used: func() { k.reclaim(&k.asked.PIV) }})
	}
	if functions == nil {
		return nil, errors.New("a key without any application")
	}
	if k.config.Version == ([3]uint8{}) {
		k.config.Version = [3]uint8{5, 4, 3}
	}
	k.device = newDevice(functions, k.config.Version)
	return k, nil
}

// Asked counts what the host has said to a key's applications: feature reports, FIDO's
// frames, commands for the card. What only lists devices says nothing.
type Asked struct{ OTP, FIDO, PIV atomic.Int64 }

func (a *Asked) String() string {
	return fmt.Sprintf("otp %d fido %d piv %d", a.OTP.Load(), a.FIDO.Load(), a.PIV.Load())
}

// Asked counts from the key's making on.
func (k *Key) Asked() *Asked { return &k.asked }

// reclaim counts, and tells OTP that another application is in use.
func (k *Key) reclaim(n *atomic.Int64) {
	n.Add(1)
	if k.config.OTP != nil {
		k.config.OTP.Elsewhere()
	}
}

// Descriptor is what USB/IP tells of the key.
func (k *Key) Descriptor() usbip.Descriptor { return k.device.Descriptor() }

// Serve gives the key power and lets the host at the other end of conn use it, until
// ctx, the host or Unplug ends that.
func (k *Key) Serve(ctx context.Context, conn net.Conn) error {
	s, err := k.power(ctx)
	if err != nil {
		conn.Close()
		return err
	}
	return k.serve(s, conn)
}

// Plug plugs the key into this machine, until ctx or Unplug ends that.
func (k *Key) Plug(ctx context.Context) error {
	s, err := k.power(ctx)
	if err != nil {
		return err
	}
	conn, err := usbip.Attach()
	if err != nil {
		k.powerOff(s)
		return err
	}
	go k.serve(s, conn) // an error is the host's way of unplugging
	return nil
}

// Unplug takes the key out, and returns when nothing of it is at work any more.
func (k *Key) Unplug() error {
	k.mu.Lock()
	s := k.session
	k.mu.Unlock()
	if s == nil {
		return ErrUnplugged
	}
	s.end()
	<-s.done
	return nil
}

// Plugged says whether the key is plugged in.
func (k *Key) Plugged() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.session != nil
}

func (k *Key) power(ctx context.Context) (*session, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.session != nil {
		return nil, ErrPlugged
	}
	s := &session{done: make(chan struct{})}
	s.ctx, s.end = context.WithCancel(ctx)
	k.session = s
	return s, nil
}

func (k *Key) serve(s *session, conn net.Conn) error {
	defer k.powerOff(s)
	return usbip.Serve(s.ctx, conn, k.device)
}

func (k *Key) powerOff(s *session) {
	s.end()
	k.mu.Lock()
	k.session = nil
	k.mu.Unlock()
	close(s.done)
}
