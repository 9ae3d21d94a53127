// Package assertion verifies what a FIDO2 security key has signed, and reads what it
// says of a new credential. It is pure: what is asked of a key, and what becomes of
// the answer, is for others. What reaches it comes from a key or from whoever plays
// one, so all of it is read to the end or refused.
//
// The format is that of "Web Authentication", Level 2, 6.1 and 6.5.
package assertion

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// Flags of authenticator data.
type Flags byte

// The flags. Others are reserved.
const (
	FlagPresent    Flags = 0x01 // somebody touched the key
	FlagVerified   Flags = 0x04 // by PIN or fingerprint, whose it is
	flagBackupAble Flags = 0x08
	flagBackedUp   Flags = 0x10
	flagCredential Flags = 0x40
	flagExtensions Flags = 0x80
)

// Verified says whether the key knew its owner, by PIN or fingerprint.
func (f Flags) Verified() bool { return f&FlagVerified != 0 }

// Counter is a signature counter. A key that has none says 0 for ever.
type Counter uint32

// ErrCounter: a counter did not go up. Either the credential exists twice, or an old
// answer is shown again.
var ErrCounter = errors.New("the key's signature counter did not go up")

// Advance takes a counter that comes after c. It may be one for all credentials of
// the key, so gaps are normal. Once there is a counter it does not go away.
func (c Counter) Advance(next Counter) error {
	if next > c || c == 0 && next == 0 {
		return nil
	}
	return fmt.Errorf("%w: it was %d and is %d", ErrCounter, c, next)
}

// Limits, in bytes.
const (
	headerSize = sha256.Size + 1 + 4
	// MaxAuthData is far more than the data of a new RSA credential.
	MaxAuthData = 4096
	// MaxCredentialID is what WebAuthn allows (5.8.3).
	MaxCredentialID = 1023
	// MaxSignature is that of an RSA key of 4096 bits.
	MaxSignature = 512
)

// Credential is what is known of an enrolled credential.
type Credential struct {
	// RPIDHash is the SHA-256 of the relying party's id, or of U2F's AppID.
	RPIDHash [sha256.Size]byte
	Key      PublicKey
}

// Check verifies an assertion: made for this relying party, by this key, with a touch,
// and of this clientDataHash, which must have been made for this attempt alone. The
// caller has the counter and the verification of the user to look at.
//
// U2F signs AppID's hash, a byte for the touch, counter and challenge ("U2F Raw Message
// Formats", 5.4), which is the same with authData as the first three.
func (c Credential) Check(authData, clientDataHash, signature []byte) (Counter, Flags, error) {
	d, err := c.signed(authData, clientDataHash, signature)
	if err == nil {
		err = d.touched()
	}
	if err != nil {
		return 0, 0, err
	}
	return d.counter, d.flags, nil
}

// CheckSilent verifies an assertion that nobody was asked to touch the key for: it shows
// that the key has the credential, and nothing of a person.
func (c Credential) CheckSilent(authData, clientDataHash, signature []byte) error {
	_, err := c.signed(authData, clientDataHash, signature)
	return err
}

// signed reads what this key has signed for this relying party.
func (c Credential) signed(authData, clientDataHash, signature []byte) (data, error) {
	d, err := parse(authData)
	switch {
	case err != nil:
		return data{}, err
	case d.flags&flagCredential != 0:
		return data{}, errors.New("the assertion comes with a new credential")
	case len(clientDataHash) != sha256.Size:
		return data{}, errors.New("the client data's hash has not 32 bytes")
	}
	if err := d.isFor(c.RPIDHash); err != nil {
		return data{}, err
	}
	return d, c.Key.verify(slices.Concat(authData, clientDataHash), signature)
}

// data is authenticator data.
type data struct {
	rpIDHash [sha256.Size]byte
	flags    Flags
	counter  Counter
	attested *attested // if there is a new credential
}

// parse reads authenticator data to its end.
func parse(b []byte) (d data, err error) {
	if len(b) < headerSize || len(b) > MaxAuthData {
		return data{}, fmt.Errorf("authenticator data has %d bytes, not %d to %d", len(b), headerSize, MaxAuthData)
	}
	d.rpIDHash, d.flags = [sha256.Size]byte(b), Flags(b[sha256.Size])
	d.counter = Counter(binary.BigEndian.Uint32(b[sha256.Size+1:]))
	known := FlagPresent | FlagVerified | flagBackupAble | flagBackedUp | flagCredential | flagExtensions
	if d.flags&^known != 0 {
		return data{}, fmt.Errorf("authenticator data has unknown flags: 0x%02x", byte(d.flags))
	}
	rest := b[headerSize:]
	if d.flags&flagCredential != 0 {
		if d.attested, rest, err = parseAttested(rest); err != nil {
			return data{}, err
		}
	}
	if d.flags&flagExtensions != 0 {
		if rest, err = skipExtensions(rest); err != nil {
			return data{}, err
		}
	}
	if len(rest) != 0 {
		return data{}, fmt.Errorf("authenticator data has %d bytes too many", len(rest))
	}
	return d, nil
}

// isFor checks for whom a key has signed.
func (d data) isFor(rpIDHash [sha256.Size]byte) error {
	if subtle.ConstantTimeCompare(d.rpIDHash[:], rpIDHash[:]) != 1 {
		return errors.New("the key answered for another relying party")
	}
	return nil
}

// touched checks that somebody was there.
func (d data) touched() error {
	if d.flags&FlagPresent == 0 {
		return errors.New("nobody touched the key")
	}
	return nil
}
