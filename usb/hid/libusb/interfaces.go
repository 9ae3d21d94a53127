package libusb

import (
	"context"
	"fmt"

	"github.com/factord/factord/usb/hid"
)

// keyboard is a key's keyboard.
type keyboard struct {
	*device
	presses *queue[hid.Press]
}

func newKeyboard(d *device) keyboard {
	k := keyboard{device: d, presses: newQueue[hid.Press]()}
	var decoder bootDecoder
	d.start(func() error {
		var buf [bootSize + 1]byte
		n, err := d.ReadTimeout(buf[:], int(readPoll.Milliseconds()))
		if err != nil {
			k.presses.fail(d.failed(err))
			return err
		}
		if n == 0 {
			return nil // the time is over
		}
		presses, ok := decoder.next(buf[:n])
		for _, p := range presses {
			k.presses.put(p)
		}
		if !ok {
			k.presses.lost = true
		}
		return nil
	})
	return k
}

// Read implements hid.Keyboard.
func (k keyboard) Read(ctx context.Context) (hid.Press, error) {
	p, err := k.presses.get(ctx)
	if err != nil {
		return hid.Press{}, fmt.Errorf("reading the keyboard: %w", err)
	}
	return p, nil
}

// features is an OTP interface.
type features struct{ *device }

func newFeatures(d *device) features {
	d.start(nil)
	return features{d}
}

// Get implements hid.Features.
func (f features) Get(ctx context.Context) (report [hid.FeatureSize]byte, err error) {
	buf, err := do(ctx, f.device, func() (buf [1 + hid.FeatureSize]byte, err error) {
		n, err := f.GetFeatureReport(buf[:])
		return buf, whole(len(buf), n, err)
	})
	if err != nil {
		return report, fmt.Errorf("reading a feature report: %w", err)
	}
	return [hid.FeatureSize]byte(buf[1:]), nil
}

// Set implements hid.Features.
func (f features) Set(ctx context.Context, report [hid.FeatureSize]byte) error {
	_, err := do(ctx, f.device, func() (struct{}, error) {
		buf := append([]byte{0}, report[:]...)
		n, err := f.SendFeatureReport(buf)
		return struct{}{}, whole(len(buf), n, err)
	})
	if err != nil {
		return fmt.Errorf("writing a feature report: %w", err)
	}
	return nil
}

// frames is a FIDO interface.
type frames struct {
	*device
	read *queue[[hid.FrameSize]byte]
}

func newFrames(d *device) frames {
	f := frames{device: d, read: newQueue[[hid.FrameSize]byte]()}
	d.start(func() error {
		var buf [hid.FrameSize]byte
		n, err := d.ReadTimeout(buf[:], int(readPoll.Milliseconds()))
		switch {
		case err == nil && n == 0:
			return nil // the time is over
		case err == nil && n == len(buf):
			f.read.put(buf)
			return nil
		}
		err = whole(len(buf), n, err)
		f.read.fail(d.failed(err))
		return err
	})
	return f
}

// Read implements hid.Frames.
func (f frames) Read(ctx context.Context) ([hid.FrameSize]byte, error) {
	frame, err := f.read.get(ctx)
	if err != nil {
		return [hid.FrameSize]byte{}, fmt.Errorf("reading a frame: %w", err)
	}
	return frame, nil
}

// Write implements hid.Frames.
func (f frames) Write(ctx context.Context, frame [hid.FrameSize]byte) error {
	_, err := do(ctx, f.device, func() (struct{}, error) {
		// The report id first, always: the library takes a first zero for one.
		buf := append([]byte{0}, frame[:]...)
		n, err := f.Device.Write(buf)
		return struct{}{}, whole(len(buf), n, err)
	})
	if err != nil {
		return fmt.Errorf("writing a frame: %w", err)
	}
	return nil
}

// whole makes an error of a report that has another size.
func whole(size, n int, err error) error {
	if err == nil && n != size {
		return fmt.Errorf("a report has %d bytes, not %d", n, size)
	}
	return err
}
