package usbip

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"golang.org/x/sys/unix"
)

// session is a device that is plugged in.
type session struct {
	conn   net.Conn
	device Device

	mu sync.Mutex // of writes to conn
}

// Serve answers the URBs that come over conn, until the host or ctx unplugs the device:
// both are no error. It closes conn.
func Serve(ctx context.Context, conn net.Conn, d Device) error {
	defer conn.Close()
	ctx, end := context.WithCancel(ctx)
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	s := &session{conn: conn, device: d}
	s.each((*Pipe).plug)
	d.Plug(ctx)
	defer func() {
		end()
		d.Unplug()
		s.each((*Pipe).unplug)
	}()
	r := bufio.NewReader(conn)
	for {
		q, err := readRequest(r)
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, unix.ECONNRESET) || ctx.Err() != nil:
			return nil
		case err != nil:
			return fmt.Errorf("reading a request of the host: %w", err)
		}
		s.handle(q)
	}
}

// each does something with every IN endpoint.
func (s *session) each(do func(*Pipe)) {
	for n := range uint8(maxEndpoint + 1) {
		if p := s.device.In(n); p != nil {
			do(p)
		}
	}
}

func (s *session) handle(q request) {
	switch {
	case q.unlink != 0:
		s.withdraw(q)
	case q.endpoint == 0:
		s.control(q)
	case q.in:
		p := s.device.In(q.endpoint)
		if p == nil {
			s.write(reply(q.seq, statusStall, 0, nil))
			return
		}
		p.submit(waiting{q.seq, q.length, func(data []byte) {
			s.write(reply(q.seq, statusOK, len(data), data))
		}})
	default:
		if err := s.device.Out(q.endpoint, q.data); err != nil {
			s.write(reply(q.seq, statusStall, 0, nil))
			return
		}
		s.write(reply(q.seq, statusOK, len(q.data), nil))
	}
}

func (s *session) control(q request) {
	if q.setup.toHost() != q.in && q.setup.Length != 0 {
		s.write(reply(q.seq, statusStall, 0, nil))
		return
	}
	answer, err := s.device.Control(q.setup, q.data)
	switch {
	case err != nil:
		s.write(reply(q.seq, statusStall, 0, nil))
	case q.in:
		answer = answer[:min(len(answer), q.length)]
		s.write(reply(q.seq, statusOK, len(answer), answer))
	default:
		s.write(reply(q.seq, statusOK, len(q.data), nil))
	}
}

// withdraw answers an unlink. Its status says whether the URB has been answered.
func (s *session) withdraw(q request) {
	status := int32(statusOK)
	s.each(func(p *Pipe) {
		if p.unlink(q.unlink) {
			status = statusUnlinked
		}
	})
	s.write(unlinkReply(q.seq, status))
}

// write sends one message whole. That the host has gone is for the reader to find.
func (s *session) write(message []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.conn.Write(message); err != nil {
		s.conn.Close()
	}
}
