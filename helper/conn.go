package helper

import (
	"errors"
	"io"
	"strconv"
	"syscall"
	"time"
)

// backlogPause is the wait before connecting again to a socket whose backlog is
// full.
const backlogPause = 10 * time.Millisecond

// greetingTime is how long factord has to greet, which includes its start when
// systemd starts it for this connection.
const greetingTime = 10 * time.Second

// conn is the connection to factord. Closing it ends the attempt there.
type conn struct {
	fd    int
	watch *watch
	term  *terminal // nil: no terminal; else Ctrl-C there ends a read
}

// dial connects to factord and checks that it is factord.
func dial(w *watch, t *terminal, path string) (*conn, error) {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	c := &conn{fd: fd, watch: w, term: t}
	w.greeting = time.Now().Add(greetingTime)
	if err := c.connect(path); err != nil {
		c.close()
		return nil, err
	}
	if err := checkServer(fd); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *conn) connect(path string) error {
	for {
		err := syscall.Connect(c.fd, &syscall.SockaddrUnix{Name: path})
		switch {
		case err == nil, err == syscall.EISCONN:
			return nil
		case err == syscall.EINTR:
		case err == syscall.EAGAIN: // backlog full (connect(2), of Unix sockets)
			if err := c.watch.pause(backlogPause); err != nil {
				return err
			}
		default:
			return unreachable(path, err)
		}
	}
}

// unreachable says why nobody answers at path, and what to do.
func unreachable(path string, err error) error {
	text := "connecting to " + strconv.Quote(path) + ": " + err.Error()
	switch err {
	case syscall.ENOENT, syscall.ECONNREFUSED:
		text += "\nhint: is factord running? systemctl status factord.socket\nhint: one that listens elsewhere: --socket PATH"
	case syscall.EACCES:
		text += "\nhint: who may reach the socket? ls -ld " + strconv.Quote(path) + " and the folders above it"
	}
	return errors.New(text)
}

// Read returns what factord sent, at most len(p) bytes.
func (c *conn) Read(p []byte) (int, error) {
	for {
		sock, keys, err := c.watch.wait(readable(c.fd), c.term.keys())
		if err != nil {
			return 0, err
		}
		if keys != 0 && c.term.interrupted() {
			return 0, errCancelled
		}
		if sock == 0 {
			continue
		}
		n, err := syscall.Read(c.fd, p)
		switch {
		case err == syscall.EAGAIN || err == syscall.EINTR:
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		default:
			c.watch.greeting = time.Time{}
			return n, nil
		}
	}
}

// Write sends all of p. When factord has closed already, the reading side tells
// why: its verdict may have crossed an answer.
func (c *conn) Write(p []byte) (int, error) {
	for sent := 0; sent < len(p); {
		if _, _, err := c.watch.wait(writable(c.fd), nothing); err != nil {
			return sent, err
		}
		n, err := syscall.SendmsgN(c.fd, p[sent:], nil, nil, syscall.MSG_NOSIGNAL)
		switch err {
		case nil:
			sent += n
		case syscall.EAGAIN, syscall.EINTR:
		case syscall.EPIPE, syscall.ECONNRESET:
			return len(p), nil
		default:
			return sent, err
		}
	}
	return len(p), nil
}

func (c *conn) close() { _ = syscall.Close(c.fd) }
