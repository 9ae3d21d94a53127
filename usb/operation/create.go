package operation

import (
	"context"

	"github.com/fxamacker/cbor/v2"

	"github.com/factord/factord/daemon/wire/agent"
	"github.com/factord/factord/usb"
	"github.com/factord/factord/usb/ctap"
	"github.com/factord/factord/usb/hid"
)

// Create implements usb.Operations. The key has to be named, or the only one.
func (m Machine) Create(ctx context.Context, q agent.CreateRequest, t usb.Talk) (r agent.CreateReply, err error) {
	b, err := m.backend(q.Common)
	if err != nil {
		return r, err
	}
	pin, err := pinOf(t, q.NeedsPIN)
	if err != nil {
		return r, err
	}
	defer clear(pin)
	s := newSearch(b, q.Common, t)
	meant := func(k hid.Key) bool { return k.FIDO && (q.Port == "" || k.Port == q.Port) }
	for {
		keys, err := s.round(ctx, meant)
		switch {
		case err != nil:
			return r, fidoFailure(err)
		case len(keys) > 1:
			return r, failuref(agent.WrongKey, "there are %d keys: pull out those that are not meant", len(keys))
		case len(keys) == 1:
			if r, err = m.createAt(ctx, s, keys[0], q, pin); err == nil {
				return r, nil
			}
			if err := s.note(keys[0], err); err != nil {
				return r, fidoFailure(err)
			}
		}
		if err := s.pause(ctx); err != nil {
			return r, err
		}
	}
}

func (m Machine) createAt(ctx context.Context, s *search, at hid.Key, q agent.CreateRequest, pin []byte) (r agent.CreateReply, err error) {
	r.Port = at.Port
	if at.OTP { // before the key is busy with FIDO2; one that does not say has none
		r.Serial, _ = serialAt(ctx, s.backend, at.Port)
	}
	k, err := m.openToken(ctx, s.backend, at)
	if err != nil {
		return r, err
	}
	defer k.release()
	if err := k.spare(ctx, pin, q.LastTry); err != nil {
		return r, err
	}
	s.talk.State(agent.Ready)
	made, err := touch(ctx, s, k, func(ctx context.Context) (ctap.Attestation, error) {
		return k.MakeCredential(ctx, ctap.Enrolment{
			RPID: q.RPID, UserID: q.UserID, ClientDataHash: [hashSize]byte(q.ClientHash), Exclude: q.Exclude,
			Resident: q.Resident, UV: q.UV, PIN: pin,
		})
	})
	if err != nil {
		return r, err
	}
	r.AuthData, r.Format = made.AuthData, made.Format
	return r, readStatement(made, &r)
}

// packed is the statement of the format with that name (WebAuthn 8.2).
type packed struct {
	Alg       int      `cbor:"alg"`
	Signature []byte   `cbor:"sig"`
	Chain     [][]byte `cbor:"x5c"`
}

// maxChain is more certificates than any key has.
const maxChain = 4

// readStatement takes the statement apart, if it is packed; of other formats factord makes
// no use.
func readStatement(made ctap.Attestation, r *agent.CreateReply) error {
	if made.Format != "packed" {
		return nil
	}
	mode, err := cbor.DecOptions{DupMapKey: cbor.DupMapKeyEnforcedAPF, MaxNestedLevels: 4, IndefLength: cbor.IndefLengthForbidden}.DecMode()
	if err != nil {
		return err
	}
	var p packed
	if err := mode.Unmarshal(made.Statement, &p); err != nil || len(p.Chain) > maxChain {
		return failuref(agent.Garbled, "the attestation can't be read")
	}
	r.Alg, r.Signature, r.Chain = p.Alg, p.Signature, p.Chain
	return nil
}
