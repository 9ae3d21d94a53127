package ctap

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
)

// Limits of an answer, in bytes and in number.
const (
	maxCredentialID = 1023
	maxAuthData     = 4096
	minAuthData     = sha256.Size + 1 + 4
	maxSignature    = 512
	maxUserID       = 64
	maxAssertions   = 128
)

// Request asks for an assertion.
type Request struct {
	// RPID is the relying party's id, or U2F's AppID.
	RPID string
	// ClientDataHash is what is to be signed, with what the key adds.
	ClientDataHash [sha256.Size]byte
	// IDs are the credentials that will do. None: those that the key keeps for RPID.
	IDs [][]byte
	// U2F: the credentials were made by U2F, and a key that knows that is asked that way.
	U2F bool
	// UV: the key shall know its user by itself, or say that it can't.
	UV bool
	// PIN is shown to the key, if it is not nil.
	PIN []byte
}

// Assertion is what a key said: evidence, about which nothing is decided here.
type Assertion struct {
	CredentialID        []byte
	AuthData, Signature []byte
	// UserID is the handle of the person, of credentials that the key keeps. Others
	// may have none.
	UserID []byte
}

type descriptor struct {
	ID   []byte `cbor:"id"`
	Type string `cbor:"type"`
}

const publicKey = "public-key"

func descriptors(ids [][]byte) []descriptor {
	var all []descriptor
	for _, id := range ids {
		all = append(all, descriptor{id, publicKey})
	}
	return all
}

type assertionRequest struct {
	RPID           string          `cbor:"1,keyasint"`
	ClientDataHash []byte          `cbor:"2,keyasint"`
	Allow          []descriptor    `cbor:"3,keyasint,omitempty"`
	Options        map[string]bool `cbor:"5,keyasint,omitempty"`
	Auth           []byte          `cbor:"6,keyasint,omitempty"`
	Protocol       uint            `cbor:"7,keyasint,omitempty"`
}

type assertionReply struct {
	Credential *descriptor `cbor:"1,keyasint"`
	AuthData   []byte      `cbor:"2,keyasint"`
	Signature  []byte      `cbor:"3,keyasint"`
	User       struct {
		ID []byte `cbor:"id"`
	} `cbor:"4,keyasint"`
	Count uint `cbor:"5,keyasint"`
}

// Assert asks for assertions: one if IDs are given, otherwise one by each credential
// that the key keeps for the relying party. The person touches the key once.
func (k *Key) Assert(ctx context.Context, r Request) ([]Assertion, error) {
	if err := checkIDs(r.IDs); err != nil {
		return nil, err
	}
	if k.byU2F(r.U2F) {
		return k.assertU2F(ctx, r)
	}
	params := assertionRequest{RPID: r.RPID, ClientDataHash: r.ClientDataHash[:], Allow: descriptors(r.IDs)}
	auth, err := k.authorize(ctx, purpose{permitAssert, r.RPID, r.ClientDataHash[:], r.UV, r.PIN})
	if err != nil {
		return nil, err
	}
	params.Auth, params.Protocol, params.Options = auth.param, auth.protocol, auth.options
	return k.assert(ctx, params, r.IDs)
}

func (k *Key) assert(ctx context.Context, params assertionRequest, ids [][]byte) ([]Assertion, error) {
	var first assertionReply
	if err := k.command(ctx, getAssertion, params, &first); err != nil {
		return nil, err
	}
	count := max(first.Count, 1)
	if count > maxAssertions || count > 1 && len(ids) == 1 {
		return nil, fmt.Errorf("%w: %d assertions", ErrMalformed, count)
	}
	a, err := first.check(ids)
	if err != nil {
		return nil, err
	}
	all := []Assertion{a}
	for range count - 1 {
		var next assertionReply
		if err := k.command(ctx, getNextAssertion, nil, &next); err != nil {
			return nil, fmt.Errorf("asking for the next assertion: %w", err)
		}
		if a, err = next.check(ids); err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

// check looks at sizes, and whether the key answers for a credential it was asked for.
func (r assertionReply) check(ids [][]byte) (Assertion, error) {
	a := Assertion{AuthData: r.AuthData, Signature: r.Signature, UserID: r.User.ID}
	switch {
	case r.Credential != nil:
		a.CredentialID = r.Credential.ID
	case len(ids) == 1: // which needs not be repeated (6.2.2)
		a.CredentialID = ids[0]
	}
	known := len(ids) == 0 || slices.ContainsFunc(ids, func(id []byte) bool { return bytes.Equal(id, a.CredentialID) })
	switch {
	case len(a.CredentialID) == 0 || len(a.CredentialID) > maxCredentialID || !known:
		return Assertion{}, fmt.Errorf("%w: a credential that it was not asked for", ErrMalformed)
	case len(a.AuthData) < minAuthData || len(a.AuthData) > maxAuthData:
		return Assertion{}, fmt.Errorf("%w: authenticator data of %d bytes", ErrMalformed, len(a.AuthData))
	case len(a.Signature) == 0 || len(a.Signature) > maxSignature:
		return Assertion{}, fmt.Errorf("%w: a signature of %d bytes", ErrMalformed, len(a.Signature))
	case len(a.UserID) > maxUserID:
		return Assertion{}, fmt.Errorf("%w: a user handle of %d bytes", ErrMalformed, len(a.UserID))
	}
	return a, nil
}

func checkIDs(ids [][]byte) error {
	for _, id := range ids {
		if len(id) == 0 || len(id) > maxCredentialID {
			return fmt.Errorf("a credential's id has %d bytes, not 1 to %d", len(id), maxCredentialID)
		}
	}
	return nil
}
