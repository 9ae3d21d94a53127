package fido_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"testing"
	"time"

	"github.com/factord/factord/usb/virtual/fido"
	"github.com/factord/factord/usb/virtual/fido/direct"
)

// host speaks to a key packet by packet.
type host struct {
	*testing.T
	*direct.Socket
	pipe *direct.Pipe
}

func newHost(t *testing.T, o fido.Options) *host {
	t.Helper()
	s := direct.Plug(fido.New(o))
	t.Cleanup(s.Unplug)
	return &host{t, s, s.Open()}
}

// put sends a packet: channel, and the rest.
func (h *host) put(cid uint32, rest ...byte) {
	var f fido.Frame
	binary.BigEndian.PutUint32(f[:], cid)
	copy(f[4:], rest)
	h.Handle(f)
}

// get returns channel, command and data of the next message.
func (h *host) get() (cid uint32, cmd byte, data []byte) {
	h.Helper()
	ctx, cancel := context.WithTimeout(h.Context(), toolLimit)
	defer cancel()
	f, err := h.pipe.Read(ctx)
	if err != nil {
		h.Fatal(err)
	}
	cid, cmd = binary.BigEndian.Uint32(f[:]), f[4]
	size := int(binary.BigEndian.Uint16(f[5:]))
	data = append(data, f[7:]...)
	for len(data) < size {
		if f, err = h.pipe.Read(ctx); err != nil {
			h.Fatal(err)
		}
		data = append(data, f[5:]...)
	}
	return cid, cmd, data[:size]
}

// want reads a message and compares it. Data is in hexadecimal.
func (h *host) want(cid uint32, cmd byte, data string) {
	h.Helper()
	gotCID, gotCmd, got := h.get()
	if gotCID != cid || gotCmd != cmd || hex.EncodeToString(got) != data {
		h.Fatalf("channel %x, command %x, %x; not %x, %x, %s", gotCID, gotCmd, got, cid, cmd, data)
	}
}

const everybody = 0xffffffff

// channel asks for one.
func (h *host) channel() uint32 {
	h.Helper()
	h.put(everybody, 0x86, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8)
	cid, cmd, data := h.get()
	if cid != everybody || cmd != 0x86 || len(data) != 17 || !bytes.Equal(data[:8], []byte{1, 2, 3, 4, 5, 6, 7, 8}) || data[12] != 2 {
		h.Fatalf("%x %x %x", cid, cmd, data)
	}
	return binary.BigEndian.Uint32(data[8:])
}

func TestChannels(t *testing.T) {
	h := newHost(t, fido.Options{})
	one, two := h.channel(), h.channel()
	if one == two || one == 0 || one == everybody {
		t.Errorf("channels %x and %x", one, two)
	}
	h.put(one, 0x81, 0, 2, 0xaa, 0xbb)
	h.want(one, 0x81, "aabb")
	h.put(one, 0x88, 0, 0)
	h.want(one, 0x88, "")
	for _, step := range []struct {
		name string
		cid  uint32
		rest []byte
		want string
	}{
		{"unknown channel", 0x12345678, []byte{0x81, 0, 0}, "0b"},
		{"channel 0", 0, []byte{0x81, 0, 0}, "0b"},
		{"broadcast without INIT", everybody, []byte{0x81, 0, 0}, "0b"},
		{"unknown command", one, []byte{0x9f, 0, 0}, "01"},
		{"empty CBOR", one, []byte{0x90, 0, 0}, "03"},
		{"WINK with data", one, []byte{0x88, 0, 1}, "03"},
		{"INIT with a short nonce", one, []byte{0x86, 0, 7}, "03"},
		{"too long", one, []byte{0x81, 0x1d, 0xba}, "03"},
	} {
		h.put(step.cid, step.rest...)
		h.want(step.cid, 0xbf, step.want)
	}
	// These have no answer.
	h.put(one, 0x91, 0, 0)
	h.put(one, 0x00, 1)
	h.put(two, 0x81, 0, 1, 0xcc)
	h.want(two, 0x81, "cc")
}

func TestLongestPing(t *testing.T) {
	h := newHost(t, fido.Options{})
	cid := h.channel()
	const size = 7609
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i * 7)
	}
	h.put(cid, append([]byte{0x81, size >> 8, size & 0xff}, data[:57]...)...)
	for seq, at := 0, 57; at < size; seq, at = seq+1, at+59 {
		h.put(cid, append([]byte{byte(seq)}, data[at:at+59]...)...)
	}
	if _, cmd, got := h.get(); cmd != 0x81 || !bytes.Equal(got, data) {
		t.Errorf("command %x, %d bytes", cmd, len(got))
	}
}

func TestBrokenMessages(t *testing.T) {
	h := newHost(t, fido.Options{})
	one, two := h.channel(), h.channel()
	begin := []byte{0x81, 0, 100}

	h.put(one, begin...)
	h.put(one, 1)
	h.want(one, 0xbf, "04") // packets in the wrong order

	h.put(one, begin...)
	h.put(one, begin...)
	h.want(one, 0xbf, "04") // another message in the midst of one

	h.put(one, begin...)
	h.put(two, 0x81, 0, 0)
	h.want(two, 0xbf, "06") // one in the midst of another's
	h.want(one, 0xbf, "05") // and that never ended

	h.put(one, begin...)
	h.put(one, 0x86, 0, 8)
	if _, cmd, _ := h.get(); cmd != 0x86 { // INIT begins anew
		t.Errorf("command %x", cmd)
	}
	h.put(one, 0x81, 0, 0)
	h.want(one, 0x81, "")
}

// selection is the CTAP2 command that does nothing but blink.
var selection = []byte{0x90, 0, 1, 0x0b}

func TestBlinking(t *testing.T) {
	button := fido.NewButton()
	h := newHost(t, fido.Options{Touch: button.Touch})
	one, two := h.channel(), h.channel()
	h.put(one, selection...)
	<-button.Asked()
	for needed := 0; needed < 3; {
		if cid, cmd, data := h.get(); cid != one || cmd != 0xbb || len(data) != 1 {
			t.Fatalf("channel %x, command %x, %x", cid, cmd, data)
		} else if data[0] == 2 {
			needed++
		}
	}
	h.put(two, 0x91, 0, 0) // another's CANCEL
	h.put(two, selection...)
	h.skip(two, 0xbf, "06")
	button.Press(t.Context(), true)
	h.skip(one, 0x90, "00")

	h.put(one, selection...)
	<-button.Asked()
	h.put(one, 0x91, 0, 0) // CANCEL
	h.skip(one, 0x90, "2d")

	h.put(one, selection...)
	<-button.Asked()
	h.put(one, 0x86, 0, 8) // INIT ends it as well, without a word
	h.skip(one, 0x86, "0000000000000000000000010205040305")
	h.put(two, selection...)
	<-button.Asked() // by this one, so that the press is not for the other
	button.Press(t.Context(), false)
	h.skip(two, 0x90, "27")
}

// skip is want after all KEEPALIVEs.
func (h *host) skip(cid uint32, cmd byte, data string) {
	h.Helper()
	for {
		gotCID, gotCmd, got := h.get()
		if gotCmd == 0xbb {
			continue
		}
		if gotCID != cid || gotCmd != cmd || hex.EncodeToString(got) != data {
			h.Fatalf("channel %x, command %x, %x; not %x, %x, %s", gotCID, gotCmd, got, cid, cmd, data)
		}
		return
	}
}

func TestTouchTimesOut(t *testing.T) {
	h := newHost(t, fido.Options{Touch: fido.Never, TouchTimeout: 50 * time.Millisecond})
	cid := h.channel()
	h.put(cid, selection...)
	h.skip(cid, 0x90, "2f")
}

// A key may insist on canonical CBOR, and this one does.
func TestInsistsOnCanonicalCBOR(t *testing.T) {
	h := newHost(t, fido.Options{})
	cid := h.channel()
	for name, step := range map[string]struct{ request, want string }{
		"good":              {"06a10201", "00a10308"},
		"keys out of order": {"06a202010102", "12"},
		"long number":       {"06a1021801", "12"},
		"doubled key":       {"06a202010201", "12"},
		"indefinite":        {"06bf0201ff", "12"},
		"trailing":          {"06a1020100", "12"},
		"another type":      {"06a1026161", "11"},
		"no parameters":     {"06", "12"},
		"unknown command":   {"55", "01"},
	} {
		request, err := hex.DecodeString(step.request)
		if err != nil {
			t.Fatal(err)
		}
		t.Log(name)
		h.put(cid, append([]byte{0x90, 0, byte(len(request))}, request...)...)
		h.skip(cid, 0x90, step.want)
	}
}

// FuzzHandle: whatever a host sends, the key lives.
func FuzzHandle(f *testing.F) {
	f.Add([]byte{0x90, 0, 1, 0x04})
	f.Add([]byte{0x90, 0, 4, 0x06, 0xa1, 0x02, 0x01})
	f.Add([]byte{0x83, 0, 4, 0, 3, 0, 0})
	f.Add(append([]byte{0x81, 0, 70}, make([]byte, 70)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		h := newHost(t, fido.Options{})
		cid := h.channel()
		for len(b) > 0 {
			n := min(60, len(b))
			h.put(cid, b[:n]...)
			b = b[n:]
		}
		h.put(everybody, 0x86, 0, 8)
		h.await(everybody)
	})
}

// await reads until a message of a channel comes.
func (h *host) await(cid uint32) {
	h.Helper()
	for {
		if got, _, _ := h.get(); got == cid {
			return
		}
	}
}
