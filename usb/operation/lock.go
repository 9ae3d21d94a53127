package operation

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/factord/factord/usb/hid"
)

// lock keeps other processes of factord-usb off a key, all its interfaces: a key that is
// asked for an OTP and an assertion at once answers neither. The lock is on the file of
// the whole device, so it ends with the process and with the key. One that is taken is
// hid.ErrBusy.
func (m Machine) lock(port string) (unlock func(), err error) {
	if strings.Contains(port, "/") { // a device that a test has named
		return func() {}, nil
	}
	path, err := m.Kernel.DeviceFile(port)
	if errors.Is(err, hid.ErrGone) {
		return func() {}, nil // whoever opens it will see
	}
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_CLOEXEC|syscall.O_NOCTTY|syscall.O_NOFOLLOW, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist): // no usbfs, as in a container: the interfaces have locks too
		return func() {}, nil
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w: %w", hid.ErrAccess, err)
	case err != nil:
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = fmt.Errorf("%w: factord itself, for another login", hid.ErrBusy)
		}
		return nil, err
	}
	return func() { f.Close() }, nil
}
