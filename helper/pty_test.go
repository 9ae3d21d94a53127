package helper

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// pty is a terminal with the test at the keyboard.
type pty struct {
	t      *testing.T
	master *os.File
	slave  *os.File // held open, so that its settings last
	name   string
	before syscall.Termios
	seen   string
}

func newPTY(t *testing.T) *pty {
	t.Helper()
	master := open(t, "/dev/ptmx")
	var unlock, n int32
	for request, arg := range map[uintptr]*int32{syscall.TIOCSPTLCK: &unlock, syscall.TIOCGPTN: &n} {
		raw, err := master.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		err = raw.Control(func(fd uintptr) {
			if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, fd, request, uintptr(unsafe.Pointer(arg))); errno != 0 {
				t.Errorf("ioctl %#x: %v", request, errno)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	p := &pty{t: t, master: master, name: "/dev/pts/" + strconv.Itoa(int(n))}
	fd, err := syscall.Open(p.name, syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	p.slave = os.NewFile(uintptr(fd), p.name)
	t.Cleanup(func() { p.slave.Close() })
	p.before = p.settings()
	return p
}

func (p *pty) settings() syscall.Termios {
	var s syscall.Termios
	if err := ioctlTermios(int(p.slave.Fd()), tcGets, &s); err != nil {
		p.t.Errorf("settings of %s: %v", p.name, err)
	}
	return s
}

// restored fails the test unless the settings are as they were.
func (p *pty) restored() {
	p.t.Helper()
	if now := p.settings(); now != p.before {
		p.t.Errorf("settings are left at %+v, were %+v", now, p.before)
	}
}

func (p *pty) press(keys string) {
	if _, err := p.master.WriteString(keys); err != nil {
		p.t.Errorf("typing: %v", err)
	}
}

// until reads the screen until text is on it.
func (p *pty) until(text string) {
	p.t.Helper()
	_ = p.master.SetReadDeadline(time.Now().Add(10 * time.Second))
	var buf [256]byte
	for !strings.Contains(p.seen, text) {
		n, err := p.master.Read(buf[:])
		p.seen += string(buf[:n])
		if err != nil {
			p.t.Errorf("waiting for %q: %v; seen %q", text, err, p.seen)
			return
		}
	}
}

// screen is all that has been written.
func (p *pty) screen() string {
	_ = p.master.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	var buf [256]byte
	for {
		n, err := p.master.Read(buf[:])
		p.seen += string(buf[:n])
		if err != nil {
			return p.seen
		}
	}
}
