package authapi

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Of a crowd that comes while Duo is a black hole, those who wait for their turn to
// connect find it out with the others.
func TestQueueForAnOutage(t *testing.T) {
	hole, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer hole.Close()
	c := client(t, Config{Host: hole.Addr().String(), PreauthTimeout: 500 * time.Millisecond})
	var all sync.WaitGroup
	for range maxDials + 16 {
		all.Go(func() {
			_, err := c.Preauth(t.Context(), PreauthRequest{Person: Person{Username: "alice"}})
			if e := wantKind(t, "in a black hole", err, Unreachable); !e.Outage() {
				t.Errorf("no outage: %v", e)
			}
		})
	}
	all.Wait()
}

// What others give up says nothing, nor does what had no time, or is of this machine.
func TestHopeless(t *testing.T) {
	const fair = time.Hour
	timeout := &net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded}
	local := error(os.NewSyscallError("connect", syscall.EADDRNOTAVAIL))
	mixed := &attempt{}
	mixed.local.Store(&local)
	for name, c := range map[string]struct {
		a    *attempt
		err  error
		fair time.Duration
		want bool
	}{
		"refused":        {&attempt{}, os.NewSyscallError("connect", syscall.ECONNREFUSED), fair, true},
		"in fair time":   {&attempt{}, timeout, 0, true},
		"cut off":        {&attempt{}, timeout, fair, false},
		"TLS cut off":    {&attempt{}, fmt.Errorf("TLS: %w", context.DeadlineExceeded), fair, false},
		"given up":       {&attempt{}, fmt.Errorf("TLS: %w", context.Canceled), 0, false},
		"no port":        {&attempt{}, local, 0, false},
		"no port either": {mixed, os.NewSyscallError("connect", syscall.ENETUNREACH), 0, false},
	} {
		var d dials
		since := time.Now().Add(-time.Second)
		d.begin(c.a)
		if d.hopeless(since, fair) || !d.hopeless(since, 0) {
			t.Errorf("%s: while it lasts", name)
		}
		d.end(c.a, c.err, c.fair)
		if d.hopeless(since, fair) != c.want {
			t.Errorf("%s: %v", name, !c.want)
		}
		if d.hopeless(time.Now(), fair) {
			t.Errorf("%s: of one that came later", name)
		}
		d.begin(&attempt{})
		d.end(c.a, nil, fair)
		if d.hopeless(since, 0) {
			t.Errorf("%s: after another has succeeded", name)
		}
	}
}

// A host has two addresses, and this machine no port left for one of them: package net
// tells of the other.
func TestLocalShortageAtOneAddress(t *testing.T) {
	for name, c := range map[string]struct {
		errs map[string]syscall.Errno
		kind Kind
	}{
		"hidden":     {map[string]syscall.Errno{"tcp6": syscall.ENETUNREACH, "tcp4": syscall.EADDRNOTAVAIL}, Local},
		"first":      {map[string]syscall.Errno{"tcp6": syscall.EMFILE, "tcp4": syscall.ECONNREFUSED}, Local},
		"an outage":  {map[string]syscall.Errno{"tcp6": syscall.ENETUNREACH, "tcp4": syscall.ECONNREFUSED}, Unreachable},
		"no address": {map[string]syscall.Errno{"tcp6": syscall.EADDRNOTAVAIL, "tcp4": syscall.ECONNREFUSED}, Unreachable},
	} {
		t.Run(name, func(t *testing.T) {
			address6 := net.ParseIP("2001:db8::1")
			if conn, err := net.Dial("udp", "[2001:db8::1]:443"); err == nil {
				conn.Close()
				if name == "no address" {
					t.Skip("this machine has an IPv6 address")
				}
			}
			s := serve(t, false, okay(`{"result":"auth"}`))
			client := client(t, Config{Host: "duo.example:443", CAFile: caFile(t, s.Server)})
			client.dialer.net.Resolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
				here, there := net.Pipe()
				go answerNames(there, net.IPv4(127, 0, 0, 1), address6)
				return here, nil
			}}
			client.dialer.net.Control = func(network, _ string, _ syscall.RawConn) error { return c.errs[network] }
			_, err := client.Preauth(t.Context(), PreauthRequest{Person: Person{Username: "alice"}})
			if e := wantKind(t, name, err, c.kind); e.Outage() != (c.kind == Unreachable) {
				t.Errorf("outage %v: %v", e.Outage(), e)
			}
		})
	}
}

// answerNames is a name server for one question, over a stream (RFC 1035, 4.2.2).
func answerNames(c net.Conn, address4, address6 net.IP) {
	defer c.Close()
	size := make([]byte, 2)
	if _, err := io.ReadFull(c, size); err != nil {
		return
	}
	query := make([]byte, binary.BigEndian.Uint16(size))
	if _, err := io.ReadFull(c, query); err != nil {
		return
	}
	const header = 12
	end := header
	for query[end] != 0 { // the labels of the name
		end += int(query[end]) + 1
	}
	end += 5 // its end, type and class
	data := []byte(address4.To4())
	if kind := binary.BigEndian.Uint16(query[end-4:]); kind == 28 {
		data = address6
	}
	answer := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0}, query[header:end]...)
	answer = append(answer, 0xc0, header)
	answer = append(answer, query[end-4:end]...)
	answer = append(answer, 0, 0, 0, 60)
	answer = binary.BigEndian.AppendUint16(answer, uint16(len(data)))
	answer = append(answer, data...)
	c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
}

// An address of this machine is no reason: that there is no port left for it is one.
func TestUnaddressed(t *testing.T) {
	s := serve(t, false, okay(`{}`))
	addr := strings.TrimPrefix(s.Listener.Addr().String(), "https://")
	if unaddressed(os.NewSyscallError("connect", syscall.EADDRNOTAVAIL), addr) || unaddressed(errors.New("x"), addr) {
		t.Error("127.0.0.1 can't be reached from here")
	}
}
