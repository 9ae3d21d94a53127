package operation

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/factord/factord/usb/hid"
)

// lock keeps other processes of factord-usb off a key, all its interfaces: a key that is
// asked for an OTP and an assertion at once answers neither. The lock is on the key's
// usbfs node, so it ends with the process and with the key. One that is taken is
// hid.ErrBusy. A key without such a node is not locked.
func (m Machine) lock(port string) (unlock func(), err error) {
	node, err := m.usbNode(port)
	if errors.Is(err, fs.ErrNotExist) {
		return func() {}, nil
	}
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(node, os.O_RDONLY|syscall.O_CLOEXEC|syscall.O_NOCTTY|syscall.O_NOFOLLOW, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return func() {}, nil
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w: %w", hid.ErrAccess, err)
	case err != nil:
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = fmt.Errorf("%w: factord itself, in another login", hid.ErrBusy)
		}
		return nil, err
	}
	return func() { f.Close() }, nil
}

// usbNode is the usbfs node of the device that the kernel calls port.
func (m Machine) usbNode(port string) (string, error) {
	if port == "" || strings.Trim(port, "0123456789.-") != "" || strings.HasPrefix(port, ".") {
		return "", fs.ErrNotExist
	}
	var numbers [2]int
	for i, name := range []string{"busnum", "devnum"} {
		text, err := os.ReadFile(filepath.Join(cmp.Or(m.Sys, "/sys"), "bus/usb/devices", port, name))
		if err != nil {
			return "", err
		}
		if numbers[i], err = strconv.Atoi(strings.TrimSpace(string(text))); err != nil {
			return "", fmt.Errorf("%s of %s: %w", name, port, err)
		}
	}
	return filepath.Join(cmp.Or(m.Dev, "/dev"), fmt.Sprintf("bus/usb/%03d/%03d", numbers[0], numbers[1])), nil
}
