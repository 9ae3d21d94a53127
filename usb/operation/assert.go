package operation

import (
	"context"

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
	wanted, err := credentials(q)
	if err != nil {
		return r, failuref(agent.Protocol, "%v", err)
	}
	pin, err := pinOf(t, q.NeedsPIN && !q.Find)
	if err != nil {
		return r, err
	}
	defer clear(pin)
	s := newSearch(b, q.Common, t)
	a := query{machine: m, search: s, request: q, wanted: wanted, pin: pin}
	for {
		keys, err := s.round(ctx, hasFIDO)
		if err != nil {
			return r, fidoFailure(err)
		}
		for _, at := range keys {
			if r, err = a.at(ctx, at, false); err == nil {
				return r, nil
			}
			if err := s.note(at, err); err != nil {
				return r, fidoFailure(err)
			}
		}
		if hidden := s.hidden(); len(hidden) == 1 && s.hindrance == nil {
			if r, err = a.at(ctx, hidden[0], true); err == nil {
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

// query is a search for a key that has one of the credentials.
type query struct {
	machine Machine
	search  *search
	request agent.AssertRequest
	wanted  []credential
	pin     []byte
}

// at asks a key, if it has one of the credentials. One that hides whether it has is asked
// if it alone does.
func (a query) at(ctx context.Context, at hid.Key, alone bool) (r agent.AssertReply, err error) {
	k, err := a.machine.openToken(ctx, a.search.backend, at)
	if err != nil {
		return r, stranger{err}
	}
	defer k.release()
	found, sure, err := k.holds(ctx, a.request, a.wanted)
	switch {
	case err != nil:
		return r, stranger{err}
	case len(found) == 0:
		return r, errOther
	case !sure && !alone:
		return r, errHidden
	}
	if !a.request.Find {
		return a.ask(ctx, k, found)
	}
	r = agent.AssertReply{Port: at.Port, Tries: k.tries(ctx)}
	if sure {
		r.Credential = found[0].ID
	}
	return r, nil
}

// ask asks the key that is meant.
func (a query) ask(ctx context.Context, k *token, found []credential) (r agent.AssertReply, err error) {
	q := a.request
	if err := k.spare(ctx, a.pin, q.LastTry); err != nil {
		return r, err
	}
	a.search.talk.State(agent.Ready)
	request := ctap.Request{RPID: q.RPID, ClientDataHash: [hashSize]byte(q.ClientHash), UV: q.UV, PIN: a.pin}
	if id := found[0].AppID; id != "" {
		request.RPID, request.U2F = id, true
	}
	for _, c := range found {
		request.IDs = append(request.IDs, c.ID)
	}
	answers, err := touch(ctx, a.search, k, func(ctx context.Context) ([]ctap.Assertion, error) { return k.Assert(ctx, request) })
	if err != nil {
		return r, err
	}
	return agent.AssertReply{Port: k.at.Port, Tries: -1,
		Credential: answers[0].CredentialID, AuthData: answers[0].AuthData, Signature: answers[0].Signature}, nil
}

// hashSize is SHA-256.
const hashSize = 32

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
