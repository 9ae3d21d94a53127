package hid

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	busUSB = 3 // of linux/input.h

	// eventSize is struct input_event: a time, then two bytes of type, two of code,
	// four of value.
	eventSize   = eventHeader + 8
	eventHeader = int(unsafe.Sizeof(unix.Timeval{}))
	// eventsAtOnce bounds one read.
	eventsAtOnce = 64

	// upLimit is how long Close waits for a key to go up: cancelling leaves no more.
	upLimit = 100 * time.Millisecond
	// upRetry is the pause between two looks at what is down.
	upRetry = 5 * time.Millisecond
)

// evdev is a keyboard through its event node, which no other program reads as long as
// this one has it grabbed. The kernel gives it back when the process ends.
type evdev struct {
	*node
	kernel  kernel
	decoder eventDecoder
	presses []result // those that a read has brought and nobody has asked for
}

// result is what Keyboard.Read returns.
type result struct {
	press Press
	err   error
}

// take grabs the keyboard while no key is down: else its release would never reach
// the console, where it would repeat for ever.
func (k *evdev) take(ctx context.Context, key Key) error {
	var id inputID
	err := k.control(func(fd int) (err error) { id, err = k.kernel.id(fd); return err })
	if err != nil {
		return err
	}
	if id.Bus != busUSB || id.Vendor != key.Vendor || id.Product != key.Product {
		return fmt.Errorf("the event device is of %04x:%04x: %w", id.Vendor, id.Product, ErrGone)
	}
	for {
		if err := k.waitUp(ctx); err != nil {
			return err
		}
		if err := k.control(k.kernel.grab); err != nil {
			return err
		}
		// One may have gone down in between. To look also drops what came before.
		down, err := k.down()
		if err == nil && !down {
			return nil
		}
		if err := errors.Join(err, k.control(k.kernel.release)); err != nil {
			return err
		}
	}
}

// waitUp waits until no key is down.
func (k *evdev) waitUp(ctx context.Context) error {
	for {
		down, err := k.down()
		if err != nil || !down {
			return err
		}
		if err := pause(ctx, upRetry); err != nil {
			return fmt.Errorf("waiting for a key to be released: %w", err)
		}
	}
}

// down says whether a key is down.
func (k *evdev) down() (bool, error) {
	var state [keyStateSize]byte
	err := k.control(func(fd int) (err error) { state, err = k.kernel.held(fd); return err })
	return state != [keyStateSize]byte{}, err
}

// Read implements Keyboard.
func (k *evdev) Read(ctx context.Context) (Press, error) {
	for len(k.presses) == 0 {
		var buf [eventsAtOnce * eventSize]byte
		n, err := k.read(ctx, buf[:])
		if err != nil {
			return Press{}, fmt.Errorf("reading the keyboard: %w", err)
		}
		if n%eventSize != 0 {
			return Press{}, fmt.Errorf("reading the keyboard: half an event: %w", ErrLost)
		}
		for b := buf[:n]; len(b) > 0; b = b[eventSize:] {
			if r, ok := k.decoder.next(parseEvent(b)); ok {
				k.presses = append(k.presses, r)
			}
		}
	}
	r := k.presses[0]
	k.presses = k.presses[1:]
	return r.press, r.err
}

// Close implements Keyboard.
func (k *evdev) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), upLimit)
	defer cancel()
	// However that ends, the keyboard is given back: closing does it.
	_ = k.waitUp(ctx)
	return k.node.Close()
}

// event is struct input_event without its time.
type event struct {
	kind, code uint16
	value      int32
}

// parseEvent parses the first eventSize bytes.
func parseEvent(b []byte) event {
	b = b[eventHeader:]
	return event{
		kind:  binary.NativeEndian.Uint16(b),
		code:  binary.NativeEndian.Uint16(b[2:]),
		value: int32(binary.NativeEndian.Uint32(b[4:])),
	}
}
