package fido

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"slices"
	"unicode/utf8"
)

// Permissions of a token (6.5.5.7).
const (
	permitMake   = 0x01
	permitAssert = 0x02
)

// Subcommands of clientPIN (6.5.5).
const (
	pinGetRetries   = 1
	pinGetAgreement = 2
	pinSet          = 3
	pinChange       = 4
	pinGetToken     = 5
	uvGetToken      = 6
	uvGetRetries    = 7
	pinGetTokenWith = 9
)

type pinRequest struct {
	Protocol    uint        `cbor:"1,keyasint"`
	Subcommand  uint        `cbor:"2,keyasint"`
	Agreement   map[int]any `cbor:"3,keyasint"`
	Auth        []byte      `cbor:"4,keyasint"`
	NewPIN      []byte      `cbor:"5,keyasint"`
	PINHash     []byte      `cbor:"6,keyasint"`
	Permissions uint        `cbor:"9,keyasint"`
	RPID        string      `cbor:"10,keyasint"`
}

// pinSession is what of the PIN is forgotten without power.
type pinSession struct {
	agreement   *ecdh.PrivateKey
	token       []byte
	permissions uint
	rpID        string // that the token is for; "": any, until it is used
	wrong       int    // PINs in a row
}

func newPINSession() pinSession {
	s := pinSession{}
	s.renew()
	return s
}

// renew makes a new key for the agreement (6.5.5.1).
func (s *pinSession) renew() {
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		panic(err) // the curve is fine
	}
	s.agreement = key
}

// used takes all permissions from the token: a touch was spent on it.
func (s *pinSession) used() { s.permissions = 0 }

// clientPIN is 6.5.5.
func (t *transaction) clientPIN(r pinRequest) (any, error) {
	if r.Subcommand == pinGetRetries {
		answer := map[int]any{3: t.key.pinRetries}
		if t.pin.wrong >= maxInARow {
			answer[4] = true
		}
		return answer, nil
	}
	if r.Subcommand == uvGetRetries {
		return map[int]any{5: t.key.uvRetries}, nil
	}
	if !slices.Contains(t.protocols(), r.Protocol) {
		return nil, statusInvalidParameter
	}
	if r.Subcommand == pinGetAgreement {
		point := t.pin.agreement.PublicKey().Bytes()
		return map[int]any{1: map[int]any{1: 2, 3: -25, -1: 1, -2: point[1:33], -3: point[33:]}}, nil
	}
	s, err := t.pin.agree(r.Protocol, r.Agreement)
	if err != nil {
		return nil, err
	}
	switch r.Subcommand {
	case pinSet:
		return nil, t.setPIN(s, r)
	case pinChange:
		return nil, t.changePIN(s, r)
	case pinGetToken:
		if r.Permissions != 0 || r.RPID != "" {
			return nil, statusInvalidParameter
		}
		return t.pinToken(s, r, permitMake|permitAssert)
	case pinGetTokenWith:
		if t.Old {
			return nil, statusInvalidSubcommand
		}
		return t.pinToken(s, r, r.Permissions)
	case uvGetToken:
		if t.Old || t.Verify == nil {
			return nil, statusInvalidSubcommand
		}
		return t.uvToken(s, r)
	}
	return nil, statusInvalidSubcommand
}

func (t *transaction) setPIN(s secret, r pinRequest) error {
	if t.key.pinHash != nil {
		return statusPINAuthInvalid
	}
	if !s.authentic(r.NewPIN, r.Auth) {
		return statusPINAuthInvalid
	}
	return t.key.storePIN(s, r.NewPIN)
}

func (t *transaction) changePIN(s secret, r pinRequest) error {
	if t.key.pinHash == nil {
		return statusPINNotSet
	}
	if !s.authentic(slices.Concat(r.NewPIN, r.PINHash), r.Auth) {
		return statusPINAuthInvalid
	}
	if err := t.checkPIN(s, r.PINHash); err != nil {
		return err
	}
	return t.key.storePIN(s, r.NewPIN)
}

// storePIN takes a new PIN, which is padded with zeros to 64 bytes.
func (k *Key) storePIN(s secret, sealed []byte) error {
	padded, err := s.open(sealed)
	if err != nil || len(padded) != 64 {
		return statusInvalidParameter
	}
	pin := bytes.TrimRight(padded, "\x00")
	if !utf8.Valid(pin) || utf8.RuneCount(pin) < 4 || len(pin) > 63 {
		return statusPINPolicyViolation
	}
	sum := sha256.Sum256(pin)
	k.pinHash, k.pinRetries = sum[:16], maxPINRetries
	return nil
}

// checkPIN compares PINs and counts the wrong ones.
func (t *transaction) checkPIN(s secret, sealed []byte) error {
	k := t.key
	switch {
	case k.pinHash == nil:
		return statusPINNotSet
	case k.pinRetries == 0:
		return statusPINBlocked
	case t.pin.wrong >= maxInARow:
		return statusPINAuthBlocked
	}
	k.pinRetries--
	hash, err := s.open(sealed)
	if err == nil && hmac.Equal(hash, k.pinHash) {
		k.pinRetries, k.uvRetries, t.pin.wrong = maxPINRetries, maxUVRetries, 0
		return nil
	}
	t.pin.renew()
	t.pin.wrong++
	switch {
	case k.pinRetries == 0:
		return statusPINBlocked
	case t.pin.wrong >= maxInARow:
		return statusPINAuthBlocked
	}
	return statusPINInvalid
}

func (t *transaction) pinToken(s secret, r pinRequest, permissions uint) (any, error) {
	if permissions == 0 {
		return nil, statusInvalidParameter
	}
	if err := t.checkPIN(s, r.PINHash); err != nil {
		return nil, err
	}
	return t.issue(s, permissions, r.RPID), nil
}

func (t *transaction) uvToken(s secret, r pinRequest) (any, error) {
	if r.Permissions == 0 {
		return nil, statusInvalidParameter
	}
	if err := t.fingerprint(); err != nil {
		return nil, err
	}
	return t.issue(s, r.Permissions, r.RPID), nil
}

func (t *transaction) issue(s secret, permissions uint, rpID string) any {
	t.pin.token, t.pin.permissions, t.pin.rpID = random(32), permissions, rpID
	return map[int]any{2: s.seal(t.pin.token)}
}

// fingerprint verifies the user by the key's own reader.
func (t *transaction) fingerprint() error {
	if t.key.uvRetries == 0 {
		return statusUVBlocked
	}
	err := t.gesture(t.Verify, statusUVInvalid)
	if err == statusUVInvalid {
		if t.key.uvRetries--; t.key.uvRetries == 0 {
			return statusUVBlocked
		}
	}
	if err == nil {
		t.key.uvRetries = maxUVRetries
	}
	return err
}

// gate is what of a request verifies the user.
type gate struct {
	clientDataHash []byte
	rpID           string
	uv             bool
	auth           []byte
	protocol       uint
	permission     uint
	given          bool // auth
}

// verified says whether the user was verified for a request (6.1.2 and 6.2.2).
func (t *transaction) verified(g gate) (bool, error) {
	switch {
	case g.given && len(g.auth) == 0: // a way to let the person choose a key
		if err := t.touch(); err != nil {
			return false, err
		}
		if t.key.pinHash == nil {
			return false, statusPINNotSet
		}
		return false, statusPINInvalid
	case g.given:
		return true, t.checkToken(g)
	case g.uv && t.Verify == nil && t.Old && t.key.pinHash != nil: // as keys of that time do
		return false, statusPUATRequired
	case g.uv && t.Verify == nil:
		return false, statusInvalidOption
	case g.uv:
		return true, t.fingerprint()
	case t.AlwaysUV:
		return false, statusPUATRequired
	}
	return false, nil
}

func (t *transaction) checkToken(g gate) error {
	switch {
	case g.uv:
		return statusInvalidOption
	case !slices.Contains(t.protocols(), g.protocol):
		return statusInvalidParameter
	case t.pin.token == nil, t.pin.permissions&g.permission == 0, t.pin.rpID != "" && t.pin.rpID != g.rpID:
		return statusPINAuthInvalid
	case !authentic(g.protocol, t.pin.token, g.clientDataHash, g.auth):
		return statusPINAuthInvalid
	}
	t.pin.rpID = g.rpID
	return nil
}
