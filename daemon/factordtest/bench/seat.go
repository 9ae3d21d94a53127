package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"
)

// seat is a system bus with a logind that says of every process that the first user is here.
type seat struct {
	cmd  *exec.Cmd
	conn *dbus.Conn
}

const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <auth>EXTERNAL</auth>
  <listen>unix:path=%s</listen>
  <policy context="default"><allow user="*"/><allow own="*"/><allow send_type="*"/><allow receive_type="*"/></policy>
</busconfig>
`

// startSeat starts it, and has the factord that is started next ask there.
func startSeat(dir string) (*seat, error) {
	program, err := exec.LookPath("dbus-daemon")
	if err != nil {
		return nil, missing("dbus-daemon", "dbus-daemon")
	}
	socket, config := filepath.Join(dir, "bus"), filepath.Join(dir, "bus.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, busConfig, socket), 0o600); err != nil {
		return nil, err
	}
	s := &seat{cmd: exec.Command(program, "--nofork", "--nopidfile", "--nosyslog", "--print-address", "--config-file="+config)}
	s.cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	address, err := bufio.NewReader(out).ReadString('\n')
	if err == nil {
		s.conn, err = dbus.Connect(strings.TrimSpace(address))
	}
	if err == nil {
		err = s.beLogind()
	}
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("a bus with logind: %w", err)
	}
	return s, os.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+socket)
}

func (s *seat) stop() {
	os.Unsetenv("DBUS_SYSTEM_BUS_ADDRESS")
	if s.conn != nil {
		s.conn.Close()
	}
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

const (
	theSession = dbus.ObjectPath("/org/freedesktop/login1/session/_1")
	theUser    = dbus.ObjectPath("/org/freedesktop/login1/user/_1")
)

// object is a name and the path that goes with it.
type object[T any] struct {
	Name T
	Path dbus.ObjectPath
}

func (s *seat) beLogind() error {
	const login1 = "org.freedesktop.login1"
	byPID := func(uint32) (dbus.ObjectPath, *dbus.Error) { return theSession, nil }
	session := map[string]any{
		"Id": "1", "Timestamp": uint64(1), "User": object[uint32]{firstUID, theUser}, "Class": "user", "Type": "tty", "State": "active",
		"Active": true, "Seat": object[string]{"seat0", "/"}, "Remote": false, "RemoteHost": "",
	}
	own := object[string]{"1", theSession}
	user := map[string]any{"UID": uint32(firstUID), "Display": own, "Sessions": []object[string]{own}}
	if err := s.conn.ExportMethodTable(map[string]any{"GetSessionByPID": byPID}, "/org/freedesktop/login1", login1+".Manager"); err != nil {
		return err
	}
	for path, properties := range map[dbus.ObjectPath]map[string]any{theSession: session, theUser: user} {
		getAll := func(string) (map[string]dbus.Variant, *dbus.Error) {
			all := map[string]dbus.Variant{}
			for name, value := range properties {
				all[name] = dbus.MakeVariant(value)
			}
			return all, nil
		}
		if err := s.conn.ExportMethodTable(map[string]any{"GetAll": getAll}, path, "org.freedesktop.DBus.Properties"); err != nil {
			return err
		}
	}
	_, err := s.conn.RequestName(login1, dbus.NameFlagDoNotQueue)
	return err
}
