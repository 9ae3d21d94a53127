package operation

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/factord/factord/daemon/wire/agent"
	"github.com/factord/factord/usb"
	"github.com/factord/factord/usb/hid"
	"github.com/factord/factord/usb/otp"
)

// Capture implements usb.Operations. It listens to all keys that are meant at once, and
// the first that is touched is heard.
func (m Machine) Capture(ctx context.Context, q agent.CaptureRequest, t usb.Talk) (agent.CaptureReply, error) {
	b, err := m.backend(q.Common)
	if err != nil {
		return agent.CaptureReply{}, err
	}
	c := capture{machine: m, request: q, search: newSearch(b, q.Common, t), listening: map[string]*listener{}, heard: make(chan heard), over: make(chan struct{})}
	if len(q.Lengths) == 1 {
		c.expected.Length = q.Lengths[0]
	}
	if q.ScanMap != nil {
		if c.expected.ScanMap, err = otp.ParseScanMap(q.ScanMap); err != nil {
			return agent.CaptureReply{}, failuref(agent.Protocol, "scan_map: %v", err)
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer c.stop(cancel)
	reply, err := c.run(ctx)
	return reply, failure(err)
}

// capture is a wait for keys to type.
type capture struct {
	machine   Machine
	request   agent.CaptureRequest
	expected  otp.Expected
	search    *search
	listening map[string]*listener // by port
	heard     chan heard           // one from each listener, its last word
	over      chan struct{}        // closed when nobody hears it any more
}

// listener listens to one key, whose keyboard it has taken.
type listener struct {
	key      hid.Key
	serial   uint32
	keyboard hid.Keyboard
	unlock   func()
}

// heard is how listening to a key has ended.
type heard struct {
	from *listener
	text []byte
	err  error
}

func (c *capture) run(ctx context.Context) (r agent.CaptureReply, err error) {
	for {
		if err := c.look(ctx); err != nil {
			return r, err
		}
		wait := time.After(poll)
		if len(c.listening) == 0 {
			if err := c.search.pause(ctx); err != nil {
				return r, err
			}
			continue
		}
		if c.search.over() {
			return r, failuref(agent.NoTouch, "no key was touched in time")
		}
		c.search.talk.State(agent.Touch)
		select {
		case <-wait:
		case <-ctx.Done():
			return r, context.Cause(ctx)
		case h := <-c.heard:
			delete(c.listening, h.from.key.Port)
			if h.err == nil {
				return agent.CaptureReply{Serial: h.from.serial, Port: h.from.key.Port, Text: h.text}, nil
			}
			if err := c.search.note(h.from.key, h.err); err != nil {
				return r, err
			}
		}
	}
}

// look begins to listen to the keys that have come.
func (c *capture) look(ctx context.Context) error {
	keys, err := c.search.round(ctx, hasOTP)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if c.listening[k.Port] != nil {
			continue
		}
		switch l, err := c.open(ctx, k); {
		case err == nil:
			c.listening[k.Port] = l
			if rest := c.machine.Rest; rest != nil {
				rest.Add(1)
			}
			go c.listen(ctx, l)
		default:
			if err := c.search.note(k, err); err != nil && len(c.listening) == 0 {
				return err
			}
		}
	}
	return nil
}

// open takes a key's keyboard, if the key is meant.
func (c *capture) open(ctx context.Context, k hid.Key) (*listener, error) {
	unlock, err := c.machine.lock(k.Port)
	if err != nil {
		return nil, err
	}
	l := &listener{key: k, unlock: unlock}
	if err := c.take(ctx, l); err != nil {
		unlock()
		return nil, err
	}
	return l, nil
}

// take takes the keyboard. With Any, it is not known of any key whether it is the one.
func (c *capture) take(ctx context.Context, l *listener) (err error) {
	l.serial, err = serialAt(ctx, c.search.backend, l.key.Port)
	switch {
	case err != nil && (!c.request.Any || ctx.Err() != nil || errors.Is(err, hid.ErrGone)):
		return stranger{err}
	case !c.wants(l.serial):
		return errOther
	}
	opening, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	l.keyboard, err = c.search.backend.Keyboard(opening, l.key.Port)
	if err != nil && c.request.Any {
		return stranger{err}
	}
	return err
}

// wants reports whether the key with that serial number is meant.
func (c *capture) wants(serial uint32) bool {
	if len(c.request.Serials) == 0 {
		return c.request.Any || serial == 0
	}
	return slices.Contains(c.request.Serials, serial)
}

// listen waits for the key to type, and gives it back, but not in the middle of a text: its
// rest would go to whatever window is in front, with an OTP that nobody has spent.
func (c *capture) listen(ctx context.Context, l *listener) {
	if rest := c.machine.Rest; rest != nil {
		defer rest.Done()
	}
	typed, err := otp.Capture(ctx, l.keyboard, c.expected)
	if !errors.Is(err, hid.ErrGone) {
		typed.Drain(context.WithoutCancel(ctx), l.keyboard)
	}
	l.keyboard.Close()
	l.unlock()
	select {
	case c.heard <- heard{l, typed.Text, err}:
	case <-c.over:
		clear(typed.Text)
	}
}

// stopTime is what is waited for listeners that end. One that swallows the rest of a text
// goes on by itself.
const stopTime = 120 * time.Millisecond

// stop ends what still listens.
func (c *capture) stop(cancel context.CancelFunc) {
	defer close(c.over)
	cancel()
	limit := time.After(stopTime)
	for range c.listening {
		select {
		case h := <-c.heard:
			clear(h.text)
		case <-limit:
			return
		}
	}
}
