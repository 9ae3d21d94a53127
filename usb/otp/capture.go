package otp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/factord/factord/usb/hid"
)

const (
	// textLimit and typingLimit are more than any OTP: 64 characters at 80 ms each.
	textLimit   = 80
	typingLimit = 10 * time.Second
	// textLeast is the shortest one: six digits of HOTP without a token id.
	textLeast = 6

	// idleLimit ends a text without an Enter. A key may pause half a second in it.
	idleLimit = time.Second
	// idleAtLength ends one that is as long as it should be.
	idleAtLength = 150 * time.Millisecond
	// idleAfterNoise is a pause after which another text may begin.
	idleAfterNoise = 300 * time.Millisecond
	// idleAtEnd is the longest pause before an Enter.
	idleAtEnd = 700 * time.Millisecond

	// grace is for what was typed in time, but not yet read: a machine that was busy
	// elsewhere sees first that the time is over.
	grace = 10 * time.Millisecond
)

// Expected is what is known of the text before it is typed.
type Expected struct {
	// Length is the number of its characters; 0 if that isn't known.
	Length int
	// ScanMap is that of the key.
	ScanMap ScanMap
}

// Typed is what a key has typed.
type Typed struct {
	// Text has lower-case letters of modhex, and digits.
	Text []byte
	// Unfinished: an Enter may follow, or if the capture failed, the rest of a text.
	// See Drain.
	Unfinished bool
}

// Capture waits for the next text that a key types. It ends with Enter, or when the key
// types no more. What can't be an OTP is thrown away, and the next one is waited for.
func Capture(ctx context.Context, keyboard hid.Keyboard, expected Expected) (Typed, error) {
	c := capture{length: expected.Length, scanMap: expected.ScanMap.orDefault()}
	for !c.done {
		press, err := readBefore(ctx, keyboard, c.until())
		switch {
		case errors.Is(err, errIdle):
			c.pause()
		case errors.Is(err, hid.ErrLost):
			c.noise()
		case err != nil:
			defer clear(c.text)
			return Typed{Unfinished: c.typing()}, fmt.Errorf("waiting for the key to type: %w", err)
		default:
			c.press(press)
		}
	}
	return Typed{Text: c.text, Unfinished: !c.entered}, nil
}

// Drain swallows what belongs to an unfinished text, so that it reaches nothing else
// when the keyboard is given back: call it before Close. It takes the time until an
// Enter, or until the key has been silent for longer than it pauses before one.
func (t Typed) Drain(ctx context.Context, keyboard hid.Keyboard) {
	if !t.Unfinished {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, typingLimit)
	defer cancel()
	for {
		press, err := readBefore(ctx, keyboard, time.Now().Add(idleAtEnd))
		if err != nil && !errors.Is(err, hid.ErrLost) {
			return
		}
		if err == nil && (press.Usage == usageEnter || press.Usage == usageKeypadEnter) {
			return
		}
	}
}

// errIdle: nothing was typed in time.
var errIdle = errors.New("nothing was typed")

// readBefore reads a press, or returns errIdle at a time that isn't zero.
func readBefore(ctx context.Context, keyboard hid.Keyboard, until time.Time) (hid.Press, error) {
	if until.IsZero() {
		return keyboard.Read(ctx)
	}
	press, err := readWithin(ctx, keyboard, time.Until(until))
	if err == errIdle {
		return readWithin(ctx, keyboard, grace)
	}
	return press, err
}

func readWithin(ctx context.Context, keyboard hid.Keyboard, d time.Duration) (hid.Press, error) {
	idle, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	press, err := keyboard.Read(idle)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return press, errIdle
	}
	return press, err
}

// capture is a text that is being typed.
type capture struct {
	length  int // expected; 0: not known
	scanMap ScanMap

	text        []byte
	began, last time.Time
	noisy       bool // what is being typed is no OTP
	entered     bool
	done        bool
}

// typing says whether the key is in the middle of something.
func (c *capture) typing() bool { return len(c.text) > 0 || c.noisy }

// until is when a pause is long enough to mean something; zero: never.
func (c *capture) until() time.Time {
	var limit time.Duration
	switch {
	case c.noisy:
		return c.last.Add(idleAfterNoise)
	case len(c.text) == 0:
		return time.Time{}
	case len(c.text) == c.length:
		limit = idleAtLength
	default:
		limit = idleLimit
	}
	until := c.last.Add(limit)
	if end := c.began.Add(typingLimit); end.Before(until) {
		return end
	}
	return until
}

// press takes a press.
func (c *capture) press(p hid.Press) {
	c.last = time.Now()
	char, ok := c.scanMap.read(p)
	switch {
	case ok && char == '\t':
	case ok && char == '\r':
		c.end()
		c.entered = c.done
	case c.noisy:
	case !ok || char == '!' || len(c.text) == textLimit:
		c.noise()
	default:
		if len(c.text) == 0 {
			c.began = c.last
			c.text = make([]byte, 0, textLimit)
		}
		c.text = append(c.text, char)
		if c.last.Sub(c.began) > typingLimit {
			c.noise()
		}
	}
}

// pause: nothing was typed for long enough.
func (c *capture) pause() {
	if len(c.text) > 0 && time.Since(c.began) >= typingLimit {
		c.noise()
		return
	}
	c.end()
}

// end ends the text, or the noise.
func (c *capture) end() {
	if len(c.text) >= textLeast && !c.noisy {
		c.done = true
		return
	}
	clear(c.text)
	c.text, c.noisy = nil, false
}

// noise throws away what was typed, and what follows until a pause or an Enter.
func (c *capture) noise() {
	clear(c.text)
	c.text, c.noisy, c.last = nil, true, time.Now()
}
