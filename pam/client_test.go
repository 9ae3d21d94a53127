package pam_test

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
)

// client is one connection, spoken by hand: tests stop it wherever they like.
type client struct {
	t     testing.TB
	conn  net.Conn
	lines *wire.Lines
}

// dial connects as a uid, -1 for the test's own, and reads the greeting.
func dial(t testing.TB, socket string, uid int) *client {
	t.Helper()
	conn, err := factordtest.Dial(socket, uid)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	c := &client{t, conn, wire.NewLines(conn)}
	if err := wire.Greet(c.lines); err != nil {
		t.Fatalf("greeting: %v", err)
	}
	return c
}

// send sends bytes as they are.
func (c *client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, text); err != nil {
		c.t.Fatalf("sending: %v", err)
	}
}

// line returns the next line, "" when factord has closed the connection.
func (c *client) line() string {
	c.t.Helper()
	line, err := c.lines.Read()
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		return ""
	}
	if err != nil {
		c.t.Fatalf("reading: %v", err)
	}
	return string(line)
}

// auth begins an attempt and gets as far as the question.
func (c *client) auth(a wire.Auth) {
	c.t.Helper()
	a.Conv = wire.ConvPrompt
	text, err := a.Line()
	if err != nil {
		c.t.Fatal(err)
	}
	c.send(text + "\n")
	c.asked()
}

// asked skips what is shown, up to the question.
func (c *client) asked() {
	c.t.Helper()
	for {
		verb, rest := wire.Split([]byte(c.line()))
		if verb == "INQUIRE" {
			return
		}
		if kind, _ := wire.Split([]byte(rest)); verb != "S" || kind != "INFO" {
			c.t.Fatalf("no question, but %q", verb+" "+rest)
		}
	}
}

func (c *client) answer(text string) { c.t.Helper(); c.send("D " + text + "\nEND\n") }

// verdict reads what comes of the attempt; another question is cancelled.
func (c *client) verdict() wire.Verdict {
	c.t.Helper()
	v, err := c.tryVerdict()
	if err != nil {
		c.t.Fatalf("waiting for the verdict: %v", err)
	}
	return v
}

// tryVerdict is verdict for a factord that may be killed.
func (c *client) tryVerdict() (wire.Verdict, error) {
	for {
		line, err := c.lines.Read()
		if err != nil {
			return wire.Verdict{}, err
		}
		verb, rest := wire.Split(line)
		kind, rest := wire.Split([]byte(rest))
		switch {
		case verb == "INQUIRE":
			if _, err := io.WriteString(c.conn, "CAN\n"); err != nil {
				return wire.Verdict{}, err
			}
		case kind == "VERDICT":
			v, err := wire.ParseVerdict(rest)
			if err != nil {
				return wire.Verdict{}, err
			}
			final, err := c.lines.Read()
			if err != nil {
				return wire.Verdict{}, err
			}
			return v.Confirm(string(final))
		case kind != "INFO":
			return wire.Verdict{}, errors.New("out of place: " + string(line))
		}
	}
}
