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
			if r, err = m.assertAt(ctx, s, at, false, q, pin); err == nil {
				return r, nil
			}
			if err := s.note(at, err); err != nil {
				return r, fidoFailure(err)
			}
		}
		if hidden := s.hidden(); len(hidden) == 1 && s.hindrance == nil {
			if r, err = m.assertAt(ctx, s, hidden[0], true, q, pin); err == nil {
				return r, nil
			}
			if err := s.note(hidden[0], err); err != nil {
				return r, fidoFailure(err)
			}
		}
		if err := s.pause(ctx); err != nil {
			return r, err
		}
	}
}

// assertAt asks a key, if it has one of the credentials. One that hides whether it has is
// asked if it alone does.
func (m Machine) assertAt(ctx context.Context, s *search, at hid.Key, alone bool, q agent.AssertRequest, pin []byte) (r agent.AssertReply, err error) {
	k, err := m.openToken(ctx, s.backend, at)
	if err != nil {
		return r, stranger{err}
	}
	defer k.release()
	found, sure, err := k.holds(ctx, q)
	switch {
	case err != nil:
		return r, stranger{err}
	case len(found) == 0:
		return r, errOther
	case !sure && !alone:
		return r, errHidden
	}
	r = agent.AssertReply{Port: at.Port, Tries: -1}
	if q.Find {
		if sure {
			r.Credential = found[0].ID
		}
		r.Tries = k.tries(ctx)
		return r, nil
	}
	if err := k.spare(ctx, pin, q.LastTry); err != nil {
		return r, err
	}
	s.talk.State(agent.Ready)
	request := ctap.Request{RPID: q.RPID, ClientDataHash: [hashSize]byte(q.ClientHash), UV: q.UV, PIN: pin}
	if id := found[0].AppID; id != "" {
		request.RPID, request.U2F = id, true
	}
	for _, c := range found {
		request.IDs = append(request.IDs, c.ID)
	}
	answers, err := touch(ctx, s, k, func(ctx context.Context) ([]ctap.Assertion, error) { return k.Assert(ctx, request) })
	if err != nil {
		return r, err
	}
	r.Credential, r.AuthData, r.Signature = answers[0].CredentialID, answers[0].AuthData, answers[0].Signature
	return r, nil
}

// hashSize is SHA-256.
const hashSize = 32

// holds looks which of the credentials the key has: one that it surely has, or else those
// that it may have.
func (k *token) holds(ctx context.Context, q agent.AssertRequest) (found []agent.Credential, sure bool, err error) {
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
			return nil, false, err
		case held == ctap.Yes:
			return []agent.Credential{c}, true, nil
		case held == ctap.Maybe && (len(found) == 0 || found[0].AppID == c.AppID):
			found = append(found, c)
		}
	}
	return found, false, nil
}

// spare keeps the last try of a PIN, unless it may be spent.
func (k *token) spare(ctx context.Context, pin []byte, last bool) error {
	if pin == nil || last || k.tries(ctx) != 1 {
		return nil
	}
	return &agent.Error{Code: agent.LastTry, Tries: 1, Text: "one more wrong PIN would block it"}
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
