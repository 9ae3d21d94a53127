package daemon

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// lingeringPair returns both ends of a connection, the first with reads that linger.
func lingeringPair(t *testing.T, alone bool) (ours net.Conn, theirs *net.UnixConn) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	theirs, err = net.DialUnix("unix", nil, l.Addr().(*net.UnixAddr))
	if err != nil {
		t.Fatal(err)
	}
	nc, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close(); theirs.Close() })
	return lingering(nc, func() bool { return alone }), theirs
}

// A read that lingers is like any other: it ends with data, the other end, its
// deadline and Close, early or late.
func TestLingering(t *testing.T) {
	for name, alone := range map[string]bool{"alone": true, "among others": false} {
		for when, wait := range map[string]time.Duration{"before": 0, "while": lingerTime / 2, "after": 20 * lingerTime} {
			t.Run(name+" "+when, func(t *testing.T) {
				for want, act := range map[error]func(ours net.Conn, theirs *net.UnixConn){
					nil:                    func(_ net.Conn, theirs *net.UnixConn) { theirs.Write([]byte("x")) },
					io.EOF:                 func(_ net.Conn, theirs *net.UnixConn) { theirs.Close() },
					os.ErrDeadlineExceeded: func(ours net.Conn, _ *net.UnixConn) { ours.SetReadDeadline(time.Unix(1, 0)) },
					net.ErrClosed:          func(ours net.Conn, _ *net.UnixConn) { ours.Close() },
				} {
					ours, theirs := lingeringPair(t, alone)
					time.AfterFunc(wait, func() { act(ours, theirs) })
					n, err := ours.(*lingerer).ReadSoon(make([]byte, 10))
					if !errors.Is(err, want) || n > 0 != (want == nil) {
						t.Errorf("read %d, %v, want %v", n, err, want)
					}
				}
			})
		}
	}
}
