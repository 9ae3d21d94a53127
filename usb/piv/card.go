package piv

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-piv/piv-go/v2/piv"

	"github.com/factord/factord/daemon/factor/piv/proof"
)

// Limits of waiting for a card that is not asked to wait for anybody.
const (
	commandLimit = 5 * time.Second
	touchLimit   = 30 * time.Second // a key gives up after some 15 s
	releaseLimit = 2 * time.Second
	hurryLimit   = 100 * time.Millisecond // to release when the context has ended
)

// card is a YubiKey that is held. go-piv is for one goroutine, and its calls can't be
// ended: one goroutine makes them all, and is left behind with the card when one takes
// too long. It lets go of the card when that call returns, if the process lives so long.
type card struct {
	reader   string
	serial   uint32
	firmware proof.Firmware

	calls    chan func(*piv.YubiKey)
	released chan bool // whether a PIN stays verified
	forget   bool      // a PIN was sent, so that the card has to forget it
}

// open holds the card in a reader.
func open(ctx context.Context, reader string) (*card, error) {
	c := &card{reader: reader, calls: make(chan func(*piv.YubiKey)), released: make(chan bool, 1)}
	opened := make(chan error, 1)
	go c.hold(opened)
	select {
	case err := <-opened:
		if err != nil {
			return nil, err
		}
	case <-ctx.Done():
		close(c.calls)
		return nil, context.Cause(ctx)
	case <-time.After(commandLimit):
		close(c.calls)
		return nil, fmt.Errorf("opening the card: %w", ErrSilent)
	}
	if err := c.identify(ctx); err != nil {
		c.release(ctx)
		return nil, err
	}
	return c, nil
}

// hold makes the calls.
func (c *card) hold(opened chan<- error) {
	err := probe(c.reader)
	var yk *piv.YubiKey
	if err == nil {
		yk, err = guard(func() (*piv.YubiKey, error) { return piv.Open(c.reader) })
	}
	opened <- err
	if err != nil {
		return
	}
	for call := range c.calls {
		call(yk)
	}
	stays := false
	if c.forget {
		forgotten, err := guard(func() (bool, error) { return forget(yk), nil })
		stays = err != nil || !forgotten
	}
	yk.Close()
	c.released <- stays
}

func (c *card) identify(ctx context.Context) error {
	serial, err := ask(ctx, c, commandLimit, func(yk *piv.YubiKey) (uint32, error) {
		v := yk.Version()
		c.firmware = proof.Firmware{uint8(v.Major), uint8(v.Minor), uint8(v.Patch)}
		return yk.Serial()
	})
	if err != nil {
		return fmt.Errorf("reading the serial number: %w", err)
	}
	c.serial = serial
	return nil
}

// release lets go of the card, and reports whether a PIN that was sent stays verified.
// When the context has ended, nobody waits for that: pcscd resets the card of a
// process that is gone.
func (c *card) release(ctx context.Context) (stays bool) {
	close(c.calls)
	limit := releaseLimit
	if ctx.Err() != nil {
		limit = hurryLimit
	}
	select {
	case stays = <-c.released:
		return stays
	case <-time.After(limit):
		return c.forget
	}
}

// ask has the card's goroutine make a call, and waits for it. After an error of the
// context or ErrSilent, the card is only to be released.
func ask[T any](ctx context.Context, c *card, limit time.Duration, call func(*piv.YubiKey) (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	var none T
	if ctx.Err() != nil {
		return none, context.Cause(ctx)
	}
	answers := make(chan answer, 1)
	c.calls <- func(yk *piv.YubiKey) {
		value, err := guard(func() (T, error) { return call(yk) })
		answers <- answer{value, err}
	}
	select {
	case a := <-answers:
		return a.value, a.err
	case <-ctx.Done():
		return none, context.Cause(ctx)
	case <-time.After(limit):
		return none, ErrSilent
	}
}

// guard classifies the error of a call, and makes one of a panic: go-piv does not look
// at the length of every answer.
func guard[T any](call func() (T, error)) (value T, err error) {
	defer func() {
		if r := recover(); r != nil {
			var none T
			value, err = none, fmt.Errorf("%w (panic: %v)", ErrGarbled, r)
		}
	}()
	value, err = call()
	return value, classify(err)
}

// forget makes the card forget that a PIN was verified: nobody else is to sign with
// it. Selecting another applet does so (SP 800-73-4 part 1, 5.5), and of what go-piv
// does, this does that: FormFactor on every firmware, and Serial on those before 5.0.
// What they read does not matter.
func forget(yk *piv.YubiKey) bool {
	yk.FormFactor()
	if forgotten(yk) {
		return true
	}
	yk.Serial()
	return forgotten(yk)
}

// forgotten reports whether no PIN is verified. Of that the card has to tell, unless it is
// gone: without power it keeps nothing.
func forgotten(yk *piv.YubiKey) bool {
	_, err := yk.Retries()
	return err == nil || errors.Is(classify(err), errGone)
}
