package virtual

import (
	"context"
	"time"

	"github.com/factord/factord/usb/virtual/otpkey"
)

// Touch is a person's finger on the key. If the key blinks, whatever waits for it goes
// on, and Touch says what; else the slot types, short or long, and Touch returns the
// text when all of it is typed.
func (k *Key) Touch(ctx context.Context, long bool) (string, error) {
	if !k.Plugged() {
		return "", ErrUnplugged
	}
	if what, ok := k.confirm(); ok {
		return what, nil
	}
	if k.config.OTP == nil {
		return "", ErrNothing
	}
	text, strokes, err := k.config.OTP.Touch(long)
	switch {
	case err != nil:
		return "", err
	case len(strokes) == 0:
		return "", ErrNothing
	}
	return text, k.press(ctx, strokes)
}

// SetTouches says who touches when FIDO or PIV waits, from now on.
func (k *Key) SetTouches(who Touches) { k.finger.set(who) }

// Blinks says what waits for a touch: "challenge", "fido", "piv", "" for nothing.
func (k *Key) Blinks() string {
	if k.config.OTP != nil && k.config.OTP.Waiting() {
		return "challenge"
	}
	return k.finger.blinks()
}

func (k *Key) confirm() (string, bool) {
	if k.config.OTP != nil && k.config.OTP.Confirm() {
		return "challenge", true
	}
	return k.finger.touch()
}

// pivTouch is how long a PIV operation waits for its touch.
const pivTouch = 15 * time.Second

func (k *Key) touchPIV(ctx context.Context, _ byte) bool {
	ctx, stop := context.WithTimeout(ctx, pivTouch)
	defer stop()
	return k.finger.await(ctx, "piv")
}

// Type types text with the keys of the US layout, as another keyboard would; "\r" is
// Enter. It returns when all is typed.
func (k *Key) Type(ctx context.Context, text string) error {
	strokes, err := otpkey.Strokes(text)
	if err != nil {
		return err
	}
	return k.press(ctx, strokes)
}

// press types, until the key is unplugged.
func (k *Key) press(ctx context.Context, strokes []otpkey.Stroke) error {
	k.mu.Lock()
	s := k.session
	k.mu.Unlock()
	if s == nil || k.keyboard == nil {
		return ErrUnplugged
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(s.ctx, stop)()
	return k.keyboard.press(ctx, strokes)
}
