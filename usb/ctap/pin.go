package ctap

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"
)

// Subcommands of clientPIN (6.5.5).
const (
	subRetries      = 0x01
	subAgreement    = 0x02
	subToken        = 0x05
	subTokenByUV    = 0x06
	subTokenWithPIN = 0x09
)

// Permissions of a token (6.5.5.7).
const (
	permitMake   = 0x01
	permitAssert = 0x02
)

// Sizes of a PIN: at least so many code points, and at most so many bytes (6.5.1). The bytes
// are those that were typed: they should be in Normalization Form C, in which keyboards of
// Linux write what they have a key for.
const (
	minPIN = 4
	maxPIN = 63
)

type pinRequest struct {
	Protocol    uint            `cbor:"1,keyasint,omitempty"`
	Subcommand  uint            `cbor:"2,keyasint"`
	Agreement   cbor.RawMessage `cbor:"3,keyasint,omitempty"`
	PINHash     []byte          `cbor:"6,keyasint,omitempty"`
	Permissions uint            `cbor:"9,keyasint,omitempty"`
	RPID        string          `cbor:"10,keyasint,omitempty"`
}

type pinReply struct {
	Agreement coseKey `cbor:"1,keyasint"`
	Token     []byte  `cbor:"2,keyasint"`
	Retries   *uint   `cbor:"3,keyasint"`
	Replug    bool    `cbor:"4,keyasint"`
}

// PINRetries is how many wrong PINs the key takes before it blocks, and whether it
// must be plugged in again before the next.
func (k *Key) PINRetries(ctx context.Context) (left int, replug bool, err error) {
	if !k.CTAP2() {
		return 0, false, ErrUnsupported
	}
	var r pinReply
	// Some keys want to be told a protocol even here.
	err = k.command(ctx, clientPIN, pinRequest{Protocol: k.info.protocol(), Subcommand: subRetries}, &r)
	if err != nil {
		return 0, false, err
	}
	if r.Retries == nil || *r.Retries > 255 {
		return 0, false, fmt.Errorf("%w: no number of tries", ErrMalformed)
	}
	return int(*r.Retries), r.Replug, nil
}

// purpose is what a token or the key's own verification of the user is for.
type purpose struct {
	permission     uint
	rpID           string
	clientDataHash []byte
	uv             bool
	pin            []byte
}

// authorization is what of a request shows it.
type authorization struct {
	param    []byte
	protocol uint
	options  map[string]bool
}

// authorize lets the key verify its user, if that is wanted: by a PIN; by itself, for
// a token; or, with keys that know no permissions, in the course of the request.
func (k *Key) authorize(ctx context.Context, p purpose) (authorization, error) {
	switch {
	case p.pin != nil && !k.info.PINSet():
		return authorization{}, ErrNoPIN
	case p.pin != nil && (utf8.RuneCount(p.pin) < minPIN || len(p.pin) > maxPIN):
		return authorization{}, ErrPINLength
	case p.pin == nil && !p.uv:
		return authorization{}, nil
	case p.pin == nil && !k.info.UV():
		return authorization{}, ErrNoUV
	case p.pin == nil && !k.info.permissions():
		return authorization{options: map[string]bool{"uv": true}}, nil
	}
	protocol := k.info.protocol()
	if protocol == 0 {
		return authorization{}, fmt.Errorf("%w: it speaks no PIN protocol that is known", ErrUnsupported)
	}
	token, err := k.token(ctx, protocol, p)
	if err != nil {
		return authorization{}, err
	}
	defer clear(token)
	return authorization{param: authenticate(protocol, token, p.clientDataHash), protocol: protocol}, nil
}

// token asks for a pinUvAuthToken. A PIN that the key has refused is not sent again; one that
// it was too busy to look at is, and one that it took, if the touch after it did not come.
func (k *Key) token(ctx context.Context, protocol uint, p purpose) ([]byte, error) {
	var hello, r pinReply
	if err := k.command(ctx, clientPIN, pinRequest{Protocol: protocol, Subcommand: subAgreement}, &hello); err != nil {
		return nil, fmt.Errorf("agreeing with the key on a secret: %w", err)
	}
	s, own, err := agree(protocol, hello.Agreement)
	if err != nil {
		return nil, err
	}
	defer s.wipe()
	request := pinRequest{Protocol: protocol, Subcommand: subToken, Agreement: own}
	if k.info.permissions() {
		request.Subcommand, request.Permissions, request.RPID = subTokenWithPIN, p.permission, p.rpID
	}
	if p.pin == nil {
		request.Subcommand = subTokenByUV
	} else {
		hash := sha256.Sum256(p.pin)
		request.PINHash = s.seal(hash[:16])
		clear(hash[:])
	}
	err = k.command(ctx, clientPIN, request, &r)
	defer clear(r.Token)
	if errors.As(err, new(WrongPIN)) {
		return nil, k.wrongPIN(ctx)
	}
	if err != nil {
		return nil, err
	}
	return s.openToken(r.Token)
}

// wrongPIN says how many tries are left.
func (k *Key) wrongPIN(ctx context.Context) error {
	left, _, err := k.PINRetries(ctx)
	if err != nil {
		return WrongPIN{Retries: -1}
	}
	return WrongPIN{Retries: left}
}
