package hid

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// settle is how long a key that has just been plugged in may lack its device files, or
// the right to open them that udev gives.
const settle = time.Second

// Hidraw is the way to the keys through Linux's device files. Its zero value is ready.
type Hidraw struct {
	// Sys and Dev are where sysfs and the device files are: "" is /sys and /dev.
	Sys, Dev string

	kernel kernel // nil is the real one
}

var _ Backend = Hidraw{}

// Keys implements Backend.
func (h Hidraw) Keys(ctx context.Context) ([]Key, error) {
	devices, err := h.sysfs().keys(ctx)
	if err != nil {
		return nil, err
	}
	keys := make([]Key, len(devices))
	for i, d := range devices {
		keys[i] = d.Key
	}
	return keys, nil
}

// Features implements Backend.
func (h Hidraw) Features(ctx context.Context, port string) (Features, error) {
	n, _, err := h.open(ctx, port, otpNode)
	if err != nil {
		return nil, fmt.Errorf("opening the OTP interface of %s: %w", port, err)
	}
	if err := n.lock(ctx); err != nil {
		n.Close()
		return nil, fmt.Errorf("locking the OTP interface of %s: %w", port, err)
	}
	return &features{node: n, kernel: h.calls()}, nil
}

// Frames implements Backend.
func (h Hidraw) Frames(ctx context.Context, port string) (Frames, error) {
	n, _, err := h.open(ctx, port, fidoNode)
	if err != nil {
		return nil, fmt.Errorf("opening the FIDO interface of %s: %w", port, err)
	}
	return newFrames(ctx, n, port)
}

// Keyboard implements Backend.
func (h Hidraw) Keyboard(ctx context.Context, port string) (Keyboard, error) {
	n, d, err := h.open(ctx, port, eventNode)
	if err != nil {
		return nil, fmt.Errorf("opening the keyboard of %s: %w", port, err)
	}
	k := &evdev{node: n, kernel: h.calls()}
	if err := k.take(ctx, d.Key); err != nil {
		n.Close()
		return nil, fmt.Errorf("taking the keyboard of %s: %w", port, err)
	}
	return k, nil
}

// place is where an interface's device file is, and how it is opened.
type place struct {
	of   func(device) *usbInterface
	node func(*usbInterface) (name, number string, err error)
	dir  string // below Dev
	flag int
}

var (
	otpNode   = place{of: device.keyboardOf, node: (*usbInterface).hidraw, flag: os.O_RDWR}
	fidoNode  = place{of: device.fidoOf, node: (*usbInterface).hidraw, flag: os.O_RDWR}
	eventNode = place{of: device.keyboardOf, node: (*usbInterface).event, dir: "input", flag: os.O_RDONLY}
)

func (d device) keyboardOf() *usbInterface { return d.keyboard }
func (d device) fidoOf() *usbInterface     { return d.fido }

// open opens a device file of a key, which may need a moment to appear.
func (h Hidraw) open(ctx context.Context, port string, p place) (*node, device, error) {
	for began := time.Now(); ; {
		n, d, err := h.openOnce(port, p)
		unready := errors.Is(err, errNoNode) || errors.Is(err, ErrAccess)
		if !unready || time.Since(began) > settle {
			return n, d, d.explain(p, err)
		}
		if err := pause(ctx, retry); err != nil {
			return nil, d, err
		}
	}
}

func (h Hidraw) openOnce(port string, p place) (*node, device, error) {
	d, err := h.sysfs().key(port)
	if err != nil {
		return nil, d, err
	}
	i := p.of(d)
	if i == nil {
		return nil, d, ErrNone
	}
	name, number, err := p.node(i)
	if err != nil {
		return nil, d, err
	}
	path := filepath.Join(h.dev(), p.dir, name)
	n, err := openNode(path, p.flag, number)
	if errors.Is(err, fs.ErrNotExist) { // the kernel has named it, and makes it next
		err = fmt.Errorf("%w: %s", errNoNode, path)
	}
	return n, d, err
}

// explain says why there is no device file.
func (d device) explain(p place, err error) error {
	if !errors.Is(err, errNoNode) {
		return err
	}
	switch driver := p.of(d).driver(); driver {
	case "":
		return fmt.Errorf("%w: %w", ErrDriver, err)
	case "usbfs":
		return fmt.Errorf("%w: %w", ErrBusy, err)
	default:
		return fmt.Errorf("%w: the driver is %q", err, driver)
	}
}

func (h Hidraw) sysfs() sysfs { return sysfs(orElse(h.Sys, "/sys")) }
func (h Hidraw) dev() string  { return orElse(h.Dev, "/dev") }

func (h Hidraw) calls() kernel {
	if h.kernel == nil {
		return linux{}
	}
	return h.kernel
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
