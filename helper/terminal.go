package helper

import (
	"bytes"
	"strings"
	"syscall"
)

// Bytes that keys send.
const (
	keyInterrupt = 0x03 // Ctrl-C
	keyEOF       = 0x04 // Ctrl-D
	keyBackspace = 0x08
	keyKill      = 0x15 // Ctrl-U
	keyEscape    = 0x1b
	keyDelete    = 0x7f
)

// terminal is where a person is asked.
type terminal struct {
	fd    int
	own   bool // opened here
	quiet bool // settings are changed
	saved syscall.Termios
}

// newTerminal returns the terminal that fd is, nil if it is none.
func newTerminal(fd int, own bool) *terminal {
	t := &terminal{fd: fd, own: own}
	var st syscall.Stat_t
	if syscall.Fstat(fd, &st) != nil || st.Mode&syscall.S_IFMT != syscall.S_IFCHR ||
		ioctlTermios(fd, tcGets, &t.saved) != nil {
		t.close()
		return nil
	}
	return t
}

// openTerminal opens the device at path, nil if it is no terminal. Opening must
// neither make a file (PAM_TTY is "ssh" under sshd), nor follow a link, nor wait
// for a carrier, nor make the device our controlling terminal.
func openTerminal(path string) *terminal {
	const flags = syscall.O_RDWR | syscall.O_NOCTTY | syscall.O_CLOEXEC | syscall.O_NOFOLLOW | syscall.O_NONBLOCK
	fd, err := syscall.Open(path, flags, 0)
	if err != nil {
		return nil
	}
	return newTerminal(fd, true)
}

// pamTerminal opens what PAM_TTY names: a path below /dev, or the rest of one.
// A terminal that the caller is in the background of is left alone: its keys
// belong to somebody else.
func pamTerminal(name string, parent int) *terminal {
	path, ok := devicePath(name)
	if !ok {
		return nil
	}
	t := openTerminal(path)
	if t != nil && inBackground(parent, t.device()) {
		t.close()
		return nil
	}
	return t
}

func devicePath(name string) (string, bool) {
	if name == "" || strings.Contains(name, "..") {
		return "", false
	}
	if name[0] != '/' {
		name = "/dev/" + name
	}
	return name, strings.HasPrefix(name, "/dev/")
}

// device is the terminal's device number.
func (t *terminal) device() uint64 {
	var st syscall.Stat_t
	if syscall.Fstat(t.fd, &st) != nil {
		return 0
	}
	return uint64(st.Rdev)
}

// hush stops the terminal from echoing, editing and signalling. Ctrl-C then
// comes as a byte: under pam_exec the terminal is not our controlling one, and
// its signal would never reach us. With flush, what was typed ahead, perhaps
// meant for a shell, is dropped.
func (t *terminal) hush(flush bool) {
	raw := t.saved
	raw.Lflag &^= syscall.ECHO | syscall.ECHONL | syscall.ICANON | syscall.ISIG | syscall.IEXTEN
	raw.Cc[syscall.VMIN], raw.Cc[syscall.VTIME] = 0, 0 // a read never blocks
	request := uintptr(tcSets)
	if flush {
		request = tcSetsFlush
	}
	if flush || !t.quiet {
		t.quiet = true
		_ = ioctlTermios(t.fd, request, &raw)
	}
}

// restore gives the terminal its settings back. It does not wait for output,
// which Ctrl-S may have stopped.
func (t *terminal) restore() {
	if t != nil && t.quiet {
		t.quiet = false
		_ = ioctlTermios(t.fd, tcSets, &t.saved)
	}
}

// keys is what to wait for while nothing is asked: keys are then read for
// Ctrl-C only, and not before the person has been told something.
func (t *terminal) keys() pollFd {
	if t == nil || !t.quiet {
		return nothing
	}
	return readable(t.fd)
}

// interrupted reads what was typed and reports whether Ctrl-C is in it, or the
// terminal has gone.
func (t *terminal) interrupted() bool {
	var typed [64]byte
	n, gone := t.read(typed[:])
	defer clear(typed[:])
	return gone || bytes.IndexByte(typed[:n], keyInterrupt) >= 0
}

// read reads what has been typed, without blocking; gone means that nothing
// will come any more.
func (t *terminal) read(p []byte) (n int, gone bool) {
	n, err := syscall.Read(t.fd, p)
	if n > 0 {
		return n, false
	}
	if err != nil {
		return 0, err != syscall.EAGAIN && err != syscall.EINTR
	}
	fds := []pollFd{readable(t.fd)}
	return 0, ppoll(fds, 0) != nil || fds[0].revents&^pollIn != 0
}

func (t *terminal) close() {
	if t == nil {
		return
	}
	t.restore()
	if t.own {
		_ = syscall.Close(t.fd)
	}
}
