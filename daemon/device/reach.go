package device

import (
	"errors"
	"fmt"
	"os"
)

// DefaultSocket is where factord-usb.socket listens.
const DefaultSocket = "/run/factord/usb.sock"

// Reach is how factord-usb would be reached now, or why it can't be, with a hint. It is
// not asked, so that nothing is started.
func (b *Broker) Reach() (how string, err error) {
	if b.Socket != "" {
		info, err := os.Stat(b.Socket)
		switch {
		case err == nil && info.Mode().Type() == os.ModeSocket:
			return b.Socket, nil
		case err == nil:
			return "", fmt.Errorf("%s is no socket", b.Socket)
		case b.Program == "":
			return "", fmt.Errorf("%w\n%s", err, b.hint())
		}
	}
	if b.Program == "" {
		return "", errNoProgram
	}
	if info, err := os.Stat(b.Program); err != nil || !info.Mode().IsRegular() {
		return "", errNoProgram
	}
	return b.Program, nil
}

var errNoProgram = errors.New("there is no factord-usb here\nhint: install the package factord-usb, which comes with factord's; without packages it lies beside factord, where \"make install\" puts it")

// hint is what to do if nobody listens at the socket.
func (b *Broker) hint() string {
	if b.Socket == DefaultSocket {
		return "hint: systemctl enable --now factord-usb.socket"
	}
	return fmt.Sprintf("hint: factord was told to look there with --usb-socket; factord-usb.socket listens at %s", DefaultSocket)
}
