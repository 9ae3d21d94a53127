package daemon_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/factord/factord/daemon"
	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
)

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: connects as other uids")
	}
}

// greeted connects as uid and reports whether factord greets.
func greeted(t *testing.T, socket string, uid int) (net.Conn, bool) {
	t.Helper()
	c, err := factordtest.Dial(socket, uid)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	line, _ := bufio.NewReader(c).ReadString('\n')
	return c, line == wire.Greeting+"\n"
}

// Whoever fills all places of one uid shuts nobody else out, root least of all.
func TestIdleConnectionsOfOneUID(t *testing.T) {
	needRoot(t)
	d := factordtest.NewDaemon(t, factordtest.Options{})
	tok := d.MustEnroll("alice", "totp")
	in, out := 0, 0
	for range 500 {
		if _, ok := greeted(t, d.Socket, 65534); ok {
			in++
		} else {
			out++
		}
	}
	if in != 64 || out != 436 {
		t.Errorf("%d connections of one uid are in, %d stay out", in, out)
	}
	code := factordtest.TOTP(t, tok, d.Clock.Now())
	if v := d.Login(wire.Auth{User: "alice"}, code); !v.Allow {
		t.Errorf("root is not served: %+v", v)
	}
	if v := d.LoginAs(1001, wire.Auth{}, "000000"); v.Reason != wire.ReasonDenied {
		t.Errorf("alice is not served: %+v", v)
	}
}

// When all places are taken, who has asked nothing yet makes room.
func TestFullHouse(t *testing.T) {
	needRoot(t)
	d := factordtest.NewDaemon(t, factordtest.Options{})
	first, _ := greeted(t, d.Socket, 70000)
	for i := 1; i < 3072; i++ { // three quarters of 4096
		if _, ok := greeted(t, d.Socket, 70000+i/64); !ok {
			t.Fatalf("connection %d is refused", i)
		}
	}
	if _, ok := greeted(t, d.Socket, 80000); !ok {
		t.Error("nobody made room for a new uid")
	}
	first.SetReadDeadline(time.Now().Add(5 * time.Second))
	if n, err := first.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("the oldest is still in: %d, %v", n, err)
	}
	if _, ok := greeted(t, d.Socket, 0); !ok {
		t.Error("root stays outside")
	}
}

func TestClientsThatVanishLeaveNothing(t *testing.T) {
	needRoot(t)
	d := factordtest.NewDaemon(t, factordtest.Options{})
	tok := d.MustEnroll("alice", "totp")
	code := factordtest.TOTP(t, tok, d.Clock.Now())
	for _, say := range []string{"", "AU", "AUTH user=alice conv=prompt\n", "AUTH user=alice conv=prompt\nD 12", "AUTH user=alice conv=prompt\nD " + code + "\nEND\n"} {
		c, err := factordtest.Dial(d.Socket, -1)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(c, say)
		c.Close()
	}
	d.Wait(func() bool { return d.Connections() == 0 })
}

func TestStaleSocketIsReplaced(t *testing.T) {
	dir := t.TempDir()
	path := dir + "/s"
	l, _, err := daemon.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := daemon.Listen(path); err == nil || !strings.Contains(err.Error(), "hint:") {
		t.Errorf("a second daemon on the socket: %v", err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	l, _, err = daemon.Listen(path)
	if err != nil {
		t.Fatalf("a stale socket: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	l.Close()
	os.WriteFile(path, []byte("not a socket"), 0o600)
	if _, _, err := daemon.Listen(path); err == nil {
		t.Error("a file was replaced")
	}
}

func TestPathOfASocket(t *testing.T) {
	t.Chdir(t.TempDir())
	longest := strings.Repeat("s", 107)
	l, _, err := daemon.Listen(longest)
	if err != nil {
		t.Fatalf("107 bytes: %v", err)
	}
	l.Close()
	for path, want := range map[string]string{longest + "s": "at most 107 bytes", "@s": "abstract", "": "not a path"} {
		if _, _, err := daemon.Listen(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", path, err)
		}
	}
}

func TestIdleExit(t *testing.T) {
	needRoot(t)
	var stay atomic.Bool
	d := factordtest.NewDaemon(t, factordtest.Options{IdleExit: 50 * time.Millisecond, Stay: stay.Load})
	stay.Store(true) // a configuration that was refused, with which it would not start again
	c, _ := greeted(t, d.Socket, -1)
	select {
	case <-d.Ended():
		t.Error("ended with a connection open")
	case <-time.After(200 * time.Millisecond):
	}
	c.Close()
	select {
	case <-d.Ended():
		t.Error("ended though it should stay")
	case <-time.After(200 * time.Millisecond):
	}
	stay.Store(false)
	select {
	case <-d.Ended():
	case <-time.After(10 * time.Second):
		t.Error("does not end when idle")
	}
}
