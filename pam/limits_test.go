package pam_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/session"
	"github.com/factord/factord/daemon/wire"
)

const nobody = 65534

// A line of 100 kB ends its connection at once.
func TestEndlessLine(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{})
	for name, start := range map[string]string{"command": "", "AUTH": "AUTH user=", "comment": "#", "answer": "D "} {
		c := dial(t, l.Socket, -1)
		if name == "answer" {
			c.auth(l.auth("sudo"))
		}
		// It need not take all of it.
		_, err := io.WriteString(c.conn, start+strings.Repeat("x", 100<<10)+"\n")
		if err != nil && errors.Is(err, net.ErrClosed) {
			t.Fatal(err)
		}
		begun := time.Now()
		text, _ := io.ReadAll(c.conn)
		if d := time.Since(begun); d > 5*time.Second || strings.Contains(string(text), "allow") {
			t.Errorf("%s: closed after %v, with %q", name, d, text)
		}
	}
	l.AwaitConnections(0, 5*time.Second)
	if v := l.Login(-1, l.auth("sudo"), l.code()); !v.Allow {
		t.Errorf("afterwards: %+v", v)
	}
}

// Half a line and silence wait for no longer than the limits say, and hinder
// nobody. That the limits hold is shown in daemon/session, with small ones.
func TestSilence(t *testing.T) {
	t.Parallel()
	const longest = 60 * time.Second
	if session.IdleTime > longest || session.AttemptTime > longest {
		t.Errorf("limits are %v and %v", session.IdleTime, session.AttemptTime)
	}
	// pam_factord waits for 95 seconds where somebody enrols, and needs time to hear the verdict.
	if session.LoginEnrolTime > 90*time.Second {
		t.Errorf("an enrolment may take %v", session.LoginEnrolTime)
	}
	l := newLab(t, factordtest.ProcessOptions{})
	for _, half := range []string{"", "AUT", "AUTH user=" + l.who.Name + " service=sudo conv=prompt\nD 123"} {
		dial(t, l.Socket, -1).send(half)
	}
	l.AwaitConnections(3, 5*time.Second)
	for range 5 {
		begun := time.Now()
		if v := l.Login(-1, l.auth("sudo"), l.code()); !v.Allow || time.Since(begun) > 5*time.Second {
			t.Errorf("%+v after %v", v, time.Since(begun))
		}
	}

	// An attempt's time holds for half a line too.
	d := factordtest.NewDaemon(t, factordtest.Options{AttemptTime: 300 * time.Millisecond})
	c := dial(t, d.Socket, -1)
	c.auth(wire.Auth{User: "alice", Service: "sudo"})
	c.send("D 123")
	if v := c.verdict(); v.Allow || v.Reason != wire.ReasonTimeout {
		t.Errorf("half an answer and silence: %+v", v)
	}
}

// 500 idle connections of one uid take no place from others.
func TestIdleCrowd(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{})
	const most = 64 // of one uid
	var crowd []net.Conn
	for range 500 {
		c, err := factordtest.Dial(l.Socket, nobody)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		crowd = append(crowd, c)
	}
	l.AwaitConnections(most, 10*time.Second)
	for range 5 {
		begun := time.Now()
		if v := l.Login(-1, l.auth("sudo"), l.code()); !v.Allow || time.Since(begun) > 5*time.Second {
			t.Errorf("root: %+v after %v", v, time.Since(begun))
		}
	}
	if v := l.Login(l.who.UID, wire.Auth{Service: "screen"}, l.code()); !v.Allow {
		t.Errorf("another user: %+v", v)
	}
	turnedAway := 0
	for _, c := range crowd {
		line, err := wire.NewLines(c).Read()
		if err == nil && strings.HasPrefix(string(line), "ERR 106 ") {
			turnedAway++
		}
	}
	if turnedAway != len(crowd)-most {
		t.Errorf("%d of %d are turned away", turnedAway, len(crowd))
	}
	for _, c := range crowd {
		c.Close()
	}
	l.AwaitConnections(0, 10*time.Second)
}

// A client that vanishes, wherever it is, leaves nothing behind.
func TestVanishing(t *testing.T) {
	t.Parallel()
	l := newLab(t, factordtest.ProcessOptions{})
	begin := "AUTH user=" + l.who.Name + " service=sudo conv=prompt\n"
	for name, vanish := range map[string]func(c *client){
		"after the greeting":     func(*client) {},
		"in a command":           func(c *client) { c.send("AUTH us") },
		"after AUTH":             func(c *client) { c.send(begin) },
		"at the question":        func(c *client) { c.auth(l.auth("sudo")) },
		"in an answer":           func(c *client) { c.auth(l.auth("sudo")); c.send("D 12") },
		"before the answer ends": func(c *client) { c.auth(l.auth("sudo")); c.send("D 000\n") },
		"before the verdict":     func(c *client) { c.auth(l.auth("sudo")); c.answer("000") },
		"after a wrong answer":   func(c *client) { c.auth(l.auth("sudo")); c.answer("000"); c.asked() },
		"after the verdict":      func(c *client) { c.auth(l.auth("sudo")); c.answer(l.code()); c.verdict() },
		"while enrolling":        func(c *client) { c.send("ENROLL factor=totp user=" + l.who.Name + "\n"); c.line() },
		"in a long reply":        func(c *client) { c.send("AUDIT\n") },
	} {
		c := dial(t, l.Socket, -1)
		vanish(c)
		c.conn.Close()
		t.Logf("%s: gone after %v", name, l.AwaitConnections(0, 5*time.Second))
	}
	if v := l.Login(-1, l.auth("sudo"), l.code()); !v.Allow {
		t.Errorf("afterwards: %+v", v)
	}
}
