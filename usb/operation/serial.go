package operation

import (
	"context"
	"errors"
	"time"

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

// openTime is how long it may take to open an interface, with waiting for another program
// to let go of it.
const openTime = 1500 * time.Millisecond

// features opens the OTP interface of a key.
func features(ctx context.Context, b hid.Backend, port string) (hid.Features, error) {
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	return b.Features(ctx, port)
}

// serialAt is serial for a key that is not open.
func serialAt(ctx context.Context, b hid.Backend, port string) (uint32, error) {
	f, err := features(ctx, b, port)
	if err != nil {
		return 0, err
	}
	n, err := serial(ctx, f)
	return n, errors.Join(err, f.Close())
}
