package ctap

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/factord/factord/usb/hid"
)

// Packets of CTAPHID (11.2.4): the first of a message has channel, command, size and 57
// bytes of data, the others channel, number and 59 bytes.
const (
	firstHeader = 7
	firstData   = hid.FrameSize - firstHeader
	nextHeader  = 5
	nextData    = hid.FrameSize - nextHeader
	maxPackets  = 128 // after the first
	// maxMessage is the longest message that packets can carry.
	maxMessage = firstData + maxPackets*nextData

	initBit = 0x80
)

type frame = [hid.FrameSize]byte

// split makes the packets of a message.
func split(cid uint32, cmd byte, data []byte) []frame {
	var f frame
	binary.BigEndian.PutUint32(f[:], cid)
	f[4] = cmd | initBit
	binary.BigEndian.PutUint16(f[5:], uint16(len(data)))
	data = data[copy(f[firstHeader:], data):]
	frames := []frame{f}
	for seq := byte(0); len(data) > 0; seq++ {
		f = frame{}
		binary.BigEndian.PutUint32(f[:], cid)
		f[4] = seq
		data = data[copy(f[nextHeader:], data):]
		frames = append(frames, f)
	}
	return frames
}

// message is one that comes in.
type message struct {
	cmd  byte
	size int
	next byte // number of the packet that has to come
	data []byte
}

var errSequence = fmt.Errorf("%w: packets in the wrong order", ErrMalformed)

// begin takes the first packet of a message.
func begin(f frame) (*message, error) {
	if f[4]&initBit == 0 {
		return nil, errSequence
	}
	m := &message{cmd: f[4] &^ initBit, size: int(binary.BigEndian.Uint16(f[5:]))}
	if m.size > maxMessage {
		return nil, fmt.Errorf("%w: a message of %d bytes", ErrMalformed, m.size)
	}
	m.data = append(m.data, f[firstHeader:firstHeader+min(m.size, firstData)]...)
	return m, nil
}

// add takes another packet.
func (m *message) add(f frame) error {
	if f[4] != m.next || f[4]&initBit != 0 {
		return errSequence
	}
	m.next++
	m.data = append(m.data, f[nextHeader:nextHeader+min(m.size-len(m.data), nextData)]...)
	return nil
}

func (m *message) whole() bool { return len(m.data) == m.size }

// ErrMalformed: what the key sent is not what it has to send.
var ErrMalformed = errors.New("the key's answer is malformed")
