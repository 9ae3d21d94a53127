package daemon

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// lingerTime is how long a read of what is expected at once keeps its thread at the
// socket before it leaves the waiting to the runtime. A module's answers come within some 50 µs, except those
// that a person types, and a wake-up by way of the runtime's poller takes as long
// again: two threads, and on many machines a processor that is to be woken. Where
// others have work for the thread, no read lingers.
const lingerTime = time.Millisecond

// lingerer is a connection with reads that linger, besides the usual ones.
type lingerer struct {
	*net.UnixConn
	raw   syscall.RawConn
	alone func() bool
}

// lingering returns nc as one whose reads can linger, as long as it is alone.
func lingering(nc *net.UnixConn, alone func() bool) net.Conn {
	raw, err := nc.SyscallConn()
	if err != nil {
		return nc
	}
	return &lingerer{nc, raw, alone}
}

// ReadSoon reads what is expected at once, see wire.NewLines.
func (l *lingerer) ReadSoon(p []byte) (n int, err error) {
	linger := l.alone()
	rawErr := l.raw.Read(func(fd uintptr) bool {
		if linger {
			linger = false
			unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(lingerTime.Milliseconds()))
		}
		for n, err = syscall.Read(int(fd), p); errors.Is(err, syscall.EINTR); {
			n, err = syscall.Read(int(fd), p)
		}
		return !errors.Is(err, syscall.EAGAIN)
	})
	switch {
	case rawErr != nil:
		return 0, rawErr
	case err != nil:
		return 0, os.NewSyscallError("read", err)
	case n == 0 && len(p) > 0:
		return 0, io.EOF
	}
	return n, nil
}
