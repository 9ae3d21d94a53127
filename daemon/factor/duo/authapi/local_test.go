package authapi

import (
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// That this machine has no port, descriptor or buffer left any local user can bring
// about; it must neither let anybody in nor stop anybody else.
func TestLocalShortageIsNoOutage(t *testing.T) {
	for number, kind := range map[syscall.Errno]Kind{
		syscall.EADDRNOTAVAIL: Local, syscall.EMFILE: Local, syscall.ENFILE: Local, syscall.ENOBUFS: Local, syscall.ENOMEM: Local,
		syscall.EPERM: Local, syscall.EACCES: Local, syscall.EAGAIN: Local,
		syscall.ECONNREFUSED: Unreachable, syscall.ENETUNREACH: Unreachable, syscall.EHOSTUNREACH: Unreachable, syscall.ETIMEDOUT: Unreachable,
	} {
		s := serve(t, false, okay(`{"result":"auth"}`))
		c := clientOf(t, s)
		c.dialer.net.Control = func(string, string, syscall.RawConn) error { return number }
		_, err := c.Preauth(t.Context(), PreauthRequest{Person: Person{Username: "alice"}})
		if e := wantKind(t, number.Error(), err, kind); e.Outage() != (kind == Unreachable) || c.Health().Down != e.Outage() {
			t.Errorf("%v: outage %v, down %v", number, e.Outage(), c.Health().Down)
		}
	}
}

// A lookup has only the text of what went wrong.
func TestLocalShortageInLookups(t *testing.T) {
	for text, network := range map[string]bool{
		(&net.OpError{Op: "dial", Net: "udp", Err: os.NewSyscallError("socket", syscall.EMFILE)}).Error():         false,
		(&net.OpError{Op: "dial", Net: "udp", Err: os.NewSyscallError("connect", syscall.EADDRNOTAVAIL)}).Error(): false,
		(&net.OpError{Op: "read", Net: "udp", Err: os.NewSyscallError("read", syscall.ECONNREFUSED)}).Error():     true,
		"server misbehaving": true,
	} {
		err := fmt.Errorf("dial: %w", &net.DNSError{Err: text, Name: "duo.example", IsTemporary: true})
		if isNetwork(err) != network || isLocal(err) == false {
			t.Errorf("%v", err)
		}
	}
	for _, e := range []*net.DNSError{{Err: "no such host", IsNotFound: true}, {Err: "i/o timeout", IsTimeout: true}} {
		if !isNetwork(e) {
			t.Errorf("%v", e)
		}
	}
}

// Nor is it one of Duo's that others fill the queue for connections.
func TestQueueIsNoOutage(t *testing.T) {
	s := serve(t, false, okay(`{"result":"auth"}`))
	c := clientOf(t, s)
	c.dialer.limit, c.preauth = 300*time.Millisecond, 300*time.Millisecond
	for range maxDials {
		c.dialer.gate <- struct{}{}
	}
	_, err := c.Preauth(t.Context(), PreauthRequest{Person: Person{Username: "alice"}})
	if e := wantKind(t, "queue", err, Ended); e.Outage() || c.Health().Down {
		t.Errorf("outage %v, down %v", e.Outage(), c.Health().Down)
	}
}
