package duosim

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// door is the listener that the HTTP server sees: it stays while the real one
// comes and goes, and knows every connection.
type door struct {
	turnAway func() bool // this connection is to be heard by nobody
	conns    chan net.Conn
	done     chan struct{}

	mu       sync.Mutex
	addr     *net.TCPAddr
	ln       net.Listener
	shut     int // while refusing: a socket that holds the port; else -1
	open     map[*conn]struct{}
	held     []*conn // heard by nobody
	accepted int
}

type conn struct {
	net.Conn
	d *door
}

func (c *conn) Close() error {
	c.d.mu.Lock()
	delete(c.d.open, c)
	c.d.mu.Unlock()
	return c.Conn.Close()
}

func openDoor(addr string, turnAway func() bool) (*door, error) {
	ln, err := net.Listen("tcp4", addr)
	if err != nil {
		return nil, err
	}
	d := &door{turnAway: turnAway, conns: make(chan net.Conn), done: make(chan struct{}), addr: ln.Addr().(*net.TCPAddr), ln: ln, shut: -1, open: map[*conn]struct{}{}}
	go d.accept(ln)
	return d, nil
}

func (d *door) port() int { return d.addr.Port }

func (d *door) accept(ln net.Listener) {
	for {
		raw, err := ln.Accept()
		if err != nil {
			return
		}
		c := &conn{raw, d}
		d.mu.Lock()
		d.open[c] = struct{}{}
		d.accepted++
		d.mu.Unlock()
		if d.turnAway() {
			d.mu.Lock()
			d.held = append(d.held, c)
			d.mu.Unlock()
			continue
		}
		select {
		case d.conns <- c:
		case <-d.done:
			c.Close()
		}
	}
}

// Accept is net.Listener's.
func (d *door) Accept() (net.Conn, error) {
	select {
	case c := <-d.conns:
		return c, nil
	case <-d.done:
		return nil, net.ErrClosed
	}
}

// Addr is net.Listener's.
func (d *door) Addr() net.Addr { return d.addr }

// Close ends listening and all connections, for good.
func (d *door) Close() error {
	d.mu.Lock()
	select {
	case <-d.done:
		d.mu.Unlock()
		return nil
	default:
	}
	close(d.done)
	if d.shut >= 0 {
		syscall.Close(d.shut)
		d.shut = -1
	}
	err := d.ln.Close()
	d.mu.Unlock()
	d.hangUp()
	return err
}

// hangUp ends all connections.
func (d *door) hangUp() {
	d.mu.Lock()
	all := make([]*conn, 0, len(d.open))
	for c := range d.open {
		all = append(all, c)
	}
	d.mu.Unlock()
	for _, c := range all {
		c.Close()
	}
}

// release ends the connections that nobody heard.
func (d *door) release() {
	d.mu.Lock()
	held := d.held
	d.held = nil
	d.mu.Unlock()
	for _, c := range held {
		c.Close()
	}
}

// refuse makes connecting fail at once. A socket bound to the port that does not
// listen keeps others from taking it meanwhile.
func (d *door) refuse() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shut >= 0 {
		return nil
	}
	// Not when it began to listen: of port 0 the kernel makes one that another such
	// socket has.
	if err := d.share(); err != nil {
		return err
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	at := &syscall.SockaddrInet4{Port: d.addr.Port}
	copy(at.Addr[:], d.addr.IP.To4())
	err = errors.Join(syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1),
		syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, unix.SO_REUSEPORT, 1), syscall.Bind(fd, at))
	if err != nil {
		syscall.Close(fd)
		return err
	}
	d.shut = fd
	return d.ln.Close()
}

// share lets another socket of ours be bound to the port before this one is closed.
func (d *door) share() error {
	raw, err := d.ln.(*net.TCPListener).SyscallConn()
	if err != nil {
		return err
	}
	ctlErr := raw.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
	return errors.Join(ctlErr, err)
}

// listenAgain ends refuse.
func (d *door) listenAgain() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shut < 0 {
		return nil
	}
	file := os.NewFile(uintptr(d.shut), "door")
	d.shut = -1
	defer file.Close()
	if err := syscall.Listen(int(file.Fd()), syscall.SOMAXCONN); err != nil {
		return os.NewSyscallError("listen", err)
	}
	ln, err := net.FileListener(file)
	if err != nil {
		return err
	}
	d.ln = ln
	go d.accept(ln)
	return nil
}
