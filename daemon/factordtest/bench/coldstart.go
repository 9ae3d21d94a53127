package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	coldRounds = 50
	coldMax    = 100 // ms
)

// benchCold measures the login that wakes factord: systemd's socket is there, and no daemon.
func benchCold(r *report, bin, dir string) error {
	f, err := startIn(bin, filepath.Join(dir, "cold"), 1000)
	if err != nil {
		return err
	}
	f.stop()
	c := &client{socket: f.socket, code: f.next}
	times := &sample{}
	for range coldRounds {
		took, err := f.wake(c)
		if err != nil {
			return fmt.Errorf("a cold start: %w", err)
		}
		times.times = append(times.times, took)
	}
	r.section(fmt.Sprintf("Cold start: from connecting to the socket to the first verdict, %d of them", coldRounds))
	r.time("p50", times.p50())
	r.atMost("p99 in ms", float64(times.at(99))/1e6, coldMax)
	return nil
}

// wake has systemd's own program hold the socket, and logs in.
func (f *factord) wake(c *client) (time.Duration, error) {
	if err := os.RemoveAll(f.socket); err != nil {
		return 0, err
	}
	cmd := exec.Command("systemd-socket-activate", append([]string{"-l", f.socket}, f.cmd.Args...)...)
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	defer cmd.Wait()
	defer cmd.Process.Signal(unix.SIGTERM)
	for begin := time.Now(); !isListening(f.socket); time.Sleep(time.Millisecond) {
		if time.Since(begin) > clientTime {
			return 0, fmt.Errorf("%s does not listen", f.socket)
		}
	}
	name, code := c.code(0)
	begin := time.Now()
	err := c.login(name, code)
	return time.Since(begin), err
}

// isListening reports whether somebody listens at a socket, without connecting: /proc/net/unix has
// 10000, __SO_ACCEPTCON, for those that do.
func isListening(path string) bool {
	sockets, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(sockets)) {
		if strings.Contains(line, " 00010000 ") && strings.HasSuffix(line, " "+path+"\n") {
			return true
		}
	}
	return false
}
