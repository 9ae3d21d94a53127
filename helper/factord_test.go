package helper

import (
	"bufio"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Lines of a daemon.
const (
	greeting = "OK factord 1"
	allow    = "S VERDICT allow basis=factor factor=totp rule=%231"
	denied   = "S VERDICT deny reason=denied"
	deniedNo = "ERR 101 Wrong code."
)

// peer is the daemon's side of one connection.
type peer struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

// serve answers one connection with script, and returns the socket's path. The
// test ends when the script has.
func serve(t *testing.T, script func(p *peer)) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, l, script)
	return path
}

func serveOn(t *testing.T, l net.Listener, script func(p *peer)) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		script(&peer{t, conn, bufio.NewReader(conn)})
	}()
	t.Cleanup(func() { l.Close(); <-done })
}

func (p *peer) put(lines ...string) {
	if _, err := io.WriteString(p.conn, strings.Join(lines, "\n")+"\n"); err != nil {
		p.t.Logf("daemon: writing: %v", err)
	}
}

// line returns what the helper says next, "EOF" at the end, which is a reset
// when the helper had not read everything.
func (p *peer) line() string {
	s, err := p.in.ReadString('\n')
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		return "EOF" + s
	}
	if err != nil {
		return err.Error()
	}
	return strings.TrimSuffix(s, "\n")
}

func (p *peer) expect(want string) {
	if got := p.line(); got != want {
		p.t.Errorf("the helper said %q, want %q", got, want)
	}
}

// greet says hello and returns AUTH.
func (p *peer) greet() string {
	p.put(greeting)
	return p.line()
}

// answering greets, asks once, expects the answer's lines and says the verdict.
func answering(inquiry string, verdict []string, want ...string) func(p *peer) {
	return func(p *peer) {
		p.greet()
		p.put(inquiry)
		for _, w := range want {
			p.expect(w)
		}
		p.put(verdict...)
	}
}

var (
	sayAllow = []string{allow, "OK"}
	sayDeny  = []string{denied, deniedNo}
	sayStop  = []string{"S VERDICT deny reason=cancelled", "ERR 108 Cancelled."}
)
