package virtual

import (
	"context"

	"github.com/factord/factord/usb/virtual/fido"
	"github.com/factord/factord/usb/virtual/usbip"
)

// authenticator is the FIDO interface.
type authenticator struct {
	key  *fido.Key
	used func() // tells that it is in use
	port *fido.Port
	pipe usbip.Pipe
}

const fidoEndpoint = 4

func (*authenticator) name() string { return "FIDO" }

func (a *authenticator) in() map[uint8]*usbip.Pipe {
	return map[uint8]*usbip.Pipe{fidoEndpoint: &a.pipe}
}

func (*authenticator) outNumber() uint8 { return fidoEndpoint }

func (a *authenticator) plug(context.Context) {
	a.port = a.key.Plug(func(f fido.Frame) { a.pipe.Put(f[:]) })
}

func (a *authenticator) unplug() { a.port.Unplug() }

func (a *authenticator) descriptors(number uint8) []byte {
	b := interfaceDescriptor(number, 2, classHID, 0, 0)
	b = append(b, hidDescriptor(a.report())...)
	b = append(b, endpointDescriptor(fidoEndpoint, interrupt, fido.FrameSize, 2)...)
	return append(b, endpointDescriptor(dirIn|fidoEndpoint, interrupt, fido.FrameSize, 2)...)
}

// report is the one of CTAP 2.1, 11.2.8.2: 64 bytes in and out.
func (*authenticator) report() []byte {
	return []byte{
		0x06, 0xd0, 0xf1, 0x09, 0x01, 0xa1, 0x01,
		0x09, 0x20, 0x15, 0x00, 0x26, 0xff, 0x00, 0x75, 0x08, 0x95, 0x40, 0x81, 0x02,
		0x09, 0x21, 0x15, 0x00, 0x26, 0xff, 0x00, 0x75, 0x08, 0x95, 0x40, 0x91, 0x02,
		0xc0,
	}
}

func (a *authenticator) control(s usbip.Setup, _ []byte) ([]byte, error) {
	switch hidRequest(s) {
	case getInputReport:
		return make([]byte, fido.FrameSize), nil
	case setIdle:
		return nil, nil
	}
	return nil, usbip.ErrStall
}

func (a *authenticator) out(data []byte) error {
	if len(data) != fido.FrameSize {
		return usbip.ErrStall
	}
	a.used()
	a.port.Handle(fido.Frame(data))
	return nil
}
