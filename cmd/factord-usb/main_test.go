package main

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
	"github.com/factord/factord/daemon/wire/agent"
)

// patience is what no test waits longer for.
const patience = 30 * time.Second

func TestUsage(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want string
		err  error
	}{
		{[]string{"--help"}, "Usage: factord-usb\n", nil},
		{[]string{"-h"}, "Usage: factord-usb\n", nil},
		{[]string{"--version"}, "factord-usb ", nil},
		{[]string{"--verbose"}, "", errUsage},
		{[]string{"--help", "x"}, "", errUsage},
		{[]string{""}, "", errUsage},
	} {
		var out bytes.Buffer
		if err := run(tc.args, &out); !errors.Is(err, tc.err) || !strings.HasPrefix(out.String(), tc.want) {
			t.Errorf("%q: %v, %q", tc.args, err, out.String())
		}
	}
}

// Started by hand it has no connection, and says so.
func TestByHand(t *testing.T) {
	cmd := exec.Command(factordtest.USB(t))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), "hint: systemd or factord starts this program") {
		t.Errorf("%v, %s", err, out)
	}
}

// activate listens as systemd does for a socket with Accept=yes.
func activate(t *testing.T) (socket string) {
	t.Helper()
	program := factordtest.NeedProgram(t, "systemd-socket-activate")
	socket = filepath.Join(factordtest.OpenDir(t), "usb.sock")
	var log bytes.Buffer
	locks := t.TempDir()
	if err := os.Chmod(locks, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--setenv", "RUNTIME_DIRECTORY="+locks, "--listen", socket, "--accept", factordtest.USB(t))
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(socket); err == nil {
			return socket
		}
		if time.Now().After(deadline) {
			t.Fatal("nobody listens")
		}
	}
}

// Under systemd a connection is a process; who is neither factord nor its own user hears
// no, and nothing else.
func TestActivated(t *testing.T) {
	factordtest.NeedRoot(t)
	socket := activate(t)
	if err := os.Chmod(socket, 0o666); err != nil {
		t.Fatal(err)
	}
	for uid, want := range map[int]string{-1: agent.Greeting, 65534: "ERR 3 0 uid 65534 may not ask for keys"} {
		nc, err := factordtest.Dial(socket, uid)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		if line, err := wire.NewLines(nc).Read(); err != nil || string(line) != want {
			t.Errorf("uid %d hears %q, %v; want %q", uid, line, err, want)
		}
	}
	nc, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(patience))
	lines := wire.NewLines(nc)
	if err := wire.GreetAs(lines, agent.Greeting); err != nil {
		t.Fatal(err)
	}
	var reply []string
	err = wire.Call(lines, agent.Keys, &asked{`{"wait":0}`}, func(line []byte) { reply = append(reply, string(line)) })
	if err != nil || len(reply) != 1 || !strings.HasPrefix(reply[0], `{"keys":[`) {
		t.Errorf("replied %q, %v", reply, err)
	}
	if _, err := lines.Read(); err == nil {
		t.Error("there is more than one operation")
	}
}

// asked answers the one inquiry.
type asked struct{ request string }

func (a *asked) Info(string) {}

func (a *asked) Ask(kind, _ string) ([]byte, wire.Reply) {
	if kind != agent.Request {
		return nil, wire.ReplyCancel
	}
	return []byte(a.request), wire.ReplyAnswer
}
