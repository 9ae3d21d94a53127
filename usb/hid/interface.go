package hid

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Interface is a USB interface of a key, for another way to it than the kernel's
// drivers.
type Interface struct {
	// Path is the kernel's name, such as "1-1:1.0", which is libusb's too; "" if the
	// key has no such interface.
	Path   string
	Number byte
	// Driver is what drives it: "usbhid", or "usbfs" if a program has it; "" if
	// nothing does.
	Driver string
}

// Interfaces returns the OTP and the FIDO interface of the key at a port.
func (h Hidraw) Interfaces(port string) (otp, fido Interface, err error) {
	d, err := h.sysfs().key(port)
	if err != nil {
		return otp, fido, err
	}
	return d.keyboard.shown(), d.fido.shown(), nil
}

func (i *usbInterface) shown() Interface {
	if i == nil {
		return Interface{}
	}
	return Interface{Path: filepath.Base(i.dir), Number: i.number, Driver: i.driver()}
}

// DeviceFile is the file of the whole device at a port, which libusb opens.
func (h Hidraw) DeviceFile(port string) (string, error) {
	if _, err := h.sysfs().key(port); err != nil {
		return "", err
	}
	dir := filepath.Join(h.sysfs().usb(), port)
	bus, err := decimalAttribute(dir, "busnum")
	if err != nil {
		return "", err
	}
	device, err := decimalAttribute(dir, "devnum")
	if err != nil {
		return "", err
	}
	return filepath.Join(h.dev(), fmt.Sprintf("bus/usb/%03d/%03d", bus, device)), nil
}

// Repair gives the keyboards of YubiKeys that have no driver back to the kernel. A
// program that has taken one through libusb and was killed leaves it so; the key then
// types nothing until it is plugged in anew. It needs root. A key that lock calls busy is
// left to who uses it.
func (h Hidraw) Repair(ctx context.Context, lock func(port string) (unlock func(), err error)) error {
	devices, err := h.sysfs().keys(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for _, d := range devices {
		for _, i := range []*usbInterface{d.keyboard, d.fido} {
			if d.Vendor == yubico && i != nil && i.number == 0 {
				failed = append(failed, h.repair(d.Port, i, lock))
			}
		}
	}
	return errors.Join(failed...)
}

// repair binds an interface that has no driver, when nobody is about to take it.
func (h Hidraw) repair(port string, i *usbInterface, lock func(string) (func(), error)) error {
	unlock, err := lock(port)
	if errors.Is(err, ErrBusy) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("giving %s back to the kernel: %w", port, err)
	}
	defer unlock()
	if i.driver() != "" {
		return nil
	}
	return h.bind(i)
}

// bind gives an interface to the kernel's driver.
func (h Hidraw) bind(i *usbInterface) error {
	name := filepath.Base(i.dir)
	f, err := os.OpenFile(filepath.Join(string(h.sysfs()), "bus/usb/drivers/usbhid/bind"), os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(name)
		err = errors.Join(err, f.Close())
	}
	// Plugged out meanwhile, or bound by another.
	if _, gone := os.Stat(i.dir); err == nil || gone != nil || i.driver() != "" {
		return nil
	}
	return fmt.Errorf("giving %s back to the kernel: %w", name, fault(err))
}
