package ctap

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// Algorithms of credentials, the best liked first.
const (
	algES256 = -7
	algEdDSA = -8
)

// Enrolment asks for a new credential.
type Enrolment struct {
	RPID, RPName string
	// UserID has up to 64 bytes, and is nothing that tells who the person is.
	UserID                []byte
	UserName, DisplayName string
	ClientDataHash        [sha256.Size]byte
	// Exclude are credentials of this person: a key that has one is refused.
	Exclude [][]byte
	// Resident: the key shall keep the credential, and find it by RPID.
	Resident bool
	UV       bool   // as in Request
	PIN      []byte // as in Request
}

// Attestation is what a key says of a new credential: evidence, about which nothing is
// decided here.
type Attestation struct {
	Format    string // such as "packed"
	AuthData  []byte
	Statement []byte // CBOR, as the format has it
}

type entity struct {
	ID          any    `cbor:"id"`
	Name        string `cbor:"name,omitempty"`
	DisplayName string `cbor:"displayName,omitempty"`
}

type algorithm struct {
	Alg  int    `cbor:"alg"`
	Type string `cbor:"type"`
}

type makeRequest struct {
	ClientDataHash []byte          `cbor:"1,keyasint"`
	RP             entity          `cbor:"2,keyasint"`
	User           entity          `cbor:"3,keyasint"`
	Algorithms     []algorithm     `cbor:"4,keyasint"`
	Exclude        []descriptor    `cbor:"5,keyasint,omitempty"`
	Options        map[string]bool `cbor:"7,keyasint,omitempty"`
	Auth           []byte          `cbor:"8,keyasint,omitempty"`
	Protocol       uint            `cbor:"9,keyasint,omitempty"`
}

type makeReply struct {
	Format    string          `cbor:"1,keyasint"`
	AuthData  []byte          `cbor:"2,keyasint"`
	Statement cbor.RawMessage `cbor:"3,keyasint"`
}

// MakeCredential asks for a new credential. Keys of U2F alone are too old for that.
func (k *Key) MakeCredential(ctx context.Context, e Enrolment) (Attestation, error) {
	if !k.CTAP2() {
		return Attestation{}, fmt.Errorf("making a credential: %w: it knows U2F alone", ErrUnsupported)
	}
	if len(e.UserID) == 0 || len(e.UserID) > maxUserID {
		return Attestation{}, fmt.Errorf("the user's id has %d bytes, not 1 to %d", len(e.UserID), maxUserID)
	}
	if err := checkIDs(e.Exclude); err != nil {
		return Attestation{}, err
	}
	auth, err := k.authorize(ctx, purpose{permitMake, e.RPID, e.ClientDataHash[:], e.UV, e.PIN})
	if err != nil {
		return Attestation{}, err
	}
	if e.Resident {
		if auth.options == nil {
			auth.options = map[string]bool{}
		}
		auth.options["rk"] = true
	}
	var r makeReply
	err = k.command(ctx, makeCredential, makeRequest{
		ClientDataHash: e.ClientDataHash[:], RP: entity{ID: e.RPID, Name: e.RPName},
		User:       entity{ID: e.UserID, Name: e.UserName, DisplayName: e.DisplayName},
		Algorithms: []algorithm{{algES256, publicKey}, {algEdDSA, publicKey}},
		Exclude:    descriptors(e.Exclude), Options: auth.options, Auth: auth.param, Protocol: auth.protocol,
	}, &r)
	if err != nil {
		return Attestation{}, err
	}
	if r.Format == "" || len(r.AuthData) < minAuthData || len(r.AuthData) > maxAuthData {
		return Attestation{}, fmt.Errorf("%w: authenticator data of %d bytes", ErrMalformed, len(r.AuthData))
	}
	return Attestation{Format: r.Format, AuthData: r.AuthData, Statement: r.Statement}, nil
}
