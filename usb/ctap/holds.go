package ctap

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
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

// Look is what Holds looks for.
type Look struct {
	RPID string
	ID   []byte // nil: any that the key keeps for RPID
	U2F  bool   // as in Request
	// Protected: the credential serves only with PIN or finger, and keys can hide such
	// ones from whoever shows neither (credProtect, 12.1).
	Protected bool
	// Genuine checks what a key has signed that says yes, which a device could that lies in
	// wait for a PIN. U2F signs nothing without a touch. nil: nothing is checked.
	Genuine func(clientDataHash [sha256.Size]byte, a Assertion) error
}

// ErrImpostor: the device says that it has a credential, and can't sign with it.
var ErrImpostor = errors.New("the device claims a credential that is another key's")

// Holds asks, without a touch, whether the key has a credential. What it signs for
// that is of no other use.
func (k *Key) Holds(ctx context.Context, l Look) (Held, error) {
	short, cancel := context.WithTimeout(ctx, holdsWithin)
	defer cancel()
	held, err := k.holds(short, l)
	return held, outer(ctx, err)
}

func (k *Key) holds(ctx context.Context, l Look) (Held, error) {
	var ids [][]byte
	if l.ID != nil {
		ids = [][]byte{l.ID}
	}
	if err := checkIDs(ids); err != nil {
		return No, err
	}
	if k.byU2F(l.U2F) {
		return k.holdsU2F(ctx, l.RPID, l.ID)
	}
	var hash [sha256.Size]byte // of nothing that anybody would accept
	rand.Read(hash[:])
	var reply assertionReply
	err := k.command(ctx, getAssertion, assertionRequest{
		RPID: l.RPID, ClientDataHash: hash[:], Allow: descriptors(ids), Options: map[string]bool{"up": false},
	}, &reply)
	if err == nil {
		a, err := reply.check(ids)
		if err != nil {
			return No, err
		}
		if l.Genuine != nil {
			if err := l.Genuine(hash, a); err != nil {
				return No, fmt.Errorf("%w: %v", ErrImpostor, err)
			}
		}
		return Yes, nil
	}
	hidden := (l.ID == nil || l.Protected) && (k.info.PINSet() || k.info.UV())
	switch {
	case errors.Is(err, ErrNoCredentials) && !hidden:
		return No, nil
	case errors.Is(err, ErrNoCredentials), errors.Is(err, ErrPINRequired), errors.Is(err, ErrUnsupported):
		return Maybe, nil
	}
	return No, err
}
