package hid

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

const (
	yubico = 0x1050 // the USB vendor id

	// attributeLimit bounds a file of sysfs. A report descriptor has at most this.
	attributeLimit = 4096
	// nameLimit bounds what a key says of itself, in bytes.
	nameLimit = 128
)

// portName is the kernel's name of a USB device that is no root hub:
// Documentation/ABI/testing/sysfs-bus-usb.
var portName = regexp.MustCompile(`^[0-9]{1,4}-[0-9]{1,4}(\.[0-9]{1,4}){0,6}$`)

// sysfs is where the kernel shows its devices.
type sysfs string

// device is a key as sysfs has it.
type device struct {
	Key
	keyboard, fido *usbInterface // nil: it has none
}

// usbInterface is an interface of a USB device.
type usbInterface struct {
	dir    string
	number byte
	class  [3]byte // class, subclass, protocol
}

// The interface classes: those of HID 1.11 section 4.2, and of CCID 1.1 section 4.2.
var (
	classKeyboard = [3]byte{3, 1, 1} // a boot keyboard
	classPlainHID = [3]byte{3, 0, 0}
)

const (
	classHID  = 3
	classCCID = 0x0b
)

// keys returns the keys. A device that goes away meanwhile is not there.
func (s sysfs) keys(ctx context.Context) ([]device, error) {
	entries, err := os.ReadDir(s.usb())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a kernel without USB
	}
	if err != nil {
		return nil, fmt.Errorf("looking for keys: %w", fault(err))
	}
	var found []device
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !portName.MatchString(e.Name()) {
			continue
		}
		d, err := s.key(e.Name())
		if errors.Is(err, ErrGone) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found = append(found, d)
	}
	return found, nil
}

func (s sysfs) usb() string { return filepath.Join(string(s), "bus/usb/devices") }

// key returns the key at a port.
func (s sysfs) key(port string) (device, error) {
	if !portName.MatchString(port) {
		return device{}, fmt.Errorf("%q is no USB port", port)
	}
	d := device{Key: Key{Port: port}}
	if err := d.read(filepath.Join(s.usb(), port)); err != nil {
		return device{}, err
	}
	if !d.OTP && !d.FIDO && !(d.Vendor == yubico && d.SmartCard) {
		return device{}, ErrGone
	}
	return d, nil
}

func (d *device) read(dir string) error {
	for name, to := range map[string]*uint16{"idVendor": &d.Vendor, "idProduct": &d.Product, "bcdDevice": &d.Release} {
		n, err := hexAttribute(dir, name, 16)
		if err != nil {
			return err
		}
		*to = uint16(n)
	}
	// Not every key has these.
	d.Name = text(dir, "product")
	d.Serial = text(dir, "serial")
	return d.findInterfaces(dir)
}

func (d *device) findInterfaces(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fault(err)
	}
	for _, e := range entries {
		// Such as 1-1:1.0, the port with configuration and interface.
		if !strings.HasPrefix(e.Name(), d.Port+":") {
			continue
		}
		i, err := readInterface(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		switch {
		case d.Vendor == yubico && i.class == classKeyboard && d.keyboard == nil:
			d.keyboard, d.OTP = &i, true
		case i.class[0] == classHID && d.fido == nil && i.isFIDO(d.Vendor):
			d.fido, d.FIDO = &i, true
		case i.class[0] == classCCID:
			d.SmartCard = true
		}
	}
	return nil
}

func readInterface(dir string) (usbInterface, error) {
	i := usbInterface{dir: dir}
	for name, to := range map[string]*byte{
		"bInterfaceNumber": &i.number, "bInterfaceClass": &i.class[0],
		"bInterfaceSubClass": &i.class[1], "bInterfaceProtocol": &i.class[2],
	} {
		n, err := hexAttribute(dir, name, 8)
		if err != nil {
			return usbInterface{}, err
		}
		*to = byte(n)
	}
	return i, nil
}

// isFIDO looks at the report descriptor. Without a driver there is none to see: then
// Yubico's keys are known by their class.
func (i *usbInterface) isFIDO(vendor uint16) bool {
	bound, err := i.child()
	if err != nil {
		return vendor == yubico && i.class == classPlainHID
	}
	descriptor, err := attribute(bound, "report_descriptor")
	return err == nil && isFIDO(descriptor)
}

// child is the directory of the HID device that the driver has made of the interface.
func (i *usbInterface) child() (string, error) {
	const usbBus = "0003:"
	return entry(i.dir, usbBus)
}

// errNoNode: the driver has made no device file of the interface, or not yet.
var errNoNode = errors.New("there is no device file")

// node returns the name of the device file below a directory of the HID device, such
// as "hidraw0" below "hidraw", and its device number as sysfs writes it.
func (i *usbInterface) node(below ...string) (name, number string, err error) {
	dir, err := i.child()
	for k := 0; err == nil && k < len(below); k++ {
		dir, err = entry(dir, below[k])
	}
	if err != nil {
		return "", "", errNoNode
	}
	b, err := attribute(dir, "dev")
	if err != nil {
		return "", "", errNoNode
	}
	return filepath.Base(dir), strings.TrimSpace(string(b)), nil
}

// hidraw and event are nodes; see node.
func (i *usbInterface) hidraw() (name, number string, err error) { return i.node("hidraw", "hidraw") }
func (i *usbInterface) event() (name, number string, err error) {
	return i.node("input", "input", "event")
}

// driver is the name of what drives the interface, "" if nothing does.
func (i *usbInterface) driver() string {
	to, err := os.Readlink(filepath.Join(i.dir, "driver"))
	if err != nil {
		return ""
	}
	return filepath.Base(to)
}

// entry is the first thing in a directory whose name begins so.
func entry(dir, prefix string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			return filepath.Join(dir, e.Name()), nil
		}
	}
	return "", fs.ErrNotExist
}

func attribute(dir, name string) ([]byte, error) {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, attributeLimit))
}

func hexAttribute(dir, name string, bits int) (uint64, error) {
	return number(dir, name, 16, bits)
}

func decimalAttribute(dir, name string) (uint64, error) { return number(dir, name, 10, 16) }

func number(dir, name string, base, bits int) (uint64, error) {
	b, err := attribute(dir, name)
	if err != nil {
		return 0, fault(err)
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(b)), base, bits)
	if err != nil {
		return 0, fmt.Errorf("reading %s: %q is no number", name, b)
	}
	return n, nil
}

// text is a string of a key: its own word, so only what can be shown.
func text(dir, name string) string {
	b, err := attribute(dir, name)
	if err != nil {
		return ""
	}
	shown := strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, string(b[:min(len(b), nameLimit)]))
	return strings.TrimSpace(shown)
}
