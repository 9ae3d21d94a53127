package hid

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// retry is the pause between two tries of what another program may end.
const retry = 20 * time.Millisecond

// node is an open device file.
type node struct {
	file *os.File
	// pending is closed when a call that was left behind has ended; nil if none was.
	pending <-chan struct{}
}

// openNode opens a character device. A number that isn't empty is the one that the
// file must have: names are given away anew when keys come and go.
func openNode(path string, flag int, number string) (*node, error) {
	file, err := os.OpenFile(path, flag|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, fault(err)
	}
	n := &node{file: file}
	if err := n.check(number); err != nil {
		file.Close()
		return nil, err
	}
	return n, nil
}

func (n *node) check(number string) error {
	var stat unix.Stat_t
	if err := n.control(func(fd int) error { return unix.Fstat(fd, &stat) }); err != nil {
		return err
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFCHR {
		return errors.New("it is no character device")
	}
	is := fmt.Sprintf("%d:%d", unix.Major(stat.Rdev), unix.Minor(stat.Rdev))
	if number != "" && is != number {
		return fmt.Errorf("the device file is %s, not %s: %w", is, number, ErrGone)
	}
	return nil
}

// control calls with the file's descriptor.
func (n *node) control(call func(fd int) error) error {
	raw, err := n.file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = call(int(fd)) }); err != nil {
		return err
	}
	return fault(failed)
}

// lock waits until no other program has locked the device file, as libfido2 does.
func (n *node) lock(ctx context.Context) error {
	for {
		err := n.control(func(fd int) error { return unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) })
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return err
		}
		if err := pause(ctx, retry); err != nil {
			return fmt.Errorf("%w: %w", ErrBusy, err)
		}
	}
}

// read reads once.
func (n *node) read(ctx context.Context, buf []byte) (int, error) {
	stop := context.AfterFunc(ctx, func() { n.file.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	for {
		// In this order: an end before the deadline is taken away is seen here, one
		// after it sets it again. A read may also find that of the read before it.
		if err := n.file.SetReadDeadline(time.Time{}); err != nil {
			return 0, fault(err)
		}
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		got, err := n.file.Read(buf)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return got, fault(err)
		}
	}
}

// within makes a call that the kernel may hold for seconds, as it does when a key has
// stopped to answer. When the context ends the call is left behind; the next one waits
// for it.
func within[T any](ctx context.Context, n *node, call func() (T, error)) (result T, err error) {
	if err := ctx.Err(); err != nil {
		return result, err
	}
	if n.pending != nil {
		select {
		case <-n.pending:
			n.pending = nil
		case <-ctx.Done():
			return result, ctx.Err()
		}
	}
	type answer struct {
		result T
		err    error
	}
	answers, ended := make(chan answer, 1), make(chan struct{})
	go func() {
		defer close(ended)
		result, err := call()
		answers <- answer{result, err}
	}()
	select {
	case a := <-answers:
		return a.result, a.err
	case <-ctx.Done():
		n.pending = ended
		return result, ctx.Err()
	}
}

// Close closes the file, after a call that was left behind, and does not wait for it.
func (n *node) Close() error {
	if n.pending == nil {
		return n.file.Close()
	}
	go func() {
		<-n.pending
		n.file.Close()
	}()
	return nil
}

// fault says what an error of the kernel means for the key.
func fault(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w", ErrAccess, err)
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("%w: %w", ErrBusy, err)
	case errors.Is(err, io.EOF):
		return ErrGone
	}
	for _, gone := range []error{fs.ErrNotExist, unix.ENODEV, unix.ENXIO, unix.EIO, unix.ESHUTDOWN} {
		if errors.Is(err, gone) {
			return fmt.Errorf("%w: %w", ErrGone, err)
		}
	}
	return err
}

// pause waits, or until the context ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return ctx.Err()
	}
}
