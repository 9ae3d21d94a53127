package logind

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/factord/factord/daemon/factordtest"
)

// privately runs systemd's own logind where it sees $1 as /run, has the users of
// $1/etc, a tree of control groups of its own, no virtual terminals, and nobody's
// IPC objects to remove. A folder takes the place of /etc: useradd, in another test,
// gives passwd a new inode, which detaches what is mounted on the old one.
const privately = `
	mount --bind "$1/etc" /etc &&
	mount --bind "$1" /run &&
	mount -t tmpfs tmpfs /sys/class/tty &&
	mount -t cgroup2 cgroup2 /sys/fs/cgroup &&
	mount -t tmpfs tmpfs /var/lib/systemd &&
	exec /lib/systemd/systemd-logind`

// systemd is the real logind. It knows sessions from what it has itself written
// into /run before it was restarted, which a test writes for it.
type systemd struct {
	t      testing.TB
	bus    *testBus
	run    string
	groups string // the root of its control groups
	cmd    *exec.Cmd
}

func newSystemd(b *testBus) *systemd {
	b.t.Helper()
	factordtest.NeedRoot(b.t)
	s := &systemd{t: b.t, bus: b, run: factordtest.OpenDir(b.t)}
	s.groups = filepath.Join(cgroup2(b.t), filepath.Base(s.run))
	s.makeGroup("")
	for _, dir := range []string{"sessions", "users", "seats", "inhibit", "machines", "system", "logind.conf.d"} {
		must(b.t, os.MkdirAll(filepath.Join(s.run, "systemd", dir), 0o755))
	}
	must(b.t, os.Mkdir(filepath.Join(s.run, "etc"), 0o755))
	s.write("etc/nsswitch.conf", "passwd: files\ngroup: files\n")
	s.write("etc/group", "root:x:0:\n")
	s.write("etc/passwd", fmt.Sprintf("root:x:0:0::/:/bin/sh\nalice:x:%d:%[1]d::/:/bin/sh\nbob:x:%d:%[2]d::/:/bin/sh\n", alice, bob))
	s.write("systemd/logind.conf.d/test.conf", "[Login]\nRemoveIPC=no\nKillUserProcesses=no\n")
	return s
}

func (s *systemd) write(name, text string) {
	s.t.Helper()
	must(s.t, os.WriteFile(filepath.Join(s.run, name), []byte(text), 0o644))
}

// session writes a session that is led by c's process, with lines over the usual
// ones. It is closing when what is returned is closed, and logind has looked.
func (s *systemd) session(id string, c *client, lines ...string) io.Closer {
	s.t.Helper()
	ref := "/systemd/sessions/" + id + ".ref"
	// logind takes the session as closing when nobody has this open for writing.
	must(s.t, syscall.Mkfifo(s.run+ref, 0o600))
	held, err := os.OpenFile(s.run+ref, os.O_RDWR, 0)
	must(s.t, err)
	s.t.Cleanup(func() { held.Close() })
	s.write("systemd/sessions/"+id, strings.Join(append([]string{
		fmt.Sprintf("UID=%d", c.peer.UID), "ACTIVE=1", "STATE=active", "REMOTE=0", "TYPE=tty", "CLASS=user", "SCOPE=session-" + id + ".scope",
		fmt.Sprintf("LEADER=%d", c.peer.PID), "FIFO=/run" + ref, "REALTIME=1", "MONOTONIC=1"}, lines...), "\n")+"\n")
	s.write(fmt.Sprintf("systemd/users/%d", c.peer.UID), "STATE=active\nSTOPPING=no\n")
	return held
}

// stateOf returns the state of a session.
func (s *systemd) stateOf(path dbus.ObjectPath) (state string) {
	s.t.Helper()
	must(s.t, s.bus.connect().Object(login1, path).StoreProperty(login1Session+".State", &state))
	return state
}

// makeGroup makes a control group, which goes when the test ends.
func (s *systemd) makeGroup(name string) string {
	s.t.Helper()
	dir := filepath.Join(s.groups, name)
	must(s.t, os.Mkdir(dir, 0o755))
	s.t.Cleanup(func() {
		eventually(s.t, "the processes of "+dir+" are gone", func() bool { return syscall.Rmdir(dir) == nil })
	})
	return dir
}

// move puts a client's process into a control group and returns when it is there.
func (c *client) move(t testing.TB, group string) {
	t.Helper()
	must(t, os.WriteFile(group+"/cgroup.procs", fmt.Append(nil, c.peer.PID), 0))
	t.Cleanup(c.end) // or the group could not be removed
}

// cgroup2 returns where the control groups are that systemd uses.
func cgroup2(t testing.TB) string {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	must(t, err)
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); f[2] == "cgroup2" {
			return f[1]
		}
	}
	t.Fatal("no cgroup2 is mounted\nhint: mount -t cgroup2 cgroup2 /sys/fs/cgroup")
	return ""
}

// start returns when logind is on the bus.
func (s *systemd) start() {
	s.t.Helper()
	log, err := os.Create(filepath.Join(s.run, "log"))
	must(s.t, err)
	defer log.Close()
	group, err := os.Open(s.groups)
	must(s.t, err)
	defer group.Close()
	s.cmd = exec.Command(factordtest.NeedProgram(s.t, "unshare"), "--mount", "--ipc", "--cgroup", "--propagation", "private", "sh", "-c", privately, "sh", s.run)
	s.cmd.Env = append(os.Environ(), "SYSTEMD_LOG_TARGET=console", "SYSTEMD_LOG_LEVEL=debug")
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(group.Fd())}
	must(s.t, s.cmd.Start())
	s.t.Cleanup(s.stop)
	conn := s.bus.connect()
	eventually(s.t, "systemd-logind starts", func() bool {
		var there bool
		conn.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, login1).Store(&there)
		return there
	})
}

func (s *systemd) stop() {
	if s.cmd == nil {
		return
	}
	s.cmd.Process.Kill()
	s.cmd.Wait()
	s.cmd = nil
	if s.t.Failed() {
		log, _ := os.ReadFile(filepath.Join(s.run, "log"))
		s.t.Logf("systemd-logind:\n%s", log)
	}
}

// activate puts a session into the foreground.
func (s *systemd) activate(path dbus.ObjectPath) {
	s.t.Helper()
	must(s.t, s.bus.connect().Object(login1, path).Call(login1Session+".Activate", 0).Err)
}
