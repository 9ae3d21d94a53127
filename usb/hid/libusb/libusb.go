// Package libusb is the way to the keys through libusb, for machines that have no
// device files for them. It takes a key's keyboard away from the kernel while it is
// open, and must live to give it back: what a killed process leaves is for Repair.
//
// Only the first interface of a key is ever opened: to take the FIDO interface of a key
// that has others would take it from the browsers too.
package libusb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	karalabe "github.com/karalabe/hid"
	"golang.org/x/sys/unix"

	"github.com/factord/factord/usb/hid"
)

const (
	// settle is how long a key that has just been plugged in may lack the right to
	// open it that udev gives.
	settle = time.Second
	// leave is how long a key that is being unplugged may still be seen.
	leave = 200 * time.Millisecond

	retry = 20 * time.Millisecond
)

// Backend is the way through libusb. Its zero value is ready.
type Backend struct {
	// Kernel says what is plugged in, and has the interfaces that are not for here.
	Kernel hid.Hidraw

	library library // nil is the real one
}

var _ hid.Backend = Backend{}

// library is what is used of libusb. None of it has a context.
type library interface {
	Enumerate() ([]karalabe.DeviceInfo, error)
	Open(path string) (karalabe.Device, error)
}

// linked is libusb. It goes through the devices under a lock of its own.
type linked struct{}

func (linked) Enumerate() ([]karalabe.DeviceInfo, error) {
	if !karalabe.Supported() {
		return nil, errors.ErrUnsupported
	}
	return karalabe.Enumerate(0, 0)
}

func (linked) Open(path string) (karalabe.Device, error) {
	if !karalabe.Supported() {
		return nil, errors.ErrUnsupported
	}
	return karalabe.DeviceInfo{Path: path}.Open()
}

// Keys implements hid.Backend. Where libusb may not look at the devices it sees none,
// and says nothing; then there are more of them in sysfs.
func (b Backend) Keys(ctx context.Context) ([]hid.Key, error) {
	keys, err := b.Kernel.Keys(ctx)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		if !k.OTP && !k.FIDO {
			continue
		}
		seen, err := await(ctx, b.calls().Enumerate, func([]karalabe.DeviceInfo) {})
		if err != nil {
			return nil, fmt.Errorf("looking for keys: %w", err)
		}
		if len(seen) == 0 {
			return nil, fmt.Errorf("looking for keys: libusb sees no device: %w", hid.ErrAccess)
		}
		break
	}
	return keys, nil
}

// Keyboard implements hid.Backend.
func (b Backend) Keyboard(ctx context.Context, port string) (hid.Keyboard, error) {
	d, err := b.openOTP(ctx, port)
	if err != nil {
		return nil, fmt.Errorf("taking the keyboard of %s: %w", port, err)
	}
	return newKeyboard(d), nil
}

// Features implements hid.Backend.
func (b Backend) Features(ctx context.Context, port string) (hid.Features, error) {
	d, err := b.openOTP(ctx, port)
	if err != nil {
		return nil, fmt.Errorf("opening the OTP interface of %s: %w", port, err)
	}
	return newFeatures(d), nil
}

// Frames implements hid.Backend. Where the FIDO interface is not the first one it is the
// kernel's.
func (b Backend) Frames(ctx context.Context, port string) (hid.Frames, error) {
	_, fido, err := b.Kernel.Interfaces(port)
	if err != nil || fido.Path == "" || fido.Number != 0 {
		return b.Kernel.Frames(ctx, port)
	}
	d, err := b.open(ctx, port, fido.Path)
	if err != nil {
		return nil, fmt.Errorf("opening the FIDO interface of %s: %w", port, err)
	}
	return newFrames(d), nil
}

func (b Backend) openOTP(ctx context.Context, port string) (*device, error) {
	otp, _, err := b.Kernel.Interfaces(port)
	if err != nil {
		return nil, err
	}
	if otp.Path == "" || otp.Number != 0 {
		return nil, hid.ErrNone
	}
	return b.open(ctx, port, otp.Path)
}

// open opens an interface by its path. A key that has just been plugged in may need a
// moment.
func (b Backend) open(ctx context.Context, port, path string) (*device, error) {
	for began := time.Now(); ; {
		open := func() (karalabe.Device, error) { return b.calls().Open(path) }
		d, err := await(ctx, open, func(late karalabe.Device) { late.Close() })
		if err == nil {
			return &device{Device: d, failed: func(err error) error { return b.whyFailed(port, err) }}, nil
		}
		if ctx.Err() != nil {
			return nil, err
		}
		err = b.whyClosed(port, path, err)
		if !errors.Is(err, hid.ErrAccess) || time.Since(began) > settle {
			return nil, err
		}
		if err := pause(ctx, retry); err != nil {
			return nil, err
		}
	}
}

// whyClosed finds out why an interface can't be opened, which libusb doesn't say.
func (b Backend) whyClosed(port, path string, err error) error {
	file, gone := b.Kernel.DeviceFile(port)
	if gone != nil {
		return gone
	}
	if denied := unix.Faccessat(unix.AT_FDCWD, file, unix.R_OK|unix.W_OK, unix.AT_EACCESS); denied != nil {
		return fmt.Errorf("%w: %w", hid.ErrAccess, &os.PathError{Op: "access", Path: file, Err: denied})
	}
	otp, fido, gone := b.Kernel.Interfaces(port)
	if gone != nil {
		return gone
	}
	for _, i := range []hid.Interface{otp, fido} {
		if i.Path == path && i.Driver == "usbfs" {
			return fmt.Errorf("%w: %w", hid.ErrBusy, err)
		}
	}
	return err
}

// whyFailed finds out whether a key has failed because it is gone.
func (b Backend) whyFailed(port string, err error) error {
	for began := time.Now(); time.Since(began) < leave; time.Sleep(retry) {
		if _, _, gone := b.Kernel.Interfaces(port); gone != nil {
			return gone
		}
	}
	return err
}

func (b Backend) calls() library {
	if b.library == nil {
		return linked{}
	}
	return b.library
}

// await makes a call that knows no context. What comes too late is given to late.
func await[T any](ctx context.Context, call func() (T, error), late func(T)) (result T, err error) {
	if err := ctx.Err(); err != nil {
		return result, err
	}
	type answer struct {
		result T
		err    error
	}
	answers := make(chan answer)
	go func() {
		result, err := call()
		select {
		case answers <- answer{result, err}:
		case <-ctx.Done():
			if err == nil {
				late(result)
			}
		}
	}()
	select {
	case a := <-answers:
		return a.result, a.err
	case <-ctx.Done():
		return result, ctx.Err()
	}
}

// pause waits, or until the context ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return ctx.Err()
	}
}
