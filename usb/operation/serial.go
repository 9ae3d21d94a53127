package operation

import (
	"context"
	"errors"

	"github.com/factord/factord/usb/hid"
	"github.com/factord/factord/usb/otp"
)

// serial reads a key's serial number; 0 is a key that does not show it.
func serial(ctx context.Context, f hid.Features) (uint32, error) {
	n, err := otp.Serial(ctx, f)
	if errors.Is(err, otp.ErrNoSerial) || errors.Is(err, otp.ErrOld) {
		return 0, nil
	}
	return n, err
}

// serialAt is serial for a key that is not open.
func serialAt(ctx context.Context, b hid.Backend, port string) (uint32, error) {
	f, err := b.Features(ctx, port)
	if err != nil {
		return 0, err
	}
	n, err := serial(ctx, f)
	return n, errors.Join(err, f.Close())
}
