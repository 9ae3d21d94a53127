package ctap

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"
)

// U2F, or CTAP1 ("FIDO U2F Raw Message Formats", 3 and 5).
const (
	u2fAuthenticate = 0x02
	u2fCheck        = 0x07 // whether the key handle is the key's
	u2fSign         = 0x03 // with a touch

	swOK          = 0x9000
	swTouch       = 0x6985 // also: the key handle is the key's
	swWrongData   = 0x6a80 // the key handle is another key's
	swWrongLength = 0x6700 // what some say instead

	// u2fPoll is how often a key is asked whether it was touched.
	u2fPoll   = 200 * time.Millisecond
	maxHandle = 255
	flagsSize = 1 + 4 // the touch and the counter
)

// byU2F says whether a credential is asked for that way. Keys of U2F alone take
// credentials of CTAP2 clients, that were made by U2F as well.
func (k *Key) byU2F(made bool) bool { return !k.CTAP2() || made && k.knowsMsg() }

// assertU2F tries one key handle after the other.
func (k *Key) assertU2F(ctx context.Context, r Request) ([]Assertion, error) {
	switch {
	case r.UV || r.PIN != nil:
		return nil, fmt.Errorf("%w: U2F knows neither PIN nor fingerprint", ErrUnsupported)
	case len(r.IDs) == 0:
		return nil, fmt.Errorf("%w: U2F keeps no credentials", ErrUnsupported)
	}
	for _, id := range r.IDs {
		held, err := k.holdsU2F(ctx, r.RPID, id)
		if err != nil {
			return nil, err
		}
		if held == Yes {
			a, err := k.signU2F(ctx, r, id)
			return []Assertion{a}, err
		}
	}
	return nil, ErrNoCredentials
}

// holdsU2F asks whether a key handle is the key's.
func (k *Key) holdsU2F(ctx context.Context, rpID string, id []byte) (Held, error) {
	if len(id) == 0 || len(id) > maxHandle || !k.knowsMsg() {
		return No, nil
	}
	var nothing [sha256.Size]byte
	rand.Read(nothing[:])
	switch _, sw, err := k.authenticateU2F(ctx, u2fCheck, rpID, nothing, id); {
	case err != nil:
		return No, err
	case sw == swTouch || sw == swOK:
		return Yes, nil
	case sw == swWrongData || sw == swWrongLength:
		return No, nil
	default:
		return No, errStatusWord(sw)
	}
}

// signU2F asks for a signature until the key was touched.
func (k *Key) signU2F(ctx context.Context, r Request, id []byte) (Assertion, error) {
	for told := false; ; {
		answer, sw, err := k.authenticateU2F(ctx, u2fSign, r.RPID, r.ClientDataHash, id)
		switch {
		case err != nil:
			return Assertion{}, err
		case sw == swOK:
			return evidence(r.RPID, id, answer)
		case sw == swWrongData:
			return Assertion{}, ErrNoCredentials
		case sw != swTouch:
			return Assertion{}, errStatusWord(sw)
		}
		if !told {
			told = true
			k.touch()
		}
		select {
		case <-time.After(u2fPoll):
		case <-ctx.Done():
			return Assertion{}, ctx.Err()
		}
	}
}

// evidence makes of U2F's answer what CTAP2 would have said: the signature is over the
// same bytes.
func evidence(rpID string, id, answer []byte) (Assertion, error) {
	if len(answer) <= flagsSize || len(answer) > flagsSize+maxSignature {
		return Assertion{}, fmt.Errorf("%w: an answer of %d bytes", ErrMalformed, len(answer))
	}
	app := sha256.Sum256([]byte(rpID))
	return Assertion{CredentialID: id, AuthData: slices.Concat(app[:], answer[:flagsSize]), Signature: answer[flagsSize:]}, nil
}

func (k *Key) authenticateU2F(ctx context.Context, control byte, rpID string, challenge [sha256.Size]byte, id []byte) (answer []byte, sw uint16, err error) {
	if len(id) > maxHandle {
		return nil, 0, errors.New("the key handle is too long for U2F")
	}
	app := sha256.Sum256([]byte(rpID))
	data := slices.Concat(challenge[:], app[:], []byte{byte(len(id))}, id)
	apdu := []byte{0, u2fAuthenticate, control, 0, 0}
	apdu = binary.BigEndian.AppendUint16(apdu, uint16(len(data)))
	apdu = append(append(apdu, data...), 0, 0) // as long an answer as it likes
	reply, err := k.transact(ctx, cmdMsg, apdu)
	if err != nil {
		return nil, 0, err
	}
	if len(reply) < 2 {
		return nil, 0, fmt.Errorf("%w: no status word", ErrMalformed)
	}
	end := len(reply) - 2
	return reply[:end], binary.BigEndian.Uint16(reply[end:]), nil
}

func errStatusWord(sw uint16) error { return fmt.Errorf("the key refuses: status word 0x%04x", sw) }
