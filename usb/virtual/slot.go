package virtual

import (
	"context"
	"encoding/binary"
	"time"
)

// command is a message of the host (6.1).
type command struct {
	kind, slot, seq byte
	data            []byte
}

// Kinds of messages.
const (
	pcSetParameters   = 0x61
	pcPowerOn         = 0x62
	pcPowerOff        = 0x63
	pcGetSlotStatus   = 0x65
	pcGetParameters   = 0x6c
	pcResetParameters = 0x6d
	pcTransfer        = 0x6f
	pcAbort           = 0x72

	rdrData       = 0x80
	rdrSlotStatus = 0x81
	rdrParameters = 0x82
	rdrSlotChange = 0x50
)

// Status of the slot and of the command, and errors (6.2.6).
const (
	cardOff       = 1
	cmdFailed     = 0x40
	cmdMoreTime   = 0x80
	errNone       = 0
	errBadSlot    = 5
	errBusy       = 0xe0
	errMute       = 0xfe
	errNotOffered = 0
)

// moreTime is how often the reader says that the card still works, while it waits for
// a touch for instance.
const moreTime = 400 * time.Millisecond

// slot is the state of the reader's slot.
type slot struct {
	reader *reader
	on     bool
}

// work answers commands until the key is unplugged.
func (r *reader) work(ctx context.Context) {
	defer r.card.PowerOff()
	r.note.Put([]byte{rdrSlotChange, 0x03}) // a card was put in
	s := slot{reader: r}
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-r.commands:
			s.do(ctx, c)
		}
	}
}

func (s *slot) do(ctx context.Context, c command) {
	if c.slot != 0 {
		s.answer(c, rdrSlotStatus, cmdFailed, errBadSlot, nil)
		return
	}
	switch c.kind {
	case pcPowerOn:
		s.on = true
		s.answer(c, rdrData, 0, errNone, s.reader.card.PowerOn())
	case pcPowerOff:
		s.on = false
		s.reader.card.PowerOff()
		s.answer(c, rdrSlotStatus, 0, errNone, nil)
	case pcGetSlotStatus, pcAbort:
		s.answer(c, rdrSlotStatus, 0, errNone, nil)
	case pcGetParameters, pcSetParameters, pcResetParameters:
		s.answer(c, rdrParameters, 0, errNone, t1Parameters())
	case pcTransfer:
		s.reader.used()
		s.transfer(ctx, c)
	default:
		s.answer(c, rdrSlotStatus, cmdFailed, errNotOffered, nil)
	}
}

// t1Parameters are for T=1 (6.1.7): what an extended APDU level reader makes of them is
// its own affair.
func t1Parameters() []byte { return []byte{0x11, 0x10, 0xfe, 0x15, 0x00, 0xfe, 0x00} }

// transfer gives an APDU to the card. While that takes its time the host is told so,
// and may take the card's power; any other command is told to wait.
func (s *slot) transfer(ctx context.Context, c command) {
	if !s.on {
		s.answer(c, rdrData, cmdFailed, errMute, nil)
		return
	}
	done := make(chan []byte, 1)
	go func() { done <- s.reader.card.Transmit(c.data) }()
	slow := time.NewTicker(moreTime)
	defer slow.Stop()
	for {
		select {
		case answer := <-done:
			if answer == nil {
				s.answer(c, rdrData, cmdFailed, errMute, nil)
			} else {
				s.answer(c, rdrData, 0, errNone, answer)
			}
			return
		case <-ctx.Done():
			s.reader.card.PowerOff()
			<-done
			return
		case <-slow.C:
			s.answer(c, rdrData, cmdMoreTime, 1, nil)
		case other := <-s.reader.commands:
			if other.kind != pcPowerOn && other.kind != pcPowerOff {
				s.answer(other, rdrSlotStatus, cmdFailed, errBusy, nil)
				continue
			}
			s.reader.card.PowerOff()
			s.answer(c, rdrData, cmdFailed, errMute, nil)
			s.do(ctx, other)
			return
		}
	}
}

// answer is a message to the host: type, length, slot, sequence number, status, error,
// a byte of the message's own (the protocol, of parameters), data.
func (s *slot) answer(c command, kind, status, err byte, data []byte) {
	if !s.on {
		status |= cardOff
	}
	protocol := byte(0)
	if kind == rdrParameters {
		protocol = 1
	}
	b := binary.LittleEndian.AppendUint32([]byte{kind}, uint32(len(data)))
	b = append(b, c.slot, c.seq, status, err, protocol)
	s.reader.bulk.Put(append(b, data...))
}
