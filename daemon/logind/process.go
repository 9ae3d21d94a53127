package logind

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/factord/factord/daemon/session"
	"github.com/factord/factord/daemon/wire"
)

// process is the peer of one connection.
//
// logind knows processes by pid, and a pid means another process when its own has
// ended: somebody logged in from afar could connect, leave the connection to a
// child, end, and have logind asked about a stranger at the console. So the
// process is pinned by a pidfd, and an answer counts only if that process is still
// alive after it.
type process struct {
	*Logind
	conn net.Conn
	peer wire.Peer
	// pidfd is held from the beginning where the kernel does not do it.
	pidfd *os.File
	err   error // of making pidfd
}

// Hold implements session.Places. From Linux 6.5 on it costs no system call: the
// socket itself holds its peer (SO_PEERPIDFD, unix(7)). Before that, a pidfd is
// opened at once. The time from connect to accept is not covered then: for a pid to
// come round in it, four million others (kernel.pid_max as systemd sets it) would
// have to be used.
//
// A process of root's is pinned only while logind is asked: nobody else makes it
// leave its connection to another.
func (l *Logind) Hold(nc net.Conn, peer wire.Peer) session.Process {
	p := &process{Logind: l, conn: nc, peer: peer}
	if !l.peerPidfd && peer.UID != 0 {
		p.pidfd, p.err = openPidfd(peer.PID)
	}
	return p
}

// Release implements session.Process.
func (p *process) Release() {
	if p.pidfd != nil {
		p.pidfd.Close()
	}
}

// errEnded is a process that can't be the one that logind was asked about any more.
var errEnded = errors.New("the client's process has ended")

// find asks logind about a process that is pinned meanwhile. It may outlive Place.
func (p *process) find(ctx context.Context) (session.Place, error) {
	// logind takes pid 0 as the pid of who asks, which is factord. A peer has it
	// that is in a pid namespace that can't be seen from here.
	if p.peer.PID <= 0 {
		return session.Place{}, errors.New("the client has no pid here")
	}
	pidfd, err := p.pin()
	if err != nil {
		return session.Place{}, fmt.Errorf("pinning the client's process: %w", err)
	}
	if pidfd != p.pidfd {
		defer pidfd.Close()
	}
	place, err := p.ask(ctx, p.peer)
	if err != nil {
		return session.Place{}, err
	}
	p.answered()
	if err := alive(pidfd); err != nil {
		return session.Place{}, err
	}
	return place, nil
}

// pin returns a pidfd of the peer. The caller closes it unless it is p.pidfd.
func (p *process) pin() (*os.File, error) {
	switch {
	case p.pidfd != nil || p.err != nil:
		return p.pidfd, p.err
	case !p.peerPidfd:
		return openPidfd(p.peer.PID)
	}
	sc, ok := p.conn.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("%T has no peer", p.conn)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd := -1
	ctlErr := raw.Control(func(s uintptr) { fd, err = peerPidfd(int(s)) })
	if err := errors.Join(ctlErr, err); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "pidfd"), nil
}

func peerPidfd(s int) (int, error) {
	fd, err := unix.GetsockoptInt(s, unix.SOL_SOCKET, unix.SO_PEERPIDFD)
	return fd, os.NewSyscallError("SO_PEERPIDFD", err)
}

func openPidfd(pid int32) (*os.File, error) {
	fd, err := unix.PidfdOpen(int(pid), 0)
	if err != nil {
		return nil, os.NewSyscallError("pidfd_open", err)
	}
	return os.NewFile(uintptr(fd), "pidfd"), nil
}

// hasPeerPidfd asks the kernel whether it is 6.5 or newer.
func hasPeerPidfd() bool {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	fd, err := peerPidfd(pair[0])
	if err != nil {
		return false
	}
	unix.Close(fd)
	return true
}

// alive returns errEnded if the process has: a pidfd is readable then
// (pidfd_open(2)).
func alive(pidfd *os.File) error {
	raw, err := pidfd.SyscallConn()
	if err != nil {
		return err
	}
	readable := -1
	ctlErr := raw.Control(func(fd uintptr) {
		err = unix.EINTR
		for err == unix.EINTR {
			readable, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		}
	})
	if err := errors.Join(ctlErr, err); err != nil {
		return err
	}
	if readable != 0 {
		return errEnded
	}
	return nil
}
