package usbip

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Export is a device that a Server has.
type Export interface {
	Descriptor() Descriptor
	// Serve answers URBs until ctx or the host ends that. It closes conn.
	Serve(ctx context.Context, conn net.Conn) error
}

// Server gives devices to other machines, whose command is
// "usbip attach -r HOST -b 1-1", 1-2 and so on. Whoever reaches it can use them.
type Server struct {
	Exports []Export
}

// askTime bounds how long a client takes to say what it wants.
const askTime = 10 * time.Second

// Messages before a device is imported: version 1.1.1, code, status; then fields.
const (
	version    = 0x0111
	opDevlist  = 0x8005
	opImport   = 0x8003
	repDevlist = 0x0005
	repImport  = 0x0003
	statusNone = 1 // ST_NA: no such device, or it is in use
)

// Sizes in bytes.
const (
	opSize    = 8
	busidSize = 32
	pathSize  = 256
)

// Serve answers until ctx ends or l fails, and returns when every device is unplugged.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	defer l.Close()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	var clients sync.WaitGroup
	defer clients.Wait()
	for {
		conn, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
		clients.Go(func() {
			defer conn.Close()
			s.client(ctx, conn) // an error is the client's own
		})
	}
}

// client answers one connection: a list, or a device from then on.
func (s *Server) client(ctx context.Context, conn net.Conn) error {
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	conn.SetDeadline(time.Now().Add(askTime))
	code, busid, err := readOp(conn)
	switch {
	case err != nil:
		return err
	case code == opDevlist:
		_, err = conn.Write(s.list())
		return err
	}
	for i, e := range s.Exports {
		if busid != busName(i) {
			continue
		}
		if _, err := conn.Write(append(op(repImport, statusOK), describe(i, e.Descriptor())...)); err != nil {
			return err
		}
		conn.SetDeadline(time.Time{})
		return e.Serve(ctx, conn)
	}
	_, err = conn.Write(op(repImport, statusNone))
	return err
}

// readOp reads what a client wants; busid is of an import.
func readOp(r io.Reader) (code uint16, busid string, err error) {
	var h [opSize]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return 0, "", err
	}
	v, code, status := binary.BigEndian.Uint16(h[0:]), binary.BigEndian.Uint16(h[2:]), binary.BigEndian.Uint32(h[4:])
	switch {
	case v != version:
		return 0, "", fmt.Errorf("version %#x", v)
	case status != 0:
		return 0, "", fmt.Errorf("status %d", status)
	case code == opDevlist:
		return code, "", nil
	case code != opImport:
		return 0, "", fmt.Errorf("request %#x", code)
	}
	var name [busidSize]byte
	if _, err := io.ReadFull(r, name[:]); err != nil {
		return 0, "", err
	}
	for i, c := range name {
		if c == 0 {
			return code, string(name[:i]), nil
		}
	}
	return 0, "", errors.New("bus id without an end")
}

func op(code uint16, status uint32) []byte {
	b := binary.BigEndian.AppendUint16(nil, version)
	b = binary.BigEndian.AppendUint16(b, code)
	return binary.BigEndian.AppendUint32(b, status)
}

func busName(i int) string { return fmt.Sprintf("1-%d", i+1) }

// list is every device with its interfaces.
func (s *Server) list() []byte {
	b := binary.BigEndian.AppendUint32(op(repDevlist, statusOK), uint32(len(s.Exports)))
	for i, e := range s.Exports {
		d := e.Descriptor()
		b = append(b, describe(i, d)...)
		for _, class := range d.Interfaces {
			b = append(append(b, class[:]...), 0)
		}
	}
	return b
}

// describe is a device: path, bus id, bus, device, speed, vendor, product, release,
// class, subclass, protocol, configuration, how many, interfaces.
func describe(i int, d Descriptor) []byte {
	b := make([]byte, pathSize+busidSize)
	copy(b, "/sys/devices/virtual/usb1/"+busName(i))
	copy(b[pathSize:], busName(i))
	for _, v := range []uint32{1, uint32(i + 1), fullSpeed} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	for _, v := range []uint16{d.Vendor, d.Product, d.Release} {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	return append(b, 0, 0, 0, 1, 1, byte(len(d.Interfaces)))
}
