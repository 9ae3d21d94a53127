package dialog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/factord/factord/daemon/wire"
)

// Terminal is where a person is asked.
type Terminal struct {
	file *os.File
	own  bool // opened here
	in   lines
}

// openTerminal returns the controlling terminal, else otherwise, which may be
// nil.
func openTerminal(otherwise *os.File) *Terminal {
	f, err := os.OpenFile("/dev/tty", os.O_RDWR|unix.O_NOCTTY, 0)
	if err == nil {
		return &Terminal{file: f, own: true, in: lines{fd: int(f.Fd())}}
	}
	if otherwise == nil {
		return nil
	}
	return &Terminal{file: otherwise, in: lines{fd: int(otherwise.Fd())}}
}

func (t *Terminal) close() {
	if t == nil {
		return
	}
	t.in.wipe()
	if t.own {
		t.file.Close()
	}
}

// Columns is how many characters fit into a line of the terminal f, 0 if it is
// none.
func Columns(f *os.File) int {
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// Ask puts a question whose answer may be seen, until ctx ends.
func (t *Terminal) Ask(ctx context.Context, text string) ([]byte, error) {
	return t.ask(ctx, true, text)
}

// errCancelled is Ctrl-D at a question.
var errCancelled = errors.New("cancelled")

func (t *Terminal) ask(ctx context.Context, echo bool, text string) ([]byte, error) {
	if !echo {
		restore, err := t.hush()
		if err != nil {
			return nil, err
		}
		defer restore()
	}
	fmt.Fprint(t.file, text)
	answer, err := t.in.read(ctx, wire.MaxAnswer)
	if !echo || err != nil {
		fmt.Fprintln(t.file)
	}
	if err == io.EOF {
		err = errCancelled
	}
	return answer, err
}

// hush turns the echo off. Lines are still edited by the terminal, and Ctrl-C
// still signals: whoever catches the signal ends the context of the question,
// and with it the silence.
func (t *Terminal) hush() (restore func(), err error) {
	fd := int(t.file.Fd())
	saved, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, os.NewSyscallError("tcgetattr", err)
	}
	quiet := *saved
	quiet.Lflag &^= unix.ECHO
	quiet.Lflag |= unix.ICANON | unix.ISIG
	quiet.Iflag |= unix.ICRNL
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &quiet); err != nil {
		return nil, os.NewSyscallError("tcsetattr", err)
	}
	return func() { _ = unix.IoctlSetTermios(fd, unix.TCSETS, saved) }, nil
}
