package otp

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/factord/factord/usb/hid"
)

// Serial asks for the key's serial number, which is printed on it.
func Serial(ctx context.Context, f hid.Features) (uint32, error) {
	n, err := serial(ctx, f)
	if err != nil {
		return 0, fmt.Errorf("reading the key's serial number: %w", err)
	}
	return n, nil
}

func serial(ctx context.Context, f hid.Features) (uint32, error) {
	e := exchange{features: f}
	status, err := e.status(ctx)
	if err != nil {
		return 0, err
	}
	if status.Firmware.Less(Version{2, 2, 0}) {
		return 0, fmt.Errorf("%w: %v", ErrOld, status.Firmware)
	}
	ask := e.command
	// A slot's configuration says whether readSerial is answered. The other command,
	// which is newer, has the number if the key has one.
	if !status.Firmware.Less(infoFirmware) {
		i, err := e.info(ctx)
		if err == nil && i.Serial != 0 {
			return i.Serial, nil
		}
		if err != nil && !errors.Is(err, ErrRejected) {
			return 0, err
		}
		ask = e.once // it was waited long enough
	}
	answer, err := ask(ctx, readSerial, [payloadSize]byte{})
	if errors.Is(err, ErrRejected) {
		return 0, ErrNoSerial
	}
	if err != nil {
		return 0, err
	}
	const size = 4
	number, err := checked(answer, size)
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint32(number), nil
}

// checked returns the first bytes of an answer, which their checksum follows. The rest
// fills up the last chunk.
func checked(answer []byte, size int) ([]byte, error) {
	const sum = 2
	if len(answer) < size+sum {
		return nil, fmt.Errorf("%w: %d bytes instead of %d", ErrGarbled, len(answer), size+sum)
	}
	if crc(answer[:size+sum]) != residue {
		return nil, fmt.Errorf("%w: its checksum is wrong", ErrGarbled)
	}
	return answer[:size], nil
}
