package logind

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/session"
	"github.com/factord/factord/daemon/wire"
)

// clientEnv makes the test binary a client: "UID ADDRESS".
const clientEnv = "FACTORD_TEST_CLIENT"

func TestMain(m *testing.M) {
	if told := os.Getenv(clientEnv); told != "" {
		os.Exit(beClient(told))
	}
	os.Exit(m.Run())
}

// beClient connects as a uid and stays until its input ends.
func beClient(told string) int {
	var uid int
	var address string
	fmt.Sscan(told, &uid, &address)
	err := syscall.Setresuid(uid, uid, uid)
	if err == nil {
		_, err = net.Dial("unix", address)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "client:", err)
		return 1
	}
	io.Copy(io.Discard, os.Stdin)
	return 0
}

// client is a process with a connection, seen from the server.
type client struct {
	conn  *net.UnixConn
	peer  wire.Peer
	cmd   *exec.Cmd
	input io.Closer
}

var sockets atomic.Uint32

// newClient starts a client.
func newClient(t testing.TB, uid int) *client {
	t.Helper()
	factordtest.NeedRoot(t)
	// Abstract, for every uid reaches it.
	address := fmt.Sprintf("@factord-logind-%d-%d", os.Getpid(), sockets.Add(1))
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: address, Net: "unix"})
	must(t, err)
	defer l.Close()
	self, err := os.Executable()
	must(t, err)
	c := &client{cmd: exec.Command(self)}
	c.cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s", clientEnv, uid, address),
		"GORACE=atexit_sleep_ms=0") // else it takes a second to end
	c.cmd.Stderr = os.Stderr
	c.input, err = c.cmd.StdinPipe()
	must(t, err)
	must(t, c.cmd.Start())
	t.Cleanup(c.end)
	c.conn, err = l.AcceptUnix()
	must(t, err)
	t.Cleanup(func() { c.conn.Close() })
	raw, err := c.conn.SyscallConn()
	must(t, err)
	must(t, raw.Control(func(fd uintptr) { c.peer, err = wire.PeerOf(int(fd)) }))
	must(t, err)
	if int(c.peer.PID) != c.cmd.Process.Pid || int(c.peer.UID) != uid {
		t.Fatalf("the client is %+v", c.peer)
	}
	return c
}

// end ends the process. Its pid is free then.
func (c *client) end() {
	c.input.Close()
	c.cmd.Wait()
}

// place is what l says of the client.
func (c *client) place(t testing.TB, l *Logind) (session.Place, error) {
	t.Helper()
	p := l.Hold(c.conn, c.peer)
	defer p.Release()
	return p.Place(t.Context())
}

func (c *client) placeIn(ctx context.Context, l *Logind) (session.Place, error) {
	p := l.Hold(c.conn, c.peer)
	defer p.Release()
	return p.Place(ctx)
}
