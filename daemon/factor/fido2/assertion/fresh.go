package assertion

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// Fresh is a new credential.
type Fresh struct {
	ID      []byte
	Key     PublicKey
	AAGUID  [16]byte // the key's model; zero if it doesn't tell
	Counter Counter
	Flags   Flags
}

// ParseFresh reads the authenticator data of a new credential for a relying party. That
// the key has the private half is shown by an assertion, for which it is to be asked next.
func ParseFresh(rpID string, authData []byte) (Fresh, error) {
	d, err := parse(authData)
	if err != nil {
		return Fresh{}, err
	}
	if d.attested == nil {
		return Fresh{}, errors.New("there is no new credential in the authenticator data")
	}
	if err := cmp.Or(d.isFor(sha256.Sum256([]byte(rpID))), d.touched()); err != nil {
		return Fresh{}, err
	}
	return Fresh{ID: d.attested.id, Key: d.attested.key, AAGUID: d.attested.aaguid, Counter: d.counter, Flags: d.flags}, nil
}

// attested is attested credential data (WebAuthn, 6.5.1).
type attested struct {
	aaguid [16]byte
	id     []byte
	key    PublicKey
}

func parseAttested(b []byte) (*attested, []byte, error) {
	const fixed = 16 + 2
	if len(b) < fixed {
		return nil, nil, errors.New("the new credential is cut off")
	}
	size := int(binary.BigEndian.Uint16(b[16:]))
	a := &attested{aaguid: [16]byte(b)}
	switch b = b[fixed:]; {
	case size == 0 || size > MaxCredentialID:
		return nil, nil, fmt.Errorf("the credential's id has %d bytes, not 1 to %d", size, MaxCredentialID)
	case len(b) < size:
		return nil, nil, errors.New("the new credential is cut off")
	}
	a.id = bytes.Clone(b[:size])
	key, rest, err := firstPublicKey(b[size:])
	a.key = key
	return a, rest, err
}
