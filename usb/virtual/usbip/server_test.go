package usbip

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"testing"
)

// serving is a server's address.
func serving(t *testing.T, exports ...Export) string {
	t.Helper()
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- (&Server{Exports: exports}).Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// ask sends a request and returns an answer of so many bytes.
func ask(t *testing.T, address string, request []byte, size int) (net.Conn, []byte) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := conn.Write(request); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, size)
	if _, err := io.ReadFull(conn, answer); err != nil {
		t.Fatal(err)
	}
	return conn, answer
}

func importOf(busid string) []byte {
	name := make([]byte, busidSize)
	copy(name, busid)
	return append(op(opImport, 0), name...)
}

const describedSize = pathSize + busidSize + 3*4 + 3*2 + 6

func TestServer(t *testing.T) {
	address := serving(t, &device{}, &device{})
	conn, list := ask(t, address, op(opDevlist, 0), opSize+4+2*(describedSize+2*4))
	if rest, _ := io.ReadAll(conn); len(rest) != 0 {
		t.Errorf("%d bytes after the list", len(rest))
	}
	if n := binary.BigEndian.Uint32(list[opSize:]); n != 2 {
		t.Errorf("%d devices", n)
	}
	second := list[opSize+4+describedSize+2*4:]
	if name := string(bytes.TrimRight(second[pathSize:pathSize+busidSize], "\x00")); name != "1-2" {
		t.Errorf("bus id %q", name)
	}
	if ids := second[pathSize+busidSize+3*4:][:6]; !bytes.Equal(ids, []byte{0x10, 0x50, 0x04, 0x07, 0x05, 0x43}) {
		t.Errorf("ids %x", ids)
	}
	if classes := second[describedSize:]; !bytes.Equal(classes, []byte{3, 1, 1, 0, 3, 0, 0, 0}) {
		t.Errorf("classes %x", classes)
	}

	conn, _ = ask(t, address, importOf("1-2"), opSize+describedSize)
	h := NewHost(conn)
	if got, err := h.Control(t.Context(), Setup{RequestType: 0xc0, Request: 1, Length: 6}, nil); err != nil || string(got) != "a long" {
		t.Errorf("control: %q, %v", got, err)
	}
	_, none := ask(t, address, importOf("1-3"), opSize)
	if status := binary.BigEndian.Uint32(none[4:]); status == 0 {
		t.Error("a device that there is not")
	}
}

// FuzzOp: what a client wants is one of two things.
func FuzzOp(f *testing.F) {
	f.Add(op(opDevlist, 0))
	f.Add(importOf("1-1"))
	f.Add(append(op(opImport, 0), bytes.Repeat([]byte("x"), busidSize)...))
	f.Fuzz(func(t *testing.T, wire []byte) {
		code, busid, err := readOp(bytes.NewReader(wire))
		if err == nil && code != opDevlist && code != opImport || len(busid) >= busidSize {
			t.Fatalf("%#x %q", code, busid)
		}
	})
}
