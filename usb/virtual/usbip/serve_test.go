package usbip

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// device echoes: what it gets at endpoint 2 it says there.
type device struct {
	pipe Pipe
}

func (d *device) Plug(context.Context) {}
func (d *device) Unplug()              {}

func (d *device) Descriptor() Descriptor {
	return Descriptor{0x1050, 0x0407, 0x0543, [][3]byte{{3, 1, 1}, {3, 0, 0}}}
}

func (d *device) Control(s Setup, data []byte) ([]byte, error) {
	switch s.Request {
	case 1:
		return []byte("a long answer"), nil
	case 2:
		d.pipe.Put(data)
		return nil, nil
	}
	return nil, ErrStall
}

func (d *device) Out(endpoint uint8, data []byte) error {
	if endpoint != 2 {
		return ErrStall
	}
	d.pipe.Put(data)
	return nil
}

func (d *device) In(endpoint uint8) *Pipe {
	if endpoint == 2 {
		return &d.pipe
	}
	return nil
}

// Serve makes it an Export.
func (d *device) Serve(ctx context.Context, conn net.Conn) error { return Serve(ctx, conn, d) }

// plugged is a host that has the device, and what unplugs the device and waits for that.
func plugged(t *testing.T, d Device) (h *Host, unplug func()) {
	t.Helper()
	ours, file, err := pair()
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := net.FileConn(file)
	file.Close()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var served sync.WaitGroup
	served.Go(func() {
		if err := Serve(ctx, ours, d); err != nil {
			t.Error(err)
		}
	})
	h = NewHost(theirs)
	t.Cleanup(func() {
		h.Close()
		served.Wait()
		cancel()
	})
	return h, func() { cancel(); served.Wait() }
}

func TestTransfers(t *testing.T) {
	h, _ := plugged(t, &device{})
	ctx := t.Context()
	if got, err := h.Control(ctx, Setup{RequestType: 0xc0, Request: 1, Length: 6}, nil); err != nil || string(got) != "a long" {
		t.Errorf("control: %q, %v", got, err)
	}
	for _, what := range []error{
		errOf(h.Control(ctx, Setup{RequestType: 0xc0, Request: 3, Length: 6}, nil)),
		errOf(h.In(ctx, 3, 8)),
		h.Out(ctx, 1, []byte("x")),
	} {
		if !errors.Is(what, ErrStall) {
			t.Errorf("%v instead of a stall", what)
		}
	}
	// A transfer that is longer than the URB goes on in the next one.
	if err := h.Out(ctx, 2, []byte("longer than that")); err != nil {
		t.Fatal(err)
	}
	var got []byte
	for range 3 {
		b, err := h.In(ctx, 2, 7)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, b...)
	}
	if string(got) != "longer than that" {
		t.Errorf("got %q", got)
	}
}

func errOf(_ []byte, err error) error { return err }

// TestUnlink: a URB that was withdrawn takes no data with it.
func TestUnlink(t *testing.T) {
	h, _ := plugged(t, &device{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- errOf(h.In(ctx, 2, 64)) }()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if err := h.Out(t.Context(), 2, []byte("hello")); err != nil { // after the unlink
		t.Fatal(err)
	}
	if b, err := h.In(t.Context(), 2, 64); err != nil || string(b) != "hello" {
		t.Errorf("%q, %v", b, err)
	}
}

// TestUnlinkStatus: of a URB that waits, -104, and the URB has no answer of its own; of
// one that was answered, 0.
func TestUnlinkStatus(t *testing.T) {
	ours, theirs := net.Pipe()
	d := &device{}
	go Serve(t.Context(), ours, d)
	defer theirs.Close()
	say := func(message []byte) {
		t.Helper()
		if _, err := theirs.Write(message); err != nil {
			t.Fatal(err)
		}
	}
	hear := func(want []byte) {
		t.Helper()
		got := make([]byte, len(want))
		if _, err := io.ReadFull(theirs, got); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%x, %v, want %x", got, err, want)
		}
	}
	say(submission(1, 2, true, Setup{}, 8, nil))
	say(unlinking(2, 1))
	hear(unlinkReply(2, statusUnlinked))
	say(submission(3, 2, true, Setup{}, 8, nil))
	go d.pipe.Put([]byte("late"))
	hear(reply(3, statusOK, 4, []byte("late")))
	say(unlinking(4, 3))
	hear(unlinkReply(4, statusOK))
}

// TestUnplug: whoever waits is told, and what was meant for this host is not told to
// the next one.
func TestUnplug(t *testing.T) {
	d := &device{}
	d.pipe.Put([]byte("to nobody"))
	h, unplug := plugged(t, d)
	failed := make(chan error, 1)
	go func() { failed <- errOf(h.In(t.Context(), 2, 8)) }()
	if err := h.Out(t.Context(), 2, nil); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; err != nil {
		t.Fatal(err) // the empty packet
	}
	go func() { failed <- errOf(h.In(t.Context(), 2, 8)) }()
	unplug()
	select {
	case err := <-failed:
		if err == nil {
			t.Error("data from a device that is gone")
		}
	case <-time.After(time.Minute):
		t.Fatal("the host still waits")
	}
	d.pipe.Put([]byte("to nobody"))
	h, _ = plugged(t, d)
	if err := h.Out(t.Context(), 2, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if b, err := h.In(t.Context(), 2, 64); err != nil || string(b) != "hello" {
		t.Errorf("%q, %v", b, err)
	}
}

// TestPipeFull: a host that does not ask loses the newest, not the device its memory.
func TestPipeFull(t *testing.T) {
	var p Pipe
	p.plug()
	for range maxQueue + 10 {
		p.Put([]byte{1})
	}
	if n := p.Queued(); n != maxQueue {
		t.Errorf("%d packets wait", n)
	}
	p.Flush()
	if n := p.Queued(); n != 0 {
		t.Errorf("%d packets wait after Flush", n)
	}
}
