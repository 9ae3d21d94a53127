package daemon

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// lingerTime is how long a read keeps its thread at the socket before it leaves the
// waiting to the runtime. A module's answers come within some 50 µs, except those
// that a person types, and a wake-up by way of the runtime's poller takes as long
// again: two threads, and on many machines a processor that is to be woken.
const lingerTime = time.Millisecond

// maxLingering bounds the threads that are kept so; the others wait as usual.
const maxLingering = 4

// lingerer is a connection whose reads linger.
type lingerer struct {
	*net.UnixConn
	raw  syscall.RawConn
	busy *atomic.Int32 // how many linger now
}

// lingering returns nc with reads that linger, as long as few do.
func lingering(nc *net.UnixConn, busy *atomic.Int32) net.Conn {
	raw, err := nc.SyscallConn()
	if err != nil {
		return nc
	}
	return &lingerer{nc, raw, busy}
}

// Read implements net.Conn.
func (l *lingerer) Read(p []byte) (n int, err error) {
	lingered := false
	rawErr := l.raw.Read(func(fd uintptr) bool {
		if !lingered {
			lingered = true
			l.linger(int(fd))
		}
		n, err = syscall.Read(int(fd), p)
		return !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR)
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

// linger waits until there is something to read, but not long.
func (l *lingerer) linger(fd int) {
	defer l.busy.Add(-1)
	if l.busy.Add(1) <= maxLingering {
		unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(lingerTime.Milliseconds()))
	}
}
