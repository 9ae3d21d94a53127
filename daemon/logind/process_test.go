package logind

import (
	"net"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/wire"
)

// kernels runs a test as on this kernel, and as before Linux 6.5.
func kernels(t *testing.T, test func(t *testing.T, peerPidfd bool)) {
	if hasPeerPidfd() {
		t.Run("socket", func(t *testing.T) { test(t, true) })
	}
	t.Run("pid", func(t *testing.T) { test(t, false) })
}

// A process that has ended is nowhere, whoever has its pid now: the fake says of
// every pid that it is at the console.
func TestEndedProcess(t *testing.T) {
	f := startFake(startBus(t))
	f.enter(onSeat0("3", alice))
	kernels(t, func(t *testing.T, peerPidfd bool) {
		for _, when := range []string{"before", "while logind is asked"} {
			for _, uid := range []int{alice, 0} {
				l, _ := newLogind(t)
				l.peerPidfd = peerPidfd
				c := newClient(t, uid)
				p := l.Hold(c.conn, c.peer)
				defer p.Release()
				if place, err := p.Place(t.Context()); err != nil || place != console {
					t.Fatalf("alive: %+v, %v", place, err)
				}
				if when == "before" {
					c.end()
				} else {
					l.answered = c.end
				}
				if place, err := p.Place(t.Context()); err == nil || place != unknown {
					t.Errorf("uid %d ended %s: got %+v", uid, when, place)
				}
			}
		}
	})
}

// What is held from before 6.5 on is the process that was there then.
func TestHeldFromTheBeginning(t *testing.T) {
	l, _ := newLogind(t)
	l.peerPidfd = false
	c := newClient(t, alice)
	c.end()
	p := l.Hold(c.conn, c.peer).(*process)
	defer p.Release()
	if p.err == nil {
		t.Error("a process that was over at the beginning is held")
	}
	if _, err := p.Place(t.Context()); err == nil {
		t.Error("and has a place")
	}
}

// logind takes pid 0 as factord's own.
func TestNoPid(t *testing.T) {
	f := startFake(startBus(t))
	f.enter(onSeat0("3", alice))
	l, _ := newLogind(t)
	c := newClient(t, alice)
	for _, pid := range []int32{0, -1} {
		p := l.Hold(c.conn, wire.Peer{UID: alice, PID: pid})
		if place, err := p.Place(t.Context()); err == nil || place != unknown {
			t.Errorf("pid %d: got %+v", pid, place)
		}
		p.Release()
	}
	if f.asked() != 0 {
		t.Error("logind was asked")
	}
}

// A connection that is no socket has nobody at its end.
func TestNoSocket(t *testing.T) {
	l, _ := newLogind(t)
	l.peerPidfd = true
	one, other := net.Pipe()
	defer one.Close()
	defer other.Close()
	if _, err := l.Hold(one, wire.Peer{UID: alice, PID: 1}).Place(t.Context()); err == nil || !strings.Contains(err.Error(), "no peer") {
		t.Errorf("got %v", err)
	}
}

// Every descriptor is given back, and none is held where the kernel does it.
func TestDescriptors(t *testing.T) {
	f := startFake(startBus(t))
	f.enter(onSeat0("3", alice))
	kernels(t, func(t *testing.T, peerPidfd bool) {
		l, _ := newLogind(t)
		l.peerPidfd = peerPidfd
		c, root := newClient(t, alice), newClient(t, 0)
		c.place(t, l) // connects
		before := descriptors(t)
		for range 20 {
			l.Hold(root.conn, root.peer)
			p := l.Hold(c.conn, c.peer)
			p.Place(t.Context())
			if held := descriptors(t) - before; peerPidfd && held != 0 || held > 1 {
				t.Fatalf("%d descriptors held", held)
			}
			p.Release()
		}
		if after := descriptors(t); after != before {
			t.Errorf("%d descriptors before, %d after", before, after)
		}
		runtime.KeepAlive(c)
	})
}

// Release while logind is being asked takes nobody else's descriptor.
func TestReleaseMeanwhile(t *testing.T) {
	f := startFake(startBus(t))
	f.enter(onSeat0("3", alice))
	l, _ := newLogind(t)
	l.peerPidfd = false
	c := newClient(t, alice)
	p := l.Hold(c.conn, c.peer)
	l.answered = p.Release
	if place, err := p.Place(t.Context()); err == nil || place != unknown {
		t.Errorf("got %+v, %v", place, err)
	}
}

func descriptors(t testing.TB) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(all)
}

// BenchmarkHold is what every connection costs.
func BenchmarkHold(b *testing.B) {
	l := New(Config{})
	for _, c := range []struct {
		name      string
		uid       int
		peerPidfd bool
	}{{"root", 0, true}, {"user", alice, true}, {"user before 6.5", alice, false}} {
		b.Run(c.name, func(b *testing.B) {
			cl := newClient(b, c.uid)
			l.peerPidfd = c.peerPidfd
			for b.Loop() {
				l.Hold(cl.conn, cl.peer).Release()
			}
		})
	}
}
