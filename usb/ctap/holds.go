package ctap

import (
	"context"
	"crypto/rand"
	"errors"
	"time"
)

// Held says whether a key has a credential.
type Held uint8

// What a silent look can find.
const (
	No Held = iota
	// Maybe: the key doesn't tell without its PIN or a finger.
	Maybe
	Yes
)

// holdsWithin is the limit of a silent look: among several keys a slow one must not
// hold up a login.
const holdsWithin = time.Second

// Holds asks, without a touch, whether the key has a credential, of which it signs
// nothing that would be of use. Nil is any that the key keeps for the relying party.
func (k *Key) Holds(ctx context.Context, rpID string, id []byte, u2f bool) (Held, error) {
	short, cancel := context.WithTimeout(ctx, holdsWithin)
	defer cancel()
	held, err := k.holds(short, rpID, id, u2f)
	return held, outer(ctx, err)
}

func (k *Key) holds(ctx context.Context, rpID string, id []byte, u2f bool) (Held, error) {
	var ids [][]byte
	if id != nil {
		ids = [][]byte{id}
	}
	if err := checkIDs(ids); err != nil {
		return No, err
	}
	if k.byU2F(u2f) {
		return k.holdsU2F(ctx, rpID, id)
	}
	hash := make([]byte, 32) // of nothing that anybody would accept
	rand.Read(hash)
	var reply assertionReply
	err := k.command(ctx, getAssertion, assertionRequest{
		RPID: rpID, ClientDataHash: hash, Allow: descriptors(ids), Options: map[string]bool{"up": false},
	}, &reply)
	switch {
	case err == nil:
		_, err = reply.check(ids)
		if err != nil {
			return No, err
		}
		return Yes, nil
	case errors.Is(err, ErrNoCredentials) && id == nil: // credProtect hides them
		if k.info.PINSet() || k.info.UV() {
			return Maybe, nil
		}
		return No, nil
	case errors.Is(err, ErrNoCredentials):
		return No, nil
	case errors.Is(err, ErrPINRequired), errors.Is(err, ErrUnsupported):
		return Maybe, nil
	}
	return No, err
}
