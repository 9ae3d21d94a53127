package hid

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	fidoDescriptor     = "06d0f10901a1010920150026ff007508954081020921150026ff00750895409102c0"
	keyboardDescriptor = "05010906a101050719e029e71500250175019508810295017508810195057501050819012905910295017503910195067508150025650507190029658100c0"
)

// tree is a fake of /sys and /dev. Its device files are pseudo-terminals.
type tree struct {
	t        testing.TB
	sys, dev string
	kernel   *fakeKernel
}

func newTree(t testing.TB) *tree {
	tr := &tree{t: t, sys: t.TempDir(), dev: t.TempDir(), kernel: &fakeKernel{id0: inputID{Bus: busUSB, Vendor: 0x1050, Product: 0x0407}}}
	tr.mkdir(filepath.Join(tr.sys, "bus/usb/devices/usb1"))
	return tr
}

func (tr *tree) hidraw() Hidraw { return Hidraw{Sys: tr.sys, Dev: tr.dev, kernel: tr.kernel} }

func (tr *tree) mkdir(dir string) {
	tr.t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		tr.t.Fatal(err)
	}
}

func (tr *tree) write(dir string, files map[string]string) {
	tr.t.Helper()
	tr.mkdir(dir)
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			tr.t.Fatal(err)
		}
	}
}

// device plugs in a device without interfaces.
func (tr *tree) device(port, vendor, product string) string {
	dir := filepath.Join(tr.sys, "bus/usb/devices", port)
	tr.write(dir, map[string]string{
		"idVendor": vendor + "\n", "idProduct": product + "\n", "bcdDevice": "0543\n", "product": "YubiKey OTP+FIDO+CCID\n",
	})
	return dir
}

// inter adds an interface, and returns the directory of its HID device.
func (tr *tree) inter(port string, number int, class, subclass, protocol byte, descriptor string) string {
	tr.t.Helper()
	dir := filepath.Join(tr.sys, "bus/usb/devices", port, fmt.Sprintf("%s:1.%d", port, number))
	tr.write(dir, map[string]string{
		"bInterfaceNumber": fmt.Sprintf("%02x\n", number), "bInterfaceClass": fmt.Sprintf("%02x\n", class),
		"bInterfaceSubClass": fmt.Sprintf("%02x\n", subclass), "bInterfaceProtocol": fmt.Sprintf("%02x\n", protocol),
	})
	if descriptor == "" {
		return ""
	}
	b, err := hex.DecodeString(descriptor)
	if err != nil {
		tr.t.Fatal(err)
	}
	child := filepath.Join(dir, "0003:1050:0407.0001")
	tr.write(child, map[string]string{"report_descriptor": string(b)})
	if err := os.Symlink("/sys/bus/usb/drivers/usbhid", filepath.Join(dir, "driver")); err != nil {
		tr.t.Fatal(err)
	}
	return child
}

// node gives a HID device a device file, and returns the device's end of it.
func (tr *tree) node(child string, path ...string) *os.File {
	tr.t.Helper()
	master, slave := newPTY(tr.t)
	var stat unix.Stat_t
	if err := unix.Stat(slave, &stat); err != nil {
		tr.t.Fatal(err)
	}
	name := path[len(path)-1]
	dev := fmt.Sprintf("%d:%d\n", unix.Major(stat.Rdev), unix.Minor(stat.Rdev))
	tr.write(filepath.Join(append([]string{child}, path...)...), map[string]string{"dev": dev})
	dir := tr.dev
	if path[0] == "input" {
		dir = filepath.Join(dir, "input")
		tr.mkdir(dir)
	}
	if err := os.Symlink(slave, filepath.Join(dir, name)); err != nil {
		tr.t.Fatal(err)
	}
	return master
}

// yubikey plugs in a YubiKey with all its interfaces and device files.
func (tr *tree) yubikey(port string) (keyboard, otp, fido *os.File) {
	tr.device(port, "1050", "0407")
	child := tr.inter(port, 0, 3, 1, 1, keyboardDescriptor)
	otp = tr.node(child, "hidraw", "hidraw0")
	keyboard = tr.node(child, "input", "input5", "event3")
	child = tr.inter(port, 1, 3, 0, 0, fidoDescriptor)
	fido = tr.node(child, "hidraw", "hidraw1")
	tr.inter(port, 2, 0x0b, 0, 0, "")
	return keyboard, otp, fido
}

// newPTY makes a pseudo-terminal that changes nothing of what goes through it.
func newPTY(t testing.TB) (master *os.File, slave string) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	if err := unix.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	raw := unix.Termios{Cflag: unix.CS8 | unix.CREAD}
	raw.Cc[unix.VMIN] = 1
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &raw); err != nil {
		t.Fatal(err)
	}
	return master, fmt.Sprintf("/dev/pts/%d", n)
}

// fakeKernel does what a pseudo-terminal can't.
type fakeKernel struct {
	mu      sync.Mutex
	id0     inputID
	keys    []bool // whether one is down, look for look; the last stays
	grabbed bool
	grabs   int
	err     error
	feature []byte
	size    int
	hold    chan struct{} // feature reports wait for it
}

func (k *fakeKernel) getFeature(_ int, report []byte) (int, error) {
	if k.hold != nil {
		<-k.hold
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	copy(report[1:], k.feature)
	return len(report) + k.size, k.err
}

func (k *fakeKernel) setFeature(_ int, report []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.feature = append([]byte(nil), report...)
	return len(report) + k.size, k.err
}

func (k *fakeKernel) id(int) (inputID, error) { return k.id0, k.err }

func (k *fakeKernel) held(int) (state [keyStateSize]byte, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.keys) > 0 {
		if k.keys[0] {
			state[5] = 1
		}
		if len(k.keys) > 1 {
			k.keys = k.keys[1:]
		}
	}
	return state, nil
}

func (k *fakeKernel) grab(int) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.grabbed {
		return unix.EBUSY
	}
	k.grabbed = true
	k.grabs++
	return nil
}

func (k *fakeKernel) release(int) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.grabbed = false
	return nil
}
