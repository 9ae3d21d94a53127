package operation

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/factord/factord/daemon/wire/agent"
	"github.com/factord/factord/usb"
	"github.com/factord/factord/usb/hid"
	"github.com/factord/factord/usb/otp"
)

// HMAC implements usb.Operations.
func (m Machine) HMAC(ctx context.Context, q agent.HMACRequest, t usb.Talk) (r agent.HMACReply, err error) {
	b, err := m.backend(q.Common)
	if err != nil {
		return r, err
	}
	if len(q.Challenge) != otp.ChallengeSize {
		return r, failuref(agent.Unsupported, "challenges have %d bytes", otp.ChallengeSize)
	}
	s := newSearch(b, q.Common, t)
	for {
		keys, err := s.round(ctx, hasOTP)
		if err != nil {
			return r, failure(err)
		}
		for _, at := range keys {
			if r, err = m.hmacOf(ctx, s, at.Port, q); err == nil {
				return r, nil
			}
			if err = s.note(at, err); err != nil {
				return r, failure(err)
			}
		}
		if err := s.pause(ctx); err != nil {
			return r, err
		}
	}
}

// hmacOf asks a key, if it is the one that is meant.
func (m Machine) hmacOf(ctx context.Context, s *search, port string, q agent.HMACRequest) (r agent.HMACReply, err error) {
	unlock, err := m.lock(port)
	if err != nil {
		return r, err
	}
	defer unlock()
	f, err := features(ctx, s.backend, port)
	if err != nil {
		return r, stranger{err}
	}
	defer f.Close()
	switch n, err := serial(ctx, f); {
	case err != nil:
		return r, stranger{err}
	case n != q.Serial:
		return r, errOther
	}
	s.talk.State(agent.Ready)
	return patiently(ctx, s, otp.ErrTouch, func() (agent.HMACReply, error) { return hmacWith(ctx, s, f, q) })
}

// hmacWith asks the key that is meant. A touch is waited for until the search ends.
func hmacWith(ctx context.Context, s *search, f hid.Features, q agent.HMACRequest) (r agent.HMACReply, err error) {
	asking, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var touched atomic.Bool
	onTouch := func() {
		if !touched.Swap(true) {
			s.talk.State(agent.Touch)
			timer := time.AfterFunc(time.Until(s.end), func() { cancel(otp.ErrTouch) })
			context.AfterFunc(asking, func() { timer.Stop() })
		}
	}
	answer, err := otp.ChallengeResponse(asking, f, q.Slot, [otp.ChallengeSize]byte(q.Challenge), onTouch)
	if err != nil && ctx.Err() == nil && context.Cause(asking) != nil {
		err = context.Cause(asking)
	}
	return agent.HMACReply{Answer: answer[:], Touched: touched.Load()}, err
}
