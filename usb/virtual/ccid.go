package virtual

import (
	"bytes"
	"context"
	"encoding/binary"
	"sync"

	"github.com/factord/factord/usb/virtual/usbip"
)

// Card is a smart card. Transmit returns nil if the card has no power, or loses it.
type Card interface {
	PowerOn() (atr []byte)
	PowerOff()
	Transmit(apdu []byte) []byte
}

// reader is the CCID interface: a reader of one slot, whose card is always there. The
// specification is "Device Class: Smart Card CCID", revision 1.1.
type reader struct {
	card Card
	used func() // tells that it is in use
	bulk usbip.Pipe
	note usbip.Pipe

	part     bytes.Buffer // a message of which not all has come
	commands chan command
	idle     sync.WaitGroup
}

const (
	ccidBulk  = 2
	ccidEvent = 3
)

// Sizes in bytes.
const (
	ccidHeader = 10
	// maxCCID is the longest message, as a YubiKey 5 says.
	maxCCID = 3072
)

// maxCommands bounds what the host may send before it reads an answer.
const maxCommands = 16

func (*reader) name() string { return "CCID" }

func (r *reader) in() map[uint8]*usbip.Pipe {
	return map[uint8]*usbip.Pipe{ccidBulk: &r.bulk, ccidEvent: &r.note}
}

func (*reader) outNumber() uint8 { return ccidBulk }

func (r *reader) descriptors(number uint8) []byte {
	b := interfaceDescriptor(number, 3, classCCID, 0, 0)
	b = append(b, r.class()...)
	b = append(b, endpointDescriptor(ccidBulk, bulk, 64, 0)...)
	b = append(b, endpointDescriptor(dirIn|ccidBulk, bulk, 64, 0)...)
	return append(b, endpointDescriptor(dirIn|ccidEvent, interrupt, 8, 32)...)
}

// class is the descriptor of 5.1. What counts is that T=1 is spoken, that the reader
// does everything by itself, and that its messages are whole APDUs, extended ones too.
func (*reader) class() []byte {
	const (
		descCCID        = 0x21 // the same number as HID's
		onlyT1          = 2
		allVoltages     = 7
		automatic       = 0x000000fe
		extendedAPDU    = 0x00040000
		clock, rate     = 4000, 307200 // kHz, bit/s
		maxIFSD         = 254
		classOfTheAPDU  = 0xff
		commandsAtATime = 1
	)
	b := []byte{54, descCCID, 0x00, 0x01, 0, allVoltages}
	for _, v := range []uint32{onlyT1, clock, clock} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	b = append(b, 0)
	for _, v := range []uint32{rate, rate} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	b = append(b, 0)
	for _, v := range []uint32{maxIFSD, 0, 0, automatic | extendedAPDU, maxCCID} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return append(b, classOfTheAPDU, classOfTheAPDU, 0, 0, 0, commandsAtATime)
}

func (*reader) report() []byte { return nil }

// control: of the class's requests only ABORT is for a reader like this, and there is
// nothing to abort that taking the card's power does not end.
func (*reader) control(s usbip.Setup, _ []byte) ([]byte, error) {
	const abort = 1
	if s.Request == abort {
		return nil, nil
	}
	return nil, usbip.ErrStall
}

func (r *reader) plug(ctx context.Context) {
	r.part.Reset()
	r.commands = make(chan command, maxCommands)
	r.idle.Go(func() { r.work(ctx) })
}

func (r *reader) unplug() { r.idle.Wait() }

// out collects messages: a type, the length of the data, slot, sequence number, three
// bytes of the message's own, data.
func (r *reader) out(data []byte) error {
	r.part.Write(data)
	for r.part.Len() >= ccidHeader {
		size := binary.LittleEndian.Uint32(r.part.Bytes()[1:])
		if size > maxCCID-ccidHeader {
			r.part.Reset()
			return usbip.ErrStall
		}
		if r.part.Len() < ccidHeader+int(size) {
			return nil
		}
		m := bytes.Clone(r.part.Next(ccidHeader + int(size)))
		select {
		case r.commands <- command{kind: m[0], slot: m[5], seq: m[6], data: m[ccidHeader:]}:
		default:
			return usbip.ErrStall
		}
	}
	return nil
}
