// Package usbip plugs a USB device that is a Go value into a Linux kernel: into this
// one's virtual host controller (Attach), or over TCP into another one's (Server). The
// kernel and every program on it take the device for real, because the USB stack under
// them is. It is for tests; nothing of it authenticates anybody.
//
// The protocol is USB/IP 1.1.1, of Linux's Documentation/usb/usbip_protocol.rst.
package usbip

import (
	"context"
	"encoding/binary"
	"errors"
)

// Device is what is plugged in. Control and Out must not block: the host's other
// requests wait for them. They are called by one goroutine at a time.
type Device interface {
	Descriptor() Descriptor
	// Plug gives the device power, until ctx ends. Then Unplug waits until nothing of
	// it is at work any more.
	Plug(ctx context.Context)
	Unplug()
	// Control answers a request to endpoint 0. data is what the host sent with it; the
	// answer is cut to what the host asked for. An error stalls the request.
	Control(setup Setup, data []byte) ([]byte, error)
	// Out takes data for an OUT endpoint. An error stalls it.
	Out(endpoint uint8, data []byte) error
	// In returns an IN endpoint, which is nil if there is none of that number.
	In(endpoint uint8) *Pipe
}

// Descriptor is what USB/IP tells of a device before it is plugged in.
type Descriptor struct {
	Vendor, Product, Release uint16
	// Interfaces are class, subclass and protocol of each.
	Interfaces [][3]byte
}

// Setup is the packet that a control request begins with (USB 2.0, 9.3).
type Setup struct {
	RequestType, Request uint8
	Value, Index, Length uint16
}

// toHost: the answer has data, the request has none.
func (s Setup) toHost() bool { return s.RequestType&0x80 != 0 }

func parseSetup(b [setupSize]byte) Setup {
	return Setup{
		RequestType: b[0], Request: b[1],
		Value:  binary.LittleEndian.Uint16(b[2:]),
		Index:  binary.LittleEndian.Uint16(b[4:]),
		Length: binary.LittleEndian.Uint16(b[6:]),
	}
}

// ErrStall is for a device that refuses a request and has nothing to add.
var ErrStall = errors.New("stall")
