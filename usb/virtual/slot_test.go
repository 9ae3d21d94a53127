package virtual

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"sync"
	"testing"

	"github.com/factord/factord/usb/virtual/usbip"
)

// slowCard answers when it is told to, or has lost its power.
type slowCard struct {
	mu     sync.Mutex
	power  chan struct{} // closed: none
	answer chan []byte
}

func (c *slowCard) PowerOn() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.power = make(chan struct{})
	return []byte{0x3b, 0x80}
}

func (c *slowCard) PowerOff() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.power != nil {
		close(c.power)
		c.power = nil
	}
}

func (c *slowCard) Transmit(apdu []byte) []byte {
	c.mu.Lock()
	power := c.power
	c.mu.Unlock()
	if power == nil {
		return nil
	}
	select {
	case <-power:
		return nil
	case answer := <-c.answer:
		return append(answer, apdu...)
	}
}

// inserted is a reader with such a card, a host that has it, and what unplugs it.
func inserted(t *testing.T) (*slowCard, *usbip.Host, func()) {
	t.Helper()
	c := &slowCard{answer: make(chan []byte)}
	d := newDevice([]function{&reader{card: c, used: func() {}}}, [3]uint8{5, 4, 3})
	ours, theirs := net.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	var served sync.WaitGroup
	served.Go(func() { usbip.Serve(ctx, ours, d) })
	h := usbip.NewHost(theirs)
	unplug := func() { cancel(); served.Wait() }
	t.Cleanup(unplug)
	return c, h, unplug
}

func ccid(kind, slot, seq byte, data string) []byte {
	b := binary.LittleEndian.AppendUint32([]byte{kind}, uint32(len(data)))
	return append(append(b, slot, seq, 0, 0, 0), data...)
}

func send(t *testing.T, h *usbip.Host, message []byte) {
	t.Helper()
	if err := h.Out(t.Context(), ccidBulk, message); err != nil {
		t.Fatal(err)
	}
}

func receive(t *testing.T, h *usbip.Host) []byte {
	t.Helper()
	return must(t, func() ([]byte, error) { return h.In(t.Context(), ccidBulk, maxCCID) })
}

// expect is one answer: its kind, number, status, error and data.
func expect(t *testing.T, h *usbip.Host, kind, seq, status, code byte, data string) {
	t.Helper()
	want := ccid(kind, 0, seq, data)
	want[7], want[8] = status, code
	if kind == rdrParameters {
		want[9] = 1
	}
	if got := receive(t, h); !bytes.Equal(got, want) {
		t.Fatalf("got %x, want %x", got, want)
	}
}

func TestSlot(t *testing.T) {
	c, h, _ := inserted(t)
	send(t, h, ccid(pcGetSlotStatus, 0, 1, ""))
	expect(t, h, rdrSlotStatus, 1, cardOff, 0, "")
	send(t, h, ccid(pcTransfer, 0, 2, "apdu"))
	expect(t, h, rdrData, 2, cmdFailed|cardOff, errMute, "")
	send(t, h, ccid(pcPowerOn, 0, 3, ""))
	expect(t, h, rdrData, 3, 0, 0, "\x3b\x80")
	send(t, h, ccid(pcGetParameters, 0, 4, ""))
	expect(t, h, rdrParameters, 4, 0, 0, string(t1Parameters()))
	// In two pieces, and a short answer.
	m := ccid(pcTransfer, 0, 5, "apdu")
	send(t, h, m[:7])
	send(t, h, m[7:])
	c.answer <- []byte("to ")
	expect(t, h, rdrData, 5, 0, 0, "to apdu")
	send(t, h, ccid(0x69, 0, 6, ""))
	expect(t, h, rdrSlotStatus, 6, cmdFailed, errNotOffered, "")
	send(t, h, ccid(pcPowerOff, 0, 7, ""))
	expect(t, h, rdrSlotStatus, 7, cardOff, 0, "")
	send(t, h, ccid(pcGetSlotStatus, 1, 8, ""))
	if got := receive(t, h); got[7]&cmdFailed == 0 || got[8] != errBadSlot {
		t.Errorf("slot 1: %x", got)
	}
	if got := must(t, func() ([]byte, error) { return h.In(t.Context(), ccidEvent, 8) }); !bytes.Equal(got, []byte{rdrSlotChange, 3}) {
		t.Errorf("slot change %x", got)
	}
}

// TestMoreTime: the host is told that a touch takes its time, then gets the answer.
func TestMoreTime(t *testing.T) {
	c, h, _ := inserted(t)
	send(t, h, ccid(pcPowerOn, 0, 1, ""))
	receive(t, h)
	send(t, h, ccid(pcTransfer, 0, 2, "apdu"))
	for range 2 {
		expect(t, h, rdrData, 2, cmdMoreTime, 1, "")
	}
	c.answer <- nil
	for got := receive(t, h); ; got = receive(t, h) {
		if got[7] != cmdMoreTime {
			if string(got[ccidHeader:]) != "apdu" {
				t.Errorf("%x", got)
			}
			return
		}
	}
}

// TestPowerCut: what the host may do while the card works.
func TestPowerCut(t *testing.T) {
	_, h, unplug := inserted(t)
	send(t, h, ccid(pcPowerOn, 0, 1, ""))
	receive(t, h)
	send(t, h, ccid(pcTransfer, 0, 2, "apdu"))
	send(t, h, ccid(pcGetSlotStatus, 0, 3, ""))
	expect(t, h, rdrSlotStatus, 3, cmdFailed, errBusy, "")
	send(t, h, ccid(pcPowerOn, 0, 4, ""))
	expect(t, h, rdrData, 2, cmdFailed, errMute, "")
	expect(t, h, rdrData, 4, 0, 0, "\x3b\x80")
	send(t, h, ccid(pcTransfer, 0, 5, "apdu"))
	unplug() // returns: the card was told
}

// TestTooLong: the end of a message that is too long is not taken for the next one.
func TestTooLong(t *testing.T) {
	_, h, _ := inserted(t)
	m := ccid(pcTransfer, 0, 1, "")
	binary.LittleEndian.PutUint32(m[1:], maxCCID)
	if err := h.Out(t.Context(), ccidBulk, m); err == nil {
		t.Error("it is taken")
	}
	send(t, h, ccid(pcGetSlotStatus, 0, 2, ""))
	expect(t, h, rdrSlotStatus, 2, cardOff, 0, "")
}

// FuzzCCID: whatever a host sends, a reader answers in messages that are whole.
func FuzzCCID(f *testing.F) {
	f.Add(ccid(pcPowerOn, 0, 1, ""))
	f.Add(append(ccid(pcGetSlotStatus, 0, 1, ""), ccid(pcTransfer, 0, 2, "apdu")...))
	f.Fuzz(func(t *testing.T, wire []byte) {
		r := &reader{commands: make(chan command, maxCommands)}
		for len(wire) > 0 {
			n := min(len(wire), 64)
			if r.out(wire[:n]) != nil {
				return
			}
			wire = wire[n:]
		}
		if r.part.Len() > maxCCID+64 {
			t.Fatalf("%d bytes are kept", r.part.Len())
		}
		for len(r.commands) > 0 {
			if c := <-r.commands; len(c.data) > maxCCID-ccidHeader {
				t.Fatalf("%d bytes of data", len(c.data))
			}
		}
	})
}
