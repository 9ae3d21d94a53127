package helper

import (
	"syscall"
	"time"
	"unsafe"
)

// pollFd is struct pollfd of poll(2). A negative fd is ignored.
type pollFd struct {
	fd              int32
	events, revents int16
}

const (
	pollIn  = 0x1
	pollOut = 0x4
)

func readable(fd int) pollFd { return pollFd{fd: int32(fd), events: pollIn} }
func writable(fd int) pollFd { return pollFd{fd: int32(fd), events: pollOut} }

// hungUp waits for what poll(2) reports unasked: POLLERR of a pipe that has no
// reader any more, POLLHUP of a socket or terminal whose other side has closed.
func hungUp(fd int) pollFd { return pollFd{fd: int32(fd)} }

var nothing = readable(-1)

// ppoll waits for fds, not longer than timeout. Being interrupted counts as
// nothing being ready: Go's scheduler sends signals too.
func ppoll(fds []pollFd, timeout time.Duration) error {
	ts := syscall.NsecToTimespec(int64(timeout))
	_, _, errno := syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&fds[0])),
		uintptr(len(fds)), uintptr(unsafe.Pointer(&ts)), 0, 0, 0)
	if errno == syscall.EINTR {
		for i := range fds {
			fds[i].revents = 0
		}
		return nil
	}
	if errno != 0 {
		return errno
	}
	return nil
}

// putTimeout bounds the writing of one text; a terminal stopped with Ctrl-S, or
// a pipe that nobody reads, must not hold up a login.
const putTimeout = 100 * time.Millisecond

// put writes text as far as fd takes it.
func put(fd int, text string) {
	if fd == nowhere {
		return // poll(2) would wait for it
	}
	for p := []byte(text); len(p) > 0; {
		fds := []pollFd{writable(fd)}
		if ppoll(fds, putTimeout) != nil || fds[0].revents&pollOut == 0 {
			return
		}
		n, err := syscall.Write(fd, p)
		if err != nil || n <= 0 {
			return
		}
		p = p[n:]
	}
}
