package otp

import (
	"encoding/binary"
	"fmt"

	"github.com/factord/factord/usb/hid"
)

// command says what a frame is for. These are all that are ever sent; there are others,
// which program the key.
type command byte

const (
	readSerial command = 0x10
	readInfo   command = 0x13
	hmacSlot1  command = 0x30
	hmacSlot2  command = 0x38
)

func (c command) permitted() bool {
	switch c {
	case readSerial, readInfo, hmacSlot1, hmacSlot2:
		return true
	}
	return false
}

const (
	payloadSize = 64
	// frameSize is payload, command, two bytes of checksum and three of nothing.
	frameSize = payloadSize + 1 + 2 + 3
	// chunkSize is what a report carries; its last byte has flags.
	chunkSize = hid.FeatureSize - 1
)

// The flags of a report. With the first two the lower five bits are the number of the
// chunk, with the third the seconds that are left.
const (
	flagBusy    = 0x80 // the host sets it with a chunk, the key clears it
	flagAnswer  = 0x40
	flagTouch   = 0x20
	maskNumber  = 0x1f
	resetNumber = 0x0f // of no chunk: stop what goes on
)

// report is a feature report.
type report = [hid.FeatureSize]byte

// reset ends an answer, or a wait for a touch.
var reset = report{chunkSize: flagBusy | resetNumber}

// frame returns the reports that send a command. Chunks of zeros are left out, except
// the first and the last: the key clears its buffer with the first.
func frame(c command, payload [payloadSize]byte) ([]report, error) {
	if !c.permitted() {
		return nil, fmt.Errorf("command %#02x is never sent", byte(c))
	}
	var whole [frameSize]byte
	copy(whole[:], payload[:])
	whole[payloadSize] = byte(c)
	binary.LittleEndian.PutUint16(whole[payloadSize+1:], crc(payload[:]))

	const last = frameSize/chunkSize - 1
	var reports []report
	for i := range last + 1 {
		chunk := [chunkSize]byte(whole[i*chunkSize:])
		if i != 0 && i != last && chunk == [chunkSize]byte{} {
			continue
		}
		var r report
		copy(r[:], chunk[:])
		r[chunkSize] = flagBusy | byte(i)
		reports = append(reports, r)
	}
	return reports, nil
}

// residue is the checksum of data with its own checksum, complemented, after it.
const residue = 0xf0b8

// crc is ISO 13239's, not complemented.
func crc(data []byte) uint16 {
	const polynomial = 0x8408
	sum := uint16(0xffff)
	for _, b := range data {
		sum ^= uint16(b)
		for range 8 {
			low := sum & 1
			sum >>= 1
			if low == 1 {
				sum ^= polynomial
			}
		}
	}
	return sum
}
