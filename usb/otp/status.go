package otp

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/factord/factord/usb/hid"
)

// Version is a version of a key's firmware.
type Version struct{ Major, Minor, Build byte }

// Less says whether v is older.
func (v Version) Less(w Version) bool {
	if v.Major != w.Major {
		return v.Major < w.Major
	}
	if v.Minor != w.Minor {
		return v.Minor < w.Minor
	}
	return v.Build < w.Build
}

func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Build) }

// Slot is one of the two things that a key can be programmed for, as far as its status
// tells.
type Slot struct {
	Configured bool
	// Touch: the slot does what it does when the key is touched: it types, or it
	// answers a challenge only then. Known from firmware 3.0.
	Touch bool
}

// Status is what the OTP application says when it is asked for nothing.
type Status struct {
	Firmware Version
	// Sequence counts the changes of the configuration; 0 is that there is none.
	Sequence byte
	Slots    [2]Slot
}

// The bits of what the key calls its touch level. Those of slot 2 are one further.
const (
	bitConfigured = 1 << 0
	bitTouch      = 1 << 2
)

// parseStatus parses a report without flags.
func parseStatus(r report) Status {
	s := Status{Firmware: Version{r[1], r[2], r[3]}, Sequence: r[4]}
	level := binary.LittleEndian.Uint16(r[5:])
	for i := range s.Slots {
		s.Slots[i].Configured = level&(bitConfigured<<i) != 0
		s.Slots[i].Touch = level&(bitTouch<<i) != 0 && !s.Firmware.Less(Version{Major: 3})
	}
	return s
}

// ReadStatus asks for the status. What another program has left behind in the key, such
// as a wait for a touch, ends.
func ReadStatus(ctx context.Context, f hid.Features) (Status, error) {
	e := exchange{features: f}
	s, err := e.status(ctx)
	if err != nil {
		return Status{}, fmt.Errorf("reading the key's status: %w", err)
	}
	return s, nil
}
