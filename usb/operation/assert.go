package operation

import (
	"context"
	"errors"

	"github.com/factord/factord/daemon/wire/agent"
	"github.com/factord/factord/usb"
	"github.com/factord/factord/usb/ctap"
	"github.com/factord/factord/usb/hid"
)

// Assert implements usb.Operations. It looks silently which key has one of the
// credentials, and asks that one alone: no other one blinks, or is shown the PIN.
func (m Machine) Assert(ctx context.Context, q agent.AssertRequest, t usb.Talk) (r agent.AssertReply, err error) {
	b, err := m.backend(q.Common)
	if err != nil {
		return r, err
	}
	pin, err := pinOf(t, q.NeedsPIN && !q.Find)
	if err != nil {
		return r, err
	}
	defer clear(pin)
	s := newSearch(b, q.Common, t)
	for {
		keys, err := s.round(ctx, hasFIDO)
		if err != nil {
			return r, fidoFailure(err)
		}
		for _, at := range keys {
			r, err = m.assertAt(ctx, s, at, len(keys) == 1, q, pin)
			switch {
			case err == nil:
				return r, nil
			case errors.Is(err, errOther):
				s.pass(at)
			default:
				if err := s.note(err); err != nil {
					return r, fidoFailure(err)
				}
			}
		}
		if err := s.pause(ctx); err != nil {
			return r, err
		}
	}
}

// assertAt asks a key, if it has one of the credentials. One that hides whether it has is
// asked if it is alone.
func (m Machine) assertAt(ctx context.Context, s *search, at hid.Key, alone bool, q agent.AssertRequest, pin []byte) (r agent.AssertReply, err error) {
	k, err := m.openToken(ctx, s.backend, at)
	if err != nil {
		return r, err
	}
	defer k.release()
	c, held, err := k.holds(ctx, q)
	if err != nil {
		return r, err
	}
	if held == ctap.No || held == ctap.Maybe && !alone {
		return r, errOther
	}
	r = agent.AssertReply{Credential: c.ID, Port: at.Port, Tries: -1}
	if q.Find {
		r.Tries = k.tries(ctx)
		return r, nil
	}
	s.talk.State(agent.Ready)
	request := ctap.Request{RPID: q.RPID, ClientDataHash: [hashSize]byte(q.ClientHash), IDs: [][]byte{c.ID}, UV: q.UV, PIN: pin}
	if c.AppID != "" {
		request.RPID, request.U2F = c.AppID, true
	}
	answers, err := touch(ctx, s, k, func(ctx context.Context) ([]ctap.Assertion, error) { return k.Assert(ctx, request) })
	if err != nil {
		return r, err
	}
	if len(answers) != 1 {
		return r, failuref(agent.Garbled, "%d assertions", len(answers))
	}
	r.Credential, r.AuthData, r.Signature = answers[0].CredentialID, answers[0].AuthData, answers[0].Signature
	return r, nil
}

// hashSize is SHA-256.
const hashSize = 32

// holds looks which of the credentials the key has: the first that it surely has, or else
// the first that it may have.
func (k *token) holds(ctx context.Context, q agent.AssertRequest) (found agent.Credential, best ctap.Held, err error) {
	for _, c := range q.Credentials {
		look := ctap.Look{RPID: q.RPID, ID: c.ID, Protected: c.Protected}
		if c.AppID != "" {
			look.RPID, look.U2F = c.AppID, true
		}
		held, err := k.Holds(ctx, look)
		switch {
		case errors.Is(err, ctap.ErrUnsupported), errors.Is(err, ctap.ErrNoCredentials):
			continue // a key that is too old has none of the newer kind
		case err != nil:
			return found, best, err
		}
		if held > best {
			found, best = c, held
		}
		if held == ctap.Yes {
			break
		}
	}
	return found, best, nil
}

// tries are those of the PIN that are left; -1: there is no PIN, or the key does not say.
func (k *token) tries(ctx context.Context) int {
	if !k.Info().PINSet() {
		return -1
	}
	left, _, err := k.PINRetries(ctx)
	if err != nil {
		return -1
	}
	return left
}
