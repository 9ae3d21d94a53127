package logind

import (
	"bufio"
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/factord/factord/daemon/factordtest"
)

// patience is how long a test waits for what should be there in no time.
const patience = 15 * time.Second

// busConfig has the policy of Debian's system bus (/usr/share/dbus-1/system.conf)
// and logind's own.
const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <auth>EXTERNAL</auth>
  <listen>unix:path=%s</listen>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/>
  </policy>
  <include>/usr/share/dbus-1/system.d/org.freedesktop.login1.conf</include>
</busconfig>
`

// testBus is a dbus-daemon of the test's own, which is its system bus.
type testBus struct {
	t      testing.TB
	dir    string
	socket string
	cmd    *exec.Cmd
}

// newTestBus prepares a bus and does not start it.
func newTestBus(t testing.TB) *testBus {
	factordtest.NeedProgram(t, "dbus-daemon")
	b := &testBus{t: t, dir: factordtest.OpenDir(t)}
	b.socket = filepath.Join(b.dir, "bus")
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+dbus.EscapeBusAddressValue(b.socket))
	must(t, os.WriteFile(b.dir+"/conf", fmt.Appendf(nil, busConfig, b.socket), 0o600))
	t.Cleanup(b.stop)
	return b
}

func startBus(t testing.TB) *testBus {
	b := newTestBus(t)
	b.start()
	return b
}

// start returns when the bus can be reached.
func (b *testBus) start() {
	b.t.Helper()
	b.cmd = exec.Command("dbus-daemon", "--nofork", "--nopidfile", "--nosyslog", "--print-address", "--config-file="+b.dir+"/conf")
	out, err := b.cmd.StdoutPipe()
	must(b.t, err)
	must(b.t, b.cmd.Start())
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		b.t.Fatalf("dbus-daemon does not start: %v", err)
	}
}

func (b *testBus) stop() {
	if b.cmd != nil {
		b.cmd.Process.Kill()
		b.cmd.Wait()
		os.Remove(b.socket)
		b.cmd = nil
	}
}

// connect returns a connection of somebody else.
func (b *testBus) connect() *dbus.Conn {
	b.t.Helper()
	conn, err := dbus.ConnectSystemBus()
	must(b.t, err)
	b.t.Cleanup(func() { conn.Close() })
	return conn
}

// asker is who factord is in these tests: nobody, for dbus-daemon lets in only uids
// that have a name.
const asker = 65534

// dialAsUser connects from a thread that is asker, and ends.
func dialAsUser(limit time.Duration) (conn *dbus.Conn, err error) {
	var done sync.WaitGroup
	done.Go(func() {
		runtime.LockOSThread() // never unlocked
		if _, _, e := syscall.RawSyscall(syscall.SYS_SETRESUID, asker, asker, asker); e != 0 {
			err = e
			return
		}
		conn, err = dialSystemBus(limit)
	})
	done.Wait()
	return conn, err
}

// journal is a log to look at.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

// count returns how many lines there are of a level, and them.
func (j *journal) count(level string) (int, string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return bytes.Count(j.text.Bytes(), []byte("level="+level)), j.text.String()
}

// newLogind returns what is tested. It tries again at once where the real one
// waits, has time where the machine is busy, and asks as an ordinary user.
func newLogind(t testing.TB) (*Logind, *journal) {
	j := &journal{}
	l := New(Config{Log: slog.New(slog.NewTextHandler(j, nil))})
	l.bus.retry = 0
	l.limit, l.bus.limit = patience, patience
	if os.Geteuid() == 0 {
		l.bus.dial = dialAsUser
	}
	t.Cleanup(func() {
		l.bus.mu.Lock()
		defer l.bus.mu.Unlock()
		l.bus.drop()
	})
	return l, j
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits for what another process does.
func eventually(t testing.TB, what string, happened func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !happened(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not in %v", what, patience)
		}
	}
}
