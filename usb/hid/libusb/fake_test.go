package libusb

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	karalabe "github.com/karalabe/hid"

	"github.com/factord/factord/usb/hid"
)

// errLibrary is all that the library ever says.
var errLibrary = errors.New("hidapi: hid_error is not implemented yet")

// fakeLibrary is libusb with the device that is plugged in.
type fakeLibrary struct {
	blind  bool
	device *fakeDevice
	opened []string
	hold   chan struct{} // Open waits for it
}

func (l *fakeLibrary) Enumerate() ([]karalabe.DeviceInfo, error) {
	if l.blind {
		return nil, nil
	}
	return make([]karalabe.DeviceInfo, 1), nil
}

func (l *fakeLibrary) Open(path string) (karalabe.Device, error) {
	if l.hold != nil {
		<-l.hold
	}
	l.opened = append(l.opened, path)
	if l.device == nil {
		return nil, errors.New("hidapi: failed to open device")
	}
	return l.device, nil
}

// fakeDevice fails the test when calls overlap, or come after Close.
type fakeDevice struct {
	karalabe.Device
	t testing.TB

	reports chan []byte // a nil one is a failure
	feature []byte
	hold    chan struct{} // feature reports wait for it
	closed  chan struct{}
	mu      sync.Mutex
	wrote   [][]byte
}

func newDevice(t testing.TB) *fakeDevice {
	return &fakeDevice{t: t, reports: make(chan []byte, 4096), closed: make(chan struct{})}
}

// enter is called at the beginning of a call, and what it returns at the end.
func (d *fakeDevice) enter() (leave func()) {
	if !d.mu.TryLock() {
		d.t.Error("two calls at once")
		d.mu.Lock()
	}
	select {
	case <-d.closed:
		d.t.Error("a call after Close")
	default:
	}
	return d.mu.Unlock
}

func (d *fakeDevice) Close() error {
	defer d.enter()()
	close(d.closed)
	return nil
}

func (d *fakeDevice) ReadTimeout(b []byte, timeout int) (int, error) {
	defer d.enter()()
	if timeout <= 0 || timeout > 100 {
		d.t.Errorf("a read of %d ms", timeout)
	}
	select {
	case r := <-d.reports:
		if r == nil {
			return 0, errLibrary
		}
		return copy(b, r), nil
	case <-time.After(time.Duration(timeout) * time.Millisecond):
		return 0, nil
	}
}

func (d *fakeDevice) Write(b []byte) (int, error) {
	defer d.enter()()
	d.wrote = append(d.wrote, append([]byte(nil), b...))
	return len(b), nil
}

func (d *fakeDevice) GetFeatureReport(b []byte) (int, error) {
	defer d.enter()()
	if d.hold != nil {
		<-d.hold
	}
	if d.feature == nil {
		return 0, errLibrary
	}
	return 1 + copy(b[1:], d.feature), nil
}

func (d *fakeDevice) SendFeatureReport(b []byte) (int, error) {
	defer d.enter()()
	d.feature = append([]byte(nil), b[1:]...)
	return len(b), nil
}

// newBackend is one with a YubiKey at 1-1 that has these interfaces, in this order.
func newBackend(t testing.TB, interfaces ...string) (b Backend, l *fakeLibrary) {
	t.Helper()
	sys, dev := t.TempDir(), t.TempDir()
	dir := filepath.Join(sys, "bus/usb/devices/1-1")
	files(t, dir, map[string]string{"idVendor": "1050", "idProduct": "0407", "bcdDevice": "0543", "busnum": "1", "devnum": "42"})
	files(t, filepath.Join(sys, "bus/usb/drivers/usbhid"), map[string]string{"bind": ""})
	files(t, filepath.Join(dev, "bus/usb/001"), map[string]string{"042": ""})
	for i, kind := range interfaces {
		class := map[string][3]string{"otp": {"03", "01", "01"}, "fido": {"03", "00", "00"}, "ccid": {"0b", "00", "00"}}[kind]
		files(t, filepath.Join(dir, fmt.Sprintf("1-1:1.%d", i)), map[string]string{
			"bInterfaceNumber": fmt.Sprintf("%02x", i), "bInterfaceClass": class[0],
			"bInterfaceSubClass": class[1], "bInterfaceProtocol": class[2],
		})
	}
	l = &fakeLibrary{device: newDevice(t)}
	return Backend{Kernel: hid.Hidraw{Sys: sys, Dev: dev}, library: l}, l
}

func files(t testing.TB, dir string, content map[string]string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range content {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// driver sets what drives an interface.
func driver(t testing.TB, b Backend, number int, name string) {
	t.Helper()
	link := filepath.Join(b.Kernel.Sys, fmt.Sprintf("bus/usb/devices/1-1/1-1:1.%d/driver", number))
	if err := os.Symlink("/sys/bus/usb/drivers/"+name, link); err != nil {
		t.Fatal(err)
	}
}

// unplug takes the key away.
func unplug(t testing.TB, b Backend) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(b.Kernel.Sys, "bus/usb/devices/1-1")); err != nil {
		t.Fatal(err)
	}
}
