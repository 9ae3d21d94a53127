package device

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/factord/factord/daemon/wire"
)

// dialTime bounds connecting to the socket.
const dialTime = 5 * time.Second

// link is a connection to a factord-usb of its own.
type link struct {
	conn  *net.UnixConn
	child *exec.Cmd // nil: systemd has started it
}

// connect finds a factord-usb, or starts one.
func (b *Broker) connect(ctx context.Context) (*link, error) {
	if b.Socket != "" {
		l, err := b.dial(ctx)
		if !errors.Is(err, fs.ErrNotExist) || b.Program == "" {
			return l, err
		}
	}
	if b.Program == "" {
		return nil, outage(errNoProgram)
	}
	return start(b.Program, b.Private)
}

// dial connects to the socket, and makes sure of who serves it: whoever does could
// claim any evidence.
func (b *Broker) dial(ctx context.Context) (*link, error) {
	d := net.Dialer{Timeout: dialTime}
	nc, err := d.DialContext(ctx, "unix", b.Socket)
	if err != nil {
		return nil, outage(fmt.Errorf("factord-usb can't be reached: %w\n%s", err, b.hint()))
	}
	l := &link{conn: nc.(*net.UnixConn)}
	peer, err := peerOf(l.conn)
	if err == nil && peer.UID != 0 && peer.UID != uint32(os.Geteuid()) && !slices.Contains(b.Servers, peer.UID) {
		err = fmt.Errorf("%s is served by uid %d, which is not factord-usb's", b.Socket, peer.UID)
	}
	if err != nil {
		l.close()
		return nil, outage(err)
	}
	return l, nil
}

func peerOf(nc *net.UnixConn) (peer wire.Peer, err error) {
	raw, err := nc.SyscallConn()
	if err != nil {
		return peer, err
	}
	control := raw.Control(func(fd uintptr) { peer, err = wire.PeerOf(int(fd)) })
	return peer, errors.Join(control, err)
}

// start starts factord-usb with one end of a connection, and with nothing else of
// this process: no file, no terminal, and no environment but what systemd says too.
func start(program, private string) (*link, error) {
	if err := os.Mkdir(private, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, outage(fmt.Errorf("making a directory for factord-usb: %w", err))
	}
	ours, theirs, err := pair()
	if err != nil {
		return nil, outage(err)
	}
	defer theirs.Close()
	// What this process itself has inherited goes no further. Go's own files never do.
	unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC)
	cmd := &exec.Cmd{Path: program, Args: []string{program}, Dir: "/", Env: []string{"RUNTIME_DIRECTORY=" + private}, ExtraFiles: []*os.File{theirs}}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a signal to factord's group is none to a key in use
	if err := cmd.Start(); err != nil {
		ours.Close()
		if errors.Is(err, fs.ErrNotExist) {
			return nil, outage(errNoProgram)
		}
		return nil, outage(fmt.Errorf("starting factord-usb: %w\nhint: ls -l %s", err, program))
	}
	return &link{conn: ours, child: cmd}, nil
}

// pair makes a connection of which the other end is for a child.
func pair() (ours *net.UnixConn, theirs *os.File, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("making a connection: %w", err)
	}
	file := os.NewFile(uintptr(fds[0]), "factord-usb")
	theirs = os.NewFile(uintptr(fds[1]), "factord-usb")
	defer file.Close()
	nc, err := net.FileConn(file)
	if err != nil {
		theirs.Close()
		return nil, nil, fmt.Errorf("making a connection: %w", err)
	}
	return nc.(*net.UnixConn), theirs, nil
}

// hangUp cancels the operation and waits, for letGo at most, until factord-usb has put
// the key at rest and hung up too, which result tells.
func (l *link) hangUp(result chan error) {
	l.conn.CloseWrite()
	select {
	case <-result:
	case <-time.After(letGo):
		l.conn.SetDeadline(time.Unix(1, 0))
		<-result
	}
}

// close ends the connection, and with it a child, which may still swallow what a key has
// begun to type. One that does not end is killed.
func (l *link) close() {
	l.conn.Close()
	if l.child == nil {
		return
	}
	reaped := make(chan struct{})
	go func() { defer close(reaped); l.child.Wait() }()
	go func() {
		select {
		case <-reaped:
		case <-time.After(lingerTime):
			syscall.Kill(-l.child.Process.Pid, syscall.SIGKILL)
		}
	}()
	select {
	case <-reaped:
	case <-time.After(reapTime):
	}
}
