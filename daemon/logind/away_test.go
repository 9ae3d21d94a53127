package logind

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// A machine without logind, or without a bus, is no news after the first login,
// and costs nothing. Both may come later, and go again.
func TestAway(t *testing.T) {
	b := newTestBus(t)
	l, j := newLogind(t)
	c := newClient(t, alice)
	away := func() {
		t.Helper()
		for range 3 {
			if place, err := c.place(t, l); !errors.Is(err, errAway) || place != unknown {
				t.Fatalf("got %+v, %v", place, err)
			}
		}
	}
	there := func() {
		t.Helper()
		for range 3 {
			if place, err := c.place(t, l); err != nil || place != console {
				t.Fatalf("got %+v, %v", place, err)
			}
		}
	}
	told := func(warned, relieved int) {
		t.Helper()
		w, text := j.count("WARN")
		if r, _ := j.count("INFO"); w != warned || r != relieved {
			t.Fatalf("%d warnings, want %d; %d all-clears, want %d:\n%s", w, warned, r, relieved, text)
		}
	}
	away() // no bus
	told(1, 0)
	b.start()
	away() // no logind
	told(1, 0)
	f := startFake(b)
	f.enter(onSeat0("3", alice))
	there()
	told(1, 1)
	if _, err := f.conn.ReleaseName(login1); err != nil {
		t.Fatal(err)
	}
	away() // logind stopped
	told(2, 1)
	b.stop()
	b.start()
	f = startFake(b) // everything restarted
	f.enter(onSeat0("3", alice))
	eventually(t, "the end of the old connection is seen", func() bool { conn, _ := l.bus.current(); return conn == nil })
	there()
	told(2, 2)
	b.stop()
	eventually(t, "the end of the old connection is seen", func() bool { conn, _ := l.bus.current(); return conn == nil })
	away()
	told(3, 2)
}

// A bus that forbids to ask logind is as good as none.
func TestForbidden(t *testing.T) {
	b := newTestBus(t)
	own := `<policy context="default"><allow own="org.freedesktop.login1"/></policy></busconfig>`
	conf, _, _ := strings.Cut(fmt.Sprintf(busConfig, b.socket), "<include>")
	must(t, os.WriteFile(b.dir+"/conf", []byte(conf+own), 0o600))
	b.start()
	startFake(b).enter(onSeat0("3", alice))
	l, j := newLogind(t)
	c := newClient(t, alice)
	for range 3 {
		if place, err := c.place(t, l); !errors.Is(err, errAway) || place != unknown {
			t.Errorf("got %+v, %v", place, err)
		}
	}
	if n, text := j.count("WARN"); n != 1 {
		t.Errorf("%d warnings:\n%s", n, text)
	}
}

// The bus goes while logind is being asked.
func TestBusEndsMeanwhile(t *testing.T) {
	b := startBus(t)
	f := startFake(b)
	f.enter(onSeat0("3", alice))
	defer f.stall()()
	l, _ := newLogind(t)
	c := newClient(t, alice)
	ended := make(chan error)
	go func() {
		_, err := c.placeIn(context.Background(), l)
		ended <- err
	}()
	eventually(t, "logind is asked", func() bool { return f.asked() == 1 })
	b.stop()
	if err := <-ended; !errors.Is(err, errAway) {
		t.Errorf("got %v", err)
	}
}

// A bus that is not there is not tried again for every login.
func TestNotTriedAtOnce(t *testing.T) {
	newTestBus(t)
	l, _ := newLogind(t)
	l.bus.retry = retryTime
	dials := 0
	l.bus.dial = func(time.Duration) (*dbus.Conn, error) {
		dials++
		return nil, syscall.ENOENT
	}
	c := newClient(t, alice)
	for range 5 {
		if _, err := c.place(t, l); !errors.Is(err, errAway) || !errors.Is(err, syscall.ENOENT) {
			t.Fatalf("got %v", err)
		}
	}
	if dials != 1 {
		t.Errorf("tried %d times", dials)
	}
	l.bus.failed = time.Now().Add(-retryTime)
	c.place(t, l)
	if dials != 2 {
		t.Errorf("tried %d times after the pause", dials)
	}
}

// A logind that hangs keeps nobody longer than the limit, and nobody whose
// connection has ended.
func TestHangingLogind(t *testing.T) {
	f := startFake(startBus(t))
	f.enter(onSeat0("3", alice))
	l, j := newLogind(t)
	c := newClient(t, alice)
	c.place(t, l) // connects
	l.limit = placeTime
	goOn := f.stall()
	defer goOn()

	begun := time.Now()
	if _, err := c.place(t, l); !errors.Is(err, errSlow) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(begun); took < placeTime || took > placeTime+time.Second {
		t.Errorf("took %v", took)
	}
	if n, text := j.count("WARN"); n != 1 {
		t.Errorf("%d warnings:\n%s", n, text)
	}

	gone := errors.New("the client is gone")
	ctx, cancel := context.WithCancelCause(context.Background())
	time.AfterFunc(50*time.Millisecond, func() { cancel(gone) })
	begun = time.Now()
	if _, err := c.placeIn(ctx, l); !errors.Is(err, gone) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(begun); took > 250*time.Millisecond {
		t.Errorf("cancelled after 50ms, ended after %v", took)
	}

	goOn()
	if place, err := c.place(t, l); err != nil || place != console {
		t.Errorf("got %+v, %v", place, err)
	}
}

// A bus that is stopped, and does not even read, keeps nobody either.
func TestHangingBus(t *testing.T) {
	b := startBus(t)
	f := startFake(b)
	f.enter(onSeat0("3", alice))
	l, _ := newLogind(t)
	c := newClient(t, alice)
	c.place(t, l) // connects
	must(t, b.cmd.Process.Signal(syscall.SIGSTOP))
	defer b.cmd.Process.Signal(syscall.SIGCONT)
	fresh, _ := newLogind(t) // has to connect
	for _, l := range []*Logind{l, fresh} {
		l.limit, l.bus.limit = placeTime, dialTime
		begun := time.Now()
		if _, err := c.place(t, l); err == nil {
			t.Error("a bus that is stopped has answered")
		}
		if took := time.Since(begun); took > placeTime+time.Second {
			t.Errorf("took %v", took)
		}
	}
}

// One uid can't have more questions under way than uidCalls, and takes nothing
// from root or from others.
func TestQuestionsUnderWay(t *testing.T) {
	f := startFake(startBus(t))
	f.enter(onSeat0("3", alice))
	l, _ := newLogind(t)
	a, b, root := newClient(t, alice), newClient(t, bob), newClient(t, 0)
	goOn := f.stall()
	defer goOn()
	var all sync.WaitGroup
	for range 5 * uidCalls {
		all.Go(func() { a.place(t, l) })
	}
	eventually(t, "alice's places are taken", func() bool { return f.asked() == uidCalls })
	for i, c := range []*client{b, root} {
		all.Go(func() { c.place(t, l) })
		eventually(t, "somebody else is served", func() bool { return f.asked() == uidCalls+i+1 })
	}
	goOn()
	all.Wait()
	if n := f.asked(); n != 5*uidCalls+2 {
		t.Errorf("logind was asked %d times", n)
	}
}

// A connection that nobody uses is given up, and made again.
func TestIdle(t *testing.T) {
	f := startFake(startBus(t))
	f.enter(onSeat0("3", alice))
	l, j := newLogind(t)
	l.bus.idle = 500 * time.Millisecond
	c := newClient(t, alice)
	for range 2 {
		if place, err := c.place(t, l); err != nil || place != console {
			t.Fatalf("got %+v, %v", place, err)
		}
		eventually(t, "the connection is given up", func() bool {
			l.bus.mu.Lock()
			defer l.bus.mu.Unlock()
			return l.bus.conn == nil
		})
	}
	if n, text := j.count("WARN"); n != 0 {
		t.Errorf("being idle is no news:\n%s", text)
	}
}

// Where the bus is. factord starts none.
func TestBusSocket(t *testing.T) {
	for address, want := range map[string]string{
		"":                                      "/run/dbus/system_bus_socket",
		"unix:path=/run/bus":                    "/run/bus",
		"unix:guid=00,path=/run/a%20bus":        "/run/a bus",
		"unix:abstract=bus":                     "@bus",
		"unix:path=/run/one;unix:path=/run/two": "/run/one",
	} {
		if got, err := busSocket(address); err != nil || got != want {
			t.Errorf("%q: got %q, %v", address, got, err)
		}
	}
	for _, address := range []string{"autolaunch:", "unixexec:path=/bin/sh", "tcp:host=example.com,port=1", "unix:dir=/tmp", "unix:path=%zz", "unix:", ";"} {
		if got, err := busSocket(address); err == nil || !strings.Contains(err.Error(), "DBUS_SYSTEM_BUS_ADDRESS") {
			t.Errorf("%q: got %q, %v", address, got, err)
		}
	}
}
