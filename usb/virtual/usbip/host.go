package usbip

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
)

// Host is the kernel's end of a connection to a device, for tests that do without one.
// Its methods may be called from several goroutines.
type Host struct {
	conn net.Conn

	mu      sync.Mutex
	seq     uint32
	pending map[uint32]*transfer // nil: the device is gone
	victims map[uint32]uint32    // what each unlink withdraws
}

// transfer is a URB that was submitted.
type transfer struct {
	in   bool
	done chan struct{}
	data []byte
	err  error
}

// NewHost uses conn, until the device or Close ends that.
func NewHost(conn net.Conn) *Host {
	h := &Host{conn: conn, pending: map[uint32]*transfer{}, victims: map[uint32]uint32{}}
	go h.read()
	return h
}

// Close unplugs the device.
func (h *Host) Close() error { return h.conn.Close() }

// Control makes a request to endpoint 0: what it asks for, or data, has setup.Length
// bytes.
func (h *Host) Control(ctx context.Context, setup Setup, data []byte) ([]byte, error) {
	return h.do(ctx, 0, setup.toHost(), setup, int(setup.Length), data)
}

// In asks an IN endpoint for a transfer of so many bytes at most.
func (h *Host) In(ctx context.Context, endpoint uint8, length int) ([]byte, error) {
	return h.do(ctx, endpoint, true, Setup{}, length, nil)
}

// Out sends data to an OUT endpoint.
func (h *Host) Out(ctx context.Context, endpoint uint8, data []byte) error {
	_, err := h.do(ctx, endpoint, false, Setup{}, len(data), data)
	return err
}

// do submits a URB and waits for its end. If ctx ends before, the URB is unlinked.
func (h *Host) do(ctx context.Context, endpoint uint8, in bool, setup Setup, length int, data []byte) ([]byte, error) {
	t := &transfer{in: in, done: make(chan struct{})}
	seq, err := h.send(t, func(seq uint32) []byte { return submission(seq, endpoint, in, setup, length, data) })
	if err != nil {
		return nil, err
	}
	select {
	case <-t.done:
		return t.data, t.err
	case <-ctx.Done():
	}
	// Whether it has been answered meanwhile matters to nobody.
	_, _ = h.send(nil, func(unlink uint32) []byte {
		h.victims[unlink] = seq
		return unlinking(unlink, seq)
	})
	return nil, ctx.Err()
}

// send writes a message with the next number.
func (h *Host) send(t *transfer, message func(seq uint32) []byte) (uint32, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.pending == nil {
		return 0, io.EOF
	}
	h.seq++
	if t != nil {
		h.pending[h.seq] = t
	}
	_, err := h.conn.Write(message(h.seq))
	return h.seq, err
}

// submission is a URB, as readRequest has it.
func submission(seq uint32, endpoint uint8, in bool, setup Setup, length int, data []byte) []byte {
	b := make([]byte, headerSize)
	fields := []uint32{cmdSubmit, seq, deviceID, 0, uint32(endpoint), 0, uint32(length)}
	if in {
		fields[3] = 1
	}
	for i, v := range fields {
		binary.BigEndian.PutUint32(b[4*i:], v)
	}
	b[40], b[41] = setup.RequestType, setup.Request
	for i, v := range []uint16{setup.Value, setup.Index, setup.Length} {
		binary.LittleEndian.PutUint16(b[42+2*i:], v)
	}
	if in {
		return b
	}
	return append(b, data...)
}

func unlinking(seq, victim uint32) []byte {
	b := make([]byte, headerSize)
	binary.BigEndian.PutUint32(b[0:], cmdUnlink)
	binary.BigEndian.PutUint32(b[4:], seq)
	binary.BigEndian.PutUint32(b[20:], victim)
	return b
}

// read gives replies to whoever waits for them.
func (h *Host) read() {
	var err error
	for err == nil {
		err = h.next()
	}
	h.conn.Close()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range h.pending {
		t.err = io.EOF
		close(t.done)
	}
	h.pending = nil
}

// next reads a reply. Data follows only if the URB was for an IN endpoint: that of an
// OUT endpoint has a length of what was taken.
func (h *Host) next() error {
	var b [headerSize]byte
	if _, err := io.ReadFull(h.conn, b[:]); err != nil {
		return err
	}
	field := func(i int) uint32 { return binary.BigEndian.Uint32(b[4*i:]) }
	seq, status, length := field(1), int32(field(5)), field(6)
	t, err := h.take(field(0), seq)
	if t == nil {
		return err
	}
	defer close(t.done)
	switch {
	case status == statusStall:
		t.err = ErrStall
		return nil
	case status != statusOK:
		t.err = fmt.Errorf("status %d", status)
		return nil
	case !t.in:
		return nil
	case length > maxTransfer:
		t.err = fmt.Errorf("transfer of %d bytes", length)
		return t.err
	}
	t.data = make([]byte, length)
	_, t.err = io.ReadFull(h.conn, t.data)
	return t.err
}

// take finds what a reply is to; nothing, if it is to an unlink.
func (h *Host) take(kind, seq uint32) (*transfer, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch kind {
	case retUnlink:
		delete(h.pending, h.victims[seq])
		delete(h.victims, seq)
		return nil, nil
	case retSubmit:
		if t := h.pending[seq]; t != nil {
			delete(h.pending, seq)
			return t, nil
		}
	}
	return nil, fmt.Errorf("reply %#x to URB %d", kind, seq)
}
