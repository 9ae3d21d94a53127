package otp

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/factord/factord/usb/hid"
)

// infoFirmware is the first that answers readInfo.
var infoFirmware = Version{Major: 4}

// Info is what a key of firmware 4 and later says of itself.
type Info struct {
	Serial   uint32  // 0: the key has none
	Firmware Version // zero: the key doesn't say
	// ChallengeTimeout is how many seconds the key waits for a touch; 0 is its own
	// default, 15.
	ChallengeTimeout byte
}

// ReadInfo asks a key of firmware 4 or later about itself.
func ReadInfo(ctx context.Context, f hid.Features) (Info, error) {
	e := exchange{features: f}
	i, err := e.readInfo(ctx)
	if err != nil {
		return Info{}, fmt.Errorf("reading the key's device information: %w", err)
	}
	return i, nil
}

func (e *exchange) readInfo(ctx context.Context) (Info, error) {
	status, err := e.status(ctx)
	if err != nil {
		return Info{}, err
	}
	if status.Firmware.Less(infoFirmware) {
		return Info{}, fmt.Errorf("%w: %v", ErrOld, status.Firmware)
	}
	return e.info(ctx)
}

func (e *exchange) info(ctx context.Context) (Info, error) {
	// The payload is the page that is asked for: the first.
	answer, err := e.command(ctx, readInfo, [payloadSize]byte{})
	if err != nil {
		return Info{}, err
	}
	return parseInfo(answer)
}

// Tags of the device information, as yubikey-manager has them.
const (
	tagSerial           = 0x02
	tagFirmware         = 0x05
	tagChallengeTimeout = 0x07
)

// parseInfo parses the length, then tag, length and value of each entry.
func parseInfo(answer []byte) (i Info, err error) {
	if len(answer) == 0 {
		return Info{}, fmt.Errorf("%w: it is empty", ErrGarbled)
	}
	entries, err := checked(answer, 1+int(answer[0]))
	if err != nil {
		return Info{}, err
	}
	for b := entries[1:]; len(b) > 0; {
		if len(b) < 2 || len(b) < 2+int(b[1]) {
			return Info{}, fmt.Errorf("%w: half an entry", ErrGarbled)
		}
		tag, value := b[0], b[2:2+int(b[1])]
		b = b[2+len(value):]
		switch {
		case tag == tagSerial && len(value) == 4:
			i.Serial = binary.BigEndian.Uint32(value)
		case tag == tagFirmware && len(value) == 3:
			i.Firmware = Version{value[0], value[1], value[2]}
		case tag == tagChallengeTimeout && len(value) == 1:
			i.ChallengeTimeout = value[0]
		case tag == tagSerial, tag == tagFirmware, tag == tagChallengeTimeout:
			return Info{}, fmt.Errorf("%w: entry %#02x has %d bytes", ErrGarbled, tag, len(value))
		}
	}
	return i, nil
}
