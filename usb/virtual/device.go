package virtual

import (
	"context"
	"maps"

	"github.com/factord/factord/usb/virtual/usbip"
)

// function is an interface of the USB device.
type function interface {
	// name is the interface's in the product string.
	name() string
	// descriptors are the interface's and those behind it: class, endpoints.
	descriptors(number uint8) []byte
	// report is the HID report descriptor; nil in another class.
	report() []byte
	// control answers a request of the class. It must not block.
	control(setup usbip.Setup, data []byte) ([]byte, error)
	// in are the IN endpoints, by number.
	in() map[uint8]*usbip.Pipe
	// outNumber is the OUT endpoint's number; 0: there is none.
	outNumber() uint8
	// out takes data for it. It must not block.
	out(data []byte) error
	// plug gives power until ctx ends; unplug waits for what is at work.
	plug(ctx context.Context)
	unplug()
}

// device is the whole of them.
type device struct {
	release   uint16
	functions []function
	pipes     map[uint8]*usbip.Pipe
	outs      map[uint8]function
	config    uint8 // that the host has chosen
}

func newDevice(functions []function, version [3]uint8) *device {
	d := &device{
		release:   uint16(version[0])<<8 | uint16(version[1])<<4 | uint16(version[2]),
		functions: functions, pipes: map[uint8]*usbip.Pipe{}, outs: map[uint8]function{},
	}
	for _, f := range functions {
		maps.Copy(d.pipes, f.in())
		if n := f.outNumber(); n != 0 {
			d.outs[n] = f
		}
	}
	return d
}

func (d *device) In(endpoint uint8) *usbip.Pipe { return d.pipes[endpoint] }

func (d *device) Out(endpoint uint8, data []byte) error {
	if f := d.outs[endpoint]; f != nil {
		return f.out(data)
	}
	return usbip.ErrStall
}

// Plug is for usbip, as Unplug is.
func (d *device) Plug(ctx context.Context) {
	d.config = 0
	for _, f := range d.functions {
		f.plug(ctx)
	}
}

func (d *device) Unplug() {
	for _, f := range d.functions {
		f.unplug()
	}
}

// Parts of a request's type (USB 2.0, table 9-2).
const (
	typeMask      = 0x60
	typeStandard  = 0x00
	typeClass     = 0x20
	recipientMask = 0x1f
	toDevice      = 0
	toInterface   = 1
)

func (d *device) Control(s usbip.Setup, data []byte) ([]byte, error) {
	switch s.RequestType & typeMask {
	case typeStandard:
		return d.standard(s)
	case typeClass:
		if f := d.function(s); f != nil {
			return f.control(s, data)
		}
	}
	return nil, usbip.ErrStall
}

// function is the interface that a request is for, if it is for one.
func (d *device) function(s usbip.Setup) function {
	n := int(s.Index & 0xff)
	if s.RequestType&recipientMask != toInterface || n >= len(d.functions) {
		return nil
	}
	return d.functions[n]
}

// Standard requests (USB 2.0, table 9-4).
const (
	getStatus        = 0
	clearFeature     = 1
	setFeature       = 3
	getDescriptor    = 6
	getConfiguration = 8
	setConfiguration = 9
	getInterface     = 10
	setInterface     = 11
)

func (d *device) standard(s usbip.Setup) ([]byte, error) {
	switch s.Request {
	case getStatus:
		return []byte{0, 0}, nil
	case clearFeature, setFeature:
		return nil, nil
	case getDescriptor:
		return d.descriptor(s)
	case getConfiguration:
		return []byte{d.config}, nil
	case setConfiguration:
		if s.Value > 1 {
			return nil, usbip.ErrStall
		}
		d.config = uint8(s.Value)
		return nil, nil
	case getInterface:
		return []byte{0}, nil
	case setInterface:
		if s.Value != 0 {
			return nil, usbip.ErrStall
		}
		return nil, nil
	}
	return nil, usbip.ErrStall
}
