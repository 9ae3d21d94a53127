package fido

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// TTY is a key that is plugged into a pseudo-terminal, which programs that take the
// path of a device can't tell from a hidraw node: they write 65 bytes, the report id
// and a frame, and read 64.
type TTY struct {
	*Port
	path   string
	master *os.File
	slave  *os.File // held, so that the master doesn't hang up between programs
	closed sync.Once
	done   chan struct{}
}

// OpenTTY plugs a key into a new pseudo-terminal, until Close.
func OpenTTY(k *Key) (*TTY, error) {
	t := &TTY{done: make(chan struct{})}
	if err := t.open(); err != nil {
		return nil, errors.Join(err, t.shut())
	}
	t.Port = k.Plug(func(f Frame) {
		// Nobody reads any more if it fails, which is nothing to a key.
		_, _ = t.master.Write(f[:])
	})
	go t.serve()
	go func() {
		<-t.Gone()
		t.Close()
	}()
	return t, nil
}

// Path is the device to give to a program.
func (t *TTY) Path() string { return t.path }

// Close pulls the key out.
func (t *TTY) Close() {
	t.Unplug()
	t.closed.Do(func() { t.shut() })
	<-t.done
}

func (t *TTY) shut() error {
	var err error
	for _, f := range []*os.File{t.slave, t.master} {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	return err
}

func (t *TTY) open() (err error) {
	if t.master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		return fmt.Errorf("opening a pseudo-terminal: %w", err)
	}
	var number int
	err = control(t.master, func(fd int) error {
		if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
			return err
		}
		number, err = unix.IoctlGetInt(fd, unix.TIOCGPTN)
		return err
	})
	if err != nil {
		return fmt.Errorf("unlocking a pseudo-terminal: %w", err)
	}
	t.path = fmt.Sprintf("/dev/pts/%d", number)
	if t.slave, err = os.OpenFile(t.path, os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		return fmt.Errorf("opening a pseudo-terminal: %w", err)
	}
	if err := control(t.slave, raw); err != nil {
		return fmt.Errorf("making a pseudo-terminal raw: %w", err)
	}
	return nil
}

// raw lets every byte through, and reads end with a whole frame.
func raw(fd int) error {
	a, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	a.Iflag, a.Oflag, a.Lflag = 0, 0, 0
	a.Cflag = a.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	a.Cc[unix.VMIN], a.Cc[unix.VTIME] = FrameSize, 0
	return unix.IoctlSetTermios(fd, unix.TCSETS, a)
}

// control leaves the file non-blocking, which Fd would not: a close then ends a read.
func control(f *os.File, do func(fd int) error) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	err2 := c.Control(func(fd uintptr) { err = do(int(fd)) })
	return errors.Join(err, err2)
}

func (t *TTY) serve() {
	defer close(t.done)
	var report [1 + FrameSize]byte
	for {
		if _, err := io.ReadFull(t.master, report[:]); err != nil {
			return
		}
		t.Handle(Frame(report[1:]))
	}
}
