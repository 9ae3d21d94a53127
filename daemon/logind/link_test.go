package logind

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// Anybody may send signals to factord over Debian's system bus, with descriptors
// and of any size. factord keeps none of it.
func TestUninvitedSignals(t *testing.T) {
	b := startBus(t)
	f := startFake(b)
	f.enter(onSeat0("3", alice))
	l, _ := newLogind(t)
	c := newClient(t, alice)
	if _, err := c.place(t, l); err != nil {
		t.Fatal(err)
	}
	conn, _ := l.bus.current()
	to := conn.Names()[0]
	stranger := b.connect()
	r, w, err := os.Pipe()
	must(t, err)
	defer r.Close()
	defer w.Close()
	before := descriptors(t)
	for range 50 {
		must(t, signal(stranger, to, dbus.UnixFD(r.Fd())))
		must(t, signal(stranger, to, strings.Repeat("x", 4*maxMessage)))
	}
	for range 5 { // after the signals, in the same stream
		if place, err := c.place(t, l); err != nil || place != console {
			t.Fatalf("got %+v, %v", place, err)
		}
	}
	if again, _ := l.bus.current(); again != conn {
		t.Error("the connection did not survive")
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

// signal sends a signal to one connection.
func signal(from *dbus.Conn, to string, content any) error {
	return from.Send(&dbus.Message{Type: dbus.TypeSignal, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldDestination: dbus.MakeVariant(to),
		dbus.FieldPath:        dbus.MakeVariant(dbus.ObjectPath("/x")),
		dbus.FieldInterface:   dbus.MakeVariant("x.y"),
		dbus.FieldMember:      dbus.MakeVariant("Z"),
		dbus.FieldSignature:   dbus.MakeVariant(dbus.SignatureOf(content)),
	}, Body: []any{content}}, nil).Err
}

// message returns one with header fields and a body of the given lengths.
func message(order binary.AppendByteOrder, mark, kind byte, fields, body int) []byte {
	m := []byte{mark, kind, 0, 1}
	m = order.AppendUint32(m, uint32(body))
	m = order.AppendUint32(m, 1)
	m = order.AppendUint32(m, uint32(fields))
	m = append(m, bytes.Repeat([]byte{'f'}, (fields+7)&^7)...)
	return append(m, bytes.Repeat([]byte{'b'}, body)...)
}

// Read leaves out exactly what is too long and what is no reply (a call, a signal),
// in both byte orders.
func TestLinkLeavesOut(t *testing.T) {
	var sent, want []byte
	for _, size := range []int{0, 1, maxMessage - 16 - 16, maxMessage - 16 - 15, maxMessage, 5 * maxMessage, 3} {
		for mark, order := range map[byte]binary.AppendByteOrder{'l': binary.LittleEndian, 'B': binary.BigEndian} {
			for kind := byte(0); kind < 6; kind++ {
				m := message(order, mark, kind, 11, size)
				sent = append(sent, m...)
				if len(m) <= maxMessage && (kind == 2 || kind == 3) {
					want = append(want, m...)
				}
			}
		}
	}
	here, there := net.Pipe()
	l := newLink(here)
	go func() {
		io.ReadFull(there, make([]byte, len("BEGIN\r\n")))
		there.Write(sent)
		there.Close()
	}()
	_, err := l.Write([]byte("BEGIN\r\n"))
	must(t, err)
	got, err := io.ReadAll(l)
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, want %d", len(got), len(want))
	}
}

// A length that does not fit into 32 bits with the rest is still a length.
func TestMessageSize(t *testing.T) {
	head := [16]byte{'l', 4, 0, 1, 255, 255, 255, 255, 0, 0, 0, 0, 255, 255, 255, 255}
	if got := messageSize(head); got != 16+1<<32+1<<32-1 {
		t.Errorf("got %d", got)
	}
}

// What could not be written ends the connection: the bus would take the next
// message for the rest of it.
func TestLinkEndsWithAWrite(t *testing.T) {
	here, there := net.Pipe()
	defer there.Close()
	begun := time.Now()
	l := newLink(here)
	if _, err := l.Write(make([]byte, 100)); err == nil {
		t.Error("written to nobody")
	}
	if took := time.Since(begun); took > 2*writeTime {
		t.Errorf("took %v", took)
	}
	if _, err := l.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is open")
	}
}
