package card

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
)

// The controls of vsmartcard's vpcd. A message is a length of two bytes, high byte first,
// and so much data; one byte of data is a control, more is an APDU. Only the ATR and an
// APDU are answered.
const (
	vpcdOff   = 0
	vpcdOn    = 1
	vpcdReset = 2
	vpcdATR   = 4
)

// errPulled is the end of a key that a fault pulled out.
var errPulled = errors.New("the key was pulled out")

// Serve puts the card into the virtual reader at the other end of conn, until ctx ends, a
// fault pulls it out, or the reader goes away. Closing conn is pulling the key out, and
// Serve closes it.
func (c *Card) Serve(ctx context.Context, conn *net.TCPConn) error {
	gone := context.AfterFunc(ctx, func() {
		conn.Close()
		c.PowerOff()
	})
	defer func() {
		gone()
		conn.Close()
		c.PowerOff()
	}()
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	for {
		if err := c.serveMessage(conn, raw); err != nil {
			return fmt.Errorf("serving vpcd: %w", err)
		}
	}
}

func (c *Card) serveMessage(conn io.ReadWriter, raw syscall.RawConn) error {
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return err
	}
	// vpcd sends the length and the data apart, and with Nagle's algorithm: the data
	// wait for the length's acknowledgement.
	raw.Control(func(fd uintptr) { syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1) })
	message := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, message); err != nil {
		return err
	}
	var answer []byte
	switch {
	case len(message) > 1:
		if answer = c.Transmit(message); answer == nil {
			return errPulled
		}
	case len(message) == 0:
		return errors.New("an empty message")
	case message[0] == vpcdATR:
		answer = c.ATR()
	case message[0] == vpcdOff:
		c.PowerOff()
	case message[0] == vpcdOn, message[0] == vpcdReset:
		c.PowerOn()
	default:
		return fmt.Errorf("control %d is not known", message[0])
	}
	if answer == nil {
		return nil
	}
	_, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
	return err
}
