package operation

import (
	"context"
	"errors"
	"time"

	"github.com/factord/factord/daemon/wire/agent"
	"github.com/factord/factord/usb"
	"github.com/factord/factord/usb/ctap"
	"github.com/factord/factord/usb/hid"
)

// token is an open FIDO2 key, and what it was opened for.
type token struct {
	*ctap.Key
	at      hid.Key
	release func()
	touched func() // called when the key begins to wait for a touch
}

// openToken opens the FIDO interface of a key. The caller releases it.
func (m Machine) openToken(ctx context.Context, b hid.Backend, at hid.Key) (*token, error) {
	unlock, err := m.lock(at.Port)
	if err != nil {
		return nil, err
	}
	opening, cancel := context.WithTimeout(ctx, openTime)
	frames, err := b.Frames(opening, at.Port)
	cancel()
	if err != nil {
		unlock()
		return nil, err
	}
	t := &token{at: at, touched: func() {}, release: func() { frames.Close(); unlock() }}
	if t.Key, err = ctap.Open(ctx, frames, func() { t.touched() }); err != nil {
		t.release()
		return nil, err
	}
	return t, nil
}

// touch does what the key has to be touched for, which is waited for until the search
// ends.
func touch[T any](ctx context.Context, s *search, t *token, do func(context.Context) (T, error)) (T, error) {
	return patiently(ctx, s, ctap.ErrTouchTimeout, func() (T, error) { return touchOnce(ctx, s, t, do) })
}

func touchOnce[T any](ctx context.Context, s *search, t *token, do func(context.Context) (T, error)) (done T, err error) {
	asking, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	t.touched = func() {
		s.talk.State(agent.Touch)
		timer := time.AfterFunc(time.Until(s.end), func() { cancel(ctap.ErrTouchTimeout) })
		context.AfterFunc(asking, func() { timer.Stop() })
	}
	done, err = do(asking)
	if err != nil && ctx.Err() == nil && asking.Err() != nil {
		err = context.Cause(asking)
	}
	return done, err
}

// pinOf asks the caller for the PIN, if the request needs one.
func pinOf(t usb.Talk, needed bool) ([]byte, error) {
	if !needed {
		return nil, nil
	}
	return t.PIN()
}

// fidoCodes are what errors of package ctap mean for the caller, the first that fits.
var fidoCodes = []struct {
	err  error
	code agent.Code
}{
	{ctap.ErrBusy, agent.Held}, {ctap.ErrSilent, agent.Garbled}, {ctap.ErrMalformed, agent.Garbled}, {ctap.ErrImpostor, agent.Garbled},
	{ctap.ErrNoCredentials, agent.WrongKey}, {ctap.ErrExcluded, agent.Excluded}, {ctap.ErrDenied, agent.Declined},
	{ctap.ErrTouchTimeout, agent.NoTouch}, {ctap.ErrCancelled, agent.Held},
	{ctap.ErrPINRequired, agent.PINNeeded}, {ctap.ErrNoPIN, agent.NoPIN}, {ctap.ErrPINBlocked, agent.Blocked}, {ctap.ErrReplug, agent.Replug},
	{ctap.ErrPINLength, agent.PINLength}, {ctap.ErrWrongUV, agent.WrongUV}, {ctap.ErrUVBlocked, agent.PINNeeded},
	{ctap.ErrNoUV, agent.Unsupported}, {ctap.ErrUnsupported, agent.Unsupported}, {ctap.ErrTooLong, agent.Unsupported},
}

// fidoFailure is an error as the caller is told it.
func fidoFailure(err error) error {
	var wrong ctap.WrongPIN
	var status ctap.Status
	switch {
	case errors.As(err, &wrong):
		return &agent.Error{Code: agent.WrongPIN, Tries: max(wrong.Retries, 0), Text: err.Error()}
	case errors.As(err, &status):
		return &agent.Error{Code: agent.Garbled, Text: err.Error()}
	}
	for _, c := range fidoCodes {
		if errors.Is(err, c.err) {
			return &agent.Error{Code: c.code, Text: err.Error()}
		}
	}
	return failure(err)
}

// device is a FIDO2 key that is a character device, for tests.
type device struct {
	hid.Backend
	path string
}

func (d device) Keys(context.Context) ([]hid.Key, error) {
	return []hid.Key{{Port: d.path, Name: d.path, FIDO: true}}, nil
}

func (d device) Frames(ctx context.Context, _ string) (hid.Frames, error) {
	return hid.OpenFrames(ctx, d.path)
}
