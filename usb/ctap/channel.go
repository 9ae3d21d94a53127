package ctap

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/factord/factord/usb/hid"
)

// Commands of CTAPHID (11.2.9).
const (
	cmdMsg       = 0x03
	cmdInit      = 0x06
	cmdCBOR      = 0x10
	cmdCancel    = 0x11
	cmdKeepalive = 0x3b
	cmdError     = 0x3f
)

// What INIT says that a key can do.
const (
	capCBOR  = 0x04
	capNoMsg = 0x08
)

const (
	broadcast = 0xffffffff
	nonceSize = 8
	initReply = nonceSize + 4 + 1 + 3 + 1 // and it may grow

	hidBusy      = 0x06 // an ERROR
	userNeeded   = 0x02 // a KEEPALIVE
	maxForeign   = 1 << 16
	answerWithin = 3 * time.Second        // the next packet, or KEEPALIVE, comes
	cancelWithin = 100 * time.Millisecond // a key confirms that it has stopped
	busyPause    = 100 * time.Millisecond
)

var (
	// ErrBusy: another program uses the key.
	ErrBusy = errors.New("the key is busy with another program")
	// ErrSilent: the key says nothing.
	ErrSilent = errors.New("the key does not answer")
)

// channel is a conversation with a key, beside those of other programs.
type channel struct {
	frames hid.Frames
	touch  func()
	cid    uint32
	caps   byte
	begun  bool // the key is at work on our request: there was a KEEPALIVE
}

func (c *channel) knowsCBOR() bool { return c.caps&capCBOR != 0 }
func (c *channel) knowsMsg() bool  { return c.caps&capNoMsg == 0 }

// init asks for a channel. Other programs ask at the same time, and the nonce says
// whose answer it is (11.2.9.1.3).
func (c *channel) init(ctx context.Context) error {
	c.cid = broadcast
	return c.whileBusy(ctx, func() error {
		var nonce [nonceSize]byte
		rand.Read(nonce[:])
		if err := c.send(ctx, cmdInit, nonce[:]); err != nil {
			return err
		}
		short, cancel := context.WithTimeout(ctx, answerWithin)
		defer cancel()
		for {
			m, err := c.receive(short)
			if err != nil {
				return outer(ctx, err)
			}
			switch {
			case m.cmd == cmdError && bytes.Equal(m.data, []byte{hidBusy}):
				return ErrBusy
			case m.cmd == cmdInit && len(m.data) >= initReply && bytes.Equal(m.data[:nonceSize], nonce[:]):
				c.cid, c.caps = binary.BigEndian.Uint32(m.data[nonceSize:]), m.data[initReply-1]
				if c.cid == 0 || c.cid == broadcast {
					return fmt.Errorf("%w: a channel that can't be", ErrMalformed)
				}
				return nil
			}
		}
	})
}

// outer is what an error of a short wait means to one with a longer time.
func outer(ctx context.Context, err error) error {
	switch {
	case !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil:
		return err
	case errors.Is(err, ErrBusy):
		return ErrBusy
	}
	return ErrSilent
}

// whileBusy tries again until the key is free.
func (c *channel) whileBusy(ctx context.Context, try func() error) error {
	for busy := false; ; busy = true {
		c.begun = false
		err := try()
		if !errors.Is(err, ErrBusy) {
			if busy && !c.begun && errors.Is(err, context.DeadlineExceeded) {
				err = fmt.Errorf("%w: %w", ErrBusy, err)
			}
			return err
		}
		select {
		case <-time.After(busyPause):
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return fmt.Errorf("%w: %w", ErrBusy, ctx.Err())
			}
			return ctx.Err()
		}
	}
}

// transact sends a request and returns its answer.
func (c *channel) transact(ctx context.Context, cmd byte, request []byte) (answer []byte, err error) {
	err = c.whileBusy(ctx, func() error {
		answer, err = c.once(ctx, cmd, request)
		return err
	})
	return answer, err
}

func (c *channel) once(ctx context.Context, cmd byte, request []byte) ([]byte, error) {
	err := c.send(ctx, cmd, request)
	var answer []byte
	if err == nil {
		answer, err = c.answer(ctx, cmd)
	}
	if err != nil && cmd == cmdCBOR && !errors.Is(err, hid.ErrGone) && !errors.Is(err, ErrBusy) {
		c.cancel(ctx)
	}
	return answer, err
}

// answer waits for the answer to a command, through all KEEPALIVEs.
func (c *channel) answer(ctx context.Context, cmd byte) ([]byte, error) {
	told := false
	for {
		short, cancel := context.WithTimeout(ctx, answerWithin)
		m, err := c.receive(short)
		cancel()
		switch {
		case err != nil:
			return nil, outer(ctx, err)
		case m.cmd == cmd:
			if cmd == cmdCBOR && len(m.data) > 0 && busy(m.data[0]) {
				return nil, ErrBusy
			}
			return m.data, nil
		case m.cmd == cmdKeepalive && len(m.data) == 1:
			c.begun = true
			if m.data[0] == userNeeded && !told {
				told = true
				c.touch()
			}
		case m.cmd == cmdError && bytes.Equal(m.data, []byte{hidBusy}):
			return nil, ErrBusy
		case m.cmd == cmdError && len(m.data) == 1:
			return nil, fmt.Errorf("the key refuses the message: error 0x%02x", m.data[0])
		default:
			return nil, fmt.Errorf("%w: command 0x%02x for 0x%02x", ErrMalformed, m.cmd, cmd)
		}
	}
}

// cancel ends what the key does for us, and waits for its word that it has, so that
// it doesn't blink for nobody (11.2.9.1.5).
func (c *channel) cancel(ctx context.Context) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), cancelWithin)
	defer stop()
	if c.send(ctx, cmdCancel, nil) != nil {
		return
	}
	for {
		m, err := c.receive(ctx)
		if err != nil && !errors.Is(err, ErrMalformed) || err == nil && m.cmd != cmdKeepalive {
			return
		}
	}
}

func (c *channel) send(ctx context.Context, cmd byte, data []byte) error {
	for _, f := range split(c.cid, cmd, data) {
		if err := c.frames.Write(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// receive reads a message of this channel.
func (c *channel) receive(ctx context.Context) (*message, error) {
	f, err := c.read(ctx)
	if err != nil {
		return nil, err
	}
	m, err := begin(f)
	for err == nil && !m.whole() {
		if f, err = c.read(ctx); err == nil {
			err = m.add(f)
		}
	}
	return m, err
}

// read returns the next packet of this channel. Those of others are not for us.
func (c *channel) read(ctx context.Context) (frame, error) {
	for range maxForeign {
		f, err := c.frames.Read(ctx)
		if err != nil || binary.BigEndian.Uint32(f[:]) == c.cid {
			return f, err
		}
	}
	return frame{}, fmt.Errorf("%w: endless packets of other channels", ErrMalformed)
}
