package dialog

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// lines reads lines from a descriptor that may be a pipe, a file or a terminal,
// and stops waiting when a context ends. What is behind a line stays for the
// next.
type lines struct {
	fd  int
	buf []byte
}

// chunk is how much is read at once, in bytes.
const chunk = 1024

// read returns the next line without its end; the caller wipes it. A last line
// may lack its end. The end of everything is io.EOF.
func (l *lines) read(ctx context.Context, limit int) ([]byte, error) {
	for {
		if i := bytes.IndexByte(l.buf, '\n'); i >= 0 {
			return l.take(i, i+1, limit)
		}
		if len(l.buf) > limit+1 {
			return l.take(len(l.buf), len(l.buf), limit)
		}
		more, err := l.fill(ctx)
		if err != nil {
			return nil, err
		}
		if !more && len(l.buf) > 0 {
			return l.take(len(l.buf), len(l.buf), limit)
		}
		if !more {
			return nil, io.EOF
		}
	}
}

// take cuts the first n bytes off as a line, and drops the bytes up to next.
func (l *lines) take(n, next, limit int) ([]byte, error) {
	line := bytes.Clone(bytes.TrimSuffix(l.buf[:n], []byte{'\r'}))
	kept := copy(l.buf, l.buf[next:])
	clear(l.buf[kept:])
	l.buf = l.buf[:kept]
	if len(line) > limit {
		clear(line)
		return nil, fmt.Errorf("an answer is longer than %d bytes", limit)
	}
	return line, nil
}

// fill reads once; more is false at the end.
func (l *lines) fill(ctx context.Context) (more bool, err error) {
	var p [chunk]byte
	defer clear(p[:])
	for {
		if err := readable(ctx, l.fd); err != nil {
			return false, err
		}
		n, err := unix.Read(l.fd, p[:])
		switch {
		case err == unix.EINTR || err == unix.EAGAIN:
			continue
		case err != nil:
			return false, os.NewSyscallError("read", err)
		}
		grown := append(bytes.Clone(l.buf), p[:n]...) // append alone would leave the old one behind
		clear(l.buf)
		l.buf = grown
		return n > 0, nil
	}
}

func (l *lines) wipe() { clear(l.buf[:cap(l.buf)]) }

// readable waits until fd can be read or ctx has ended.
func readable(ctx context.Context, fd int) error {
	var wake [2]int
	if err := unix.Pipe2(wake[:], unix.O_CLOEXEC); err != nil {
		return os.NewSyscallError("pipe2", err)
	}
	defer unix.Close(wake[0])
	woken := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { unix.Close(wake[1]); close(woken) })
	defer func() {
		if stop() {
			unix.Close(wake[1])
		} else {
			<-woken // before its number is used again
		}
	}()
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(wake[0])}}
	for {
		_, err := unix.Poll(fds, -1)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err == unix.EINTR:
			continue
		case err != nil:
			return os.NewSyscallError("poll", err)
		}
		return nil
	}
}
