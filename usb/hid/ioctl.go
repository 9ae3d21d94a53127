package hid

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Requests of linux/hidraw.h and linux/input.h that x/sys has not, as most processors
// number them.
const (
	hidiocsfeature = 0xc0004806 // with the size of the buffer in its middle
	hidiocgfeature = 0xc0004807
	eviocgid       = 0x80084502
	eviocgkey      = 0x80604518
	eviocgrab      = 0x40044590

	// keyStateSize is a bit for each key code up to KEY_MAX, in bytes.
	keyStateSize = (0x2ff + 1) / 8
)

// inputID is struct input_id.
type inputID struct {
	Bus, Vendor, Product, Version uint16
}

// kernel is what only a device of the kernel can do.
type kernel interface {
	// getFeature and setFeature move a report with its report id, and say how many
	// bytes it has.
	getFeature(fd int, report []byte) (int, error)
	setFeature(fd int, report []byte) (int, error)
	// id says which device an event node is of.
	id(fd int) (inputID, error)
	// held has a bit for each key that is down. It takes key events out of the queue.
	held(fd int) ([keyStateSize]byte, error)
	// grab takes an event device from all others.
	grab(fd int) error
	// release gives it back.
	release(fd int) error
}

// linux is the kernel.
type linux struct{}

func (linux) getFeature(fd int, report []byte) (int, error) {
	return ioctl(fd, hidiocgfeature|uintptr(len(report))<<16, unsafe.Pointer(&report[0]))
}

func (linux) setFeature(fd int, report []byte) (int, error) {
	return ioctl(fd, hidiocsfeature|uintptr(len(report))<<16, unsafe.Pointer(&report[0]))
}

func (linux) id(fd int) (id inputID, err error) {
	_, err = ioctl(fd, eviocgid, unsafe.Pointer(&id))
	return id, err
}

func (linux) held(fd int) (state [keyStateSize]byte, err error) {
	_, err = ioctl(fd, eviocgkey, unsafe.Pointer(&state))
	return state, err
}

func (linux) grab(fd int) error { return unix.IoctlSetInt(fd, eviocgrab, 1) }

func (linux) release(fd int) error { return unix.IoctlSetInt(fd, eviocgrab, 0) }

func ioctl(fd int, request uintptr, argument unsafe.Pointer) (int, error) {
	n, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(argument))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
