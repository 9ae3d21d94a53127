package virtual

import (
	"context"
	"sync"
	"time"

	"github.com/factord/factord/usb/virtual/otpkey"
	"github.com/factord/factord/usb/virtual/usbip"
)

// keyboard is the OTP interface: a boot keyboard with a feature report.
type keyboard struct {
	otp  *otpkey.Key
	used func() // tells that it is in use
	pipe usbip.Pipe

	typing sync.Mutex // one text after the other
}

const keyboardIn = 1

func (*keyboard) name() string { return "OTP" }

func (k *keyboard) in() map[uint8]*usbip.Pipe { return map[uint8]*usbip.Pipe{keyboardIn: &k.pipe} }
func (*keyboard) outNumber() uint8            { return 0 }
func (*keyboard) out([]byte) error            { return usbip.ErrStall }

func (k *keyboard) plug(context.Context) { k.otp.Plug() }
func (k *keyboard) unplug()              {}

func (k *keyboard) descriptors(number uint8) []byte {
	b := interfaceDescriptor(number, 1, classHID, 1, 1)
	b = append(b, hidDescriptor(k.report())...)
	return append(b, endpointDescriptor(dirIn|keyboardIn, interrupt, 8, 10)...)
}

// report is a boot keyboard's (HID 1.11, appendix B.1), with eight bytes of feature
// report behind it.
func (*keyboard) report() []byte {
	return []byte{
		0x05, 0x01, 0x09, 0x06, 0xa1, 0x01, // a keyboard:
		0x05, 0x07, 0x19, 0xe0, 0x29, 0xe7, 0x15, 0x00, 0x25, 0x01,
		0x75, 0x01, 0x95, 0x08, 0x81, 0x02, // eight modifiers in,
		0x95, 0x01, 0x75, 0x08, 0x81, 0x01, // a byte of nothing,
		0x95, 0x05, 0x75, 0x01, 0x05, 0x08, 0x19, 0x01, 0x29, 0x05, 0x91, 0x02, // five lamps out,
		0x95, 0x01, 0x75, 0x03, 0x91, 0x01,
		0x95, 0x06, 0x75, 0x08, 0x15, 0x00, 0x25, 0x65, 0x05, 0x07, 0x19, 0x00, 0x29, 0x65,
		0x81, 0x00, // six usages in,
		0x09, 0x03, 0x75, 0x08, 0x95, 0x08, 0xb1, 0x02, // and the feature report
		0xc0,
	}
}

func (k *keyboard) control(s usbip.Setup, data []byte) ([]byte, error) {
	switch request := hidRequest(s); request {
	case getInputReport:
		return make([]byte, otpkey.ReportSize), nil
	case getFeatureReport:
		r := k.otp.Get()
		return r[:], nil
	case setFeatureReport:
		if len(data) != otpkey.ReportSize {
			return nil, usbip.ErrStall
		}
		k.used()
		k.otp.Set([otpkey.ReportSize]byte(data))
		return nil, nil
	case setOutputReport, setIdle, setProtocol:
		return nil, nil
	}
	return nil, usbip.ErrStall
}

// Times of a key that types to a host which does not ask.
const (
	unread = 5 * time.Second // then it gives up
	look   = time.Millisecond
)

// press says each stroke, as fast as the host asks for them. What is left when ctx ends,
// or when the host has not asked for long, is never typed.
func (k *keyboard) press(ctx context.Context, strokes []otpkey.Stroke) error {
	k.typing.Lock()
	defer k.typing.Unlock()
	for _, s := range strokes {
		if err := k.taken(ctx); err != nil {
			return err
		}
		k.pipe.Put(s.Report[:])
		if err := sleep(ctx, s.Wait); err != nil {
			return err
		}
	}
	return k.taken(ctx)
}

// taken waits until the host has what was said last. The key has room for one report.
func (k *keyboard) taken(ctx context.Context) error {
	for end := time.Now().Add(unread); k.pipe.Queued() > 0; {
		if time.Now().After(end) {
			k.pipe.Flush()
			return ErrUnread
		}
		if err := sleep(ctx, look); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
