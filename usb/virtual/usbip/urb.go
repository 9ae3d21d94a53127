package usbip

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Sizes in bytes.
const (
	headerSize = 48 // of every message about a URB
	setupSize  = 8
	// maxTransfer bounds the data of one URB. usbfs cuts longer ones into 16 KiB.
	maxTransfer = 256 << 10
	// maxEndpoint is the highest number that USB has.
	maxEndpoint = 15
)

// Messages about URBs.
const (
	cmdSubmit = 1
	cmdUnlink = 2
	retSubmit = 3
	retUnlink = 4
)

// Statuses: Linux's errno, negated.
const (
	statusOK       = 0
	statusStall    = -32  // EPIPE
	statusUnlinked = -104 // ECONNRESET
)

// request is a message from the host: a URB, or that an earlier one is withdrawn.
type request struct {
	seq      uint32
	unlink   uint32 // the URB to withdraw; 0: this is a URB
	in       bool
	endpoint uint8
	length   int // of the buffer for what the device has to say
	setup    Setup
	data     []byte
}

// readRequest reads one message. What the device can't have (isochronous endpoints)
// and what is not of the protocol is an error: nothing after it can be understood.
//
// The header, big endian: command, sequence number, device, direction, endpoint, then
// of a submission flags, length, start frame, packets, interval and the setup packet;
// of an unlink the sequence number of the URB.
func readRequest(r io.Reader) (request, error) {
	var h [headerSize]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return request{}, err
	}
	field := func(i int) uint32 { return binary.BigEndian.Uint32(h[4*i:]) }
	q := request{seq: field(1)}
	if q.seq == 0 {
		return request{}, fmt.Errorf("message without a number")
	}
	switch field(0) {
	case cmdUnlink:
		q.unlink = field(5)
		if q.unlink == 0 {
			return request{}, fmt.Errorf("unlink of URB 0")
		}
		return q, nil
	case cmdSubmit:
	default:
		return request{}, fmt.Errorf("command %#x", field(0))
	}
	direction, endpoint, length, packets := field(3), field(4), field(6), field(8)
	switch {
	case direction > 1:
		return request{}, fmt.Errorf("direction %d", direction)
	case endpoint > maxEndpoint:
		return request{}, fmt.Errorf("endpoint %d", endpoint)
	case length > maxTransfer:
		return request{}, fmt.Errorf("transfer of %d bytes", length)
	case packets != 0 && packets != 0xffffffff:
		return request{}, fmt.Errorf("isochronous transfer")
	}
	q.in, q.endpoint = direction == 1, uint8(endpoint)
	q.setup = parseSetup([setupSize]byte(h[40:]))
	if q.in {
		q.length = int(length)
		return q, nil
	}
	q.data = make([]byte, length)
	if _, err := io.ReadFull(r, q.data); err != nil {
		return request{}, fmt.Errorf("reading the data of a URB: %w", err)
	}
	return q, nil
}

// reply is the answer to a URB: how it went, how much was transferred, and what the
// device has to say.
func reply(seq uint32, status int32, transferred int, data []byte) []byte {
	b := make([]byte, headerSize, headerSize+len(data))
	binary.BigEndian.PutUint32(b[0:], retSubmit)
	binary.BigEndian.PutUint32(b[4:], seq)
	binary.BigEndian.PutUint32(b[20:], uint32(status))
	binary.BigEndian.PutUint32(b[24:], uint32(transferred))
	return append(b, data...)
}

// unlinkReply is the answer to an unlink. The URB that was withdrawn gets none.
func unlinkReply(seq uint32, status int32) []byte {
	b := make([]byte, headerSize)
	binary.BigEndian.PutUint32(b[0:], retUnlink)
	binary.BigEndian.PutUint32(b[4:], seq)
	binary.BigEndian.PutUint32(b[20:], uint32(status))
	return b
}
