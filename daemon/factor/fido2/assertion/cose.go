package assertion

import (
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/fxamacker/cbor/v2"
)

// Numbers of COSE (RFC 9053, 7, and RFC 8230, 4).
const (
	ktyOKP = 1
	ktyEC2 = 2
	ktyRSA = 3

	crvP256    = 1
	crvEd25519 = 6

	coordinate = 32 // bytes
)

// coseKey is a COSE_Key. What -1, -2 and -3 mean depends on its kind.
type coseKey struct {
	Kty    int             `cbor:"1,keyasint"`
	Alg    int             `cbor:"3,keyasint"`
	Minus1 cbor.RawMessage `cbor:"-1,keyasint,omitempty"`
	Minus2 []byte          `cbor:"-2,keyasint,omitempty"`
	Minus3 []byte          `cbor:"-3,keyasint,omitempty"`
}

// strict is how CBOR of a key is read: CTAP2 allows no doubled keys, no indefinite
// lengths and no deep nesting (8).
func strict() (cbor.DecMode, error) {
	return cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden, TagsMd: cbor.TagsForbidden,
		MaxNestedLevels: 4, MaxArrayElements: 32, MaxMapPairs: 32,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
	}.DecMode()
}

// ParsePublicKey reads a COSE_Key.
func ParsePublicKey(cose []byte) (PublicKey, error) {
	if len(cose) > MaxAuthData {
		return PublicKey{}, errors.New("the public key is too long")
	}
	k, rest, err := firstPublicKey(cose)
	if err == nil && len(rest) != 0 {
		err = errors.New("there is something after the public key")
	}
	if err != nil {
		return PublicKey{}, err
	}
	return k, nil
}

// firstPublicKey reads the COSE_Key at the beginning. It has the parameters that it
// needs and no others (WebAuthn, 6.5.1.1).
func firstPublicKey(b []byte) (PublicKey, []byte, error) {
	mode, err := strict()
	if err != nil {
		return PublicKey{}, nil, err
	}
	var c coseKey
	rest, err := mode.UnmarshalFirst(b, &c)
	if err != nil {
		return PublicKey{}, nil, fmt.Errorf("the public key is no COSE key: %v", err)
	}
	k, err := c.key(mode)
	return k, rest, err
}

func (c coseKey) key(mode cbor.DecMode) (PublicKey, error) {
	var curve int
	var modulus []byte
	var err error
	if c.Kty == ktyRSA {
		err = mode.Unmarshal(c.Minus1, &modulus)
	} else {
		err = mode.Unmarshal(c.Minus1, &curve)
	}
	if err != nil {
		return PublicKey{}, errors.New("the public key has no curve or modulus")
	}
	switch alg := Algorithm(c.Alg); {
	case alg == ES256 && c.Kty == ktyEC2 && curve == crvP256 && len(c.Minus2) == coordinate && len(c.Minus3) == coordinate:
		return NewES256(slices.Concat([]byte{4}, c.Minus2, c.Minus3))
	case alg == EdDSA && c.Kty == ktyOKP && curve == crvEd25519 && c.Minus3 == nil:
		return NewEdDSA(c.Minus2)
	case alg == RS256 && c.Kty == ktyRSA && c.Minus3 == nil:
		return NewRS256(modulus, c.Minus2)
	default:
		return PublicKey{}, fmt.Errorf("the public key is of another kind: %s, type %d, curve %d", alg, c.Kty, curve)
	}
}

// COSE is the key as ParsePublicKey reads it; nil of the zero value.
func (k PublicKey) COSE() []byte {
	c := coseKey{Alg: int(k.Algorithm())}
	var minus1 any
	switch k.Algorithm() {
	case ES256:
		c.Kty, minus1 = ktyEC2, crvP256
		point := k.point()
		c.Minus2, c.Minus3 = point[1:1+coordinate], point[1+coordinate:]
	case EdDSA:
		c.Kty, minus1 = ktyOKP, crvEd25519
		c.Minus2 = k.point()
	case RS256:
		n, e := k.rsa()
		c.Kty, minus1, c.Minus2 = ktyRSA, n, big.NewInt(int64(e)).Bytes()
	default:
		return nil
	}
	mode, err := cbor.CTAP2EncOptions().EncMode()
	if err != nil {
		return nil
	}
	if c.Minus1, err = mode.Marshal(minus1); err != nil {
		return nil
	}
	b, err := mode.Marshal(c)
	if err != nil {
		return nil
	}
	return b
}

// skipExtensions reads the map of extensions, of which factord asks for none that it
// would look at.
func skipExtensions(b []byte) (rest []byte, err error) {
	mode, err := strict()
	if err != nil {
		return nil, err
	}
	var all map[string]cbor.RawMessage
	if rest, err = mode.UnmarshalFirst(b, &all); err != nil || all == nil {
		return nil, errors.New("the extensions of authenticator data are malformed")
	}
	return rest, nil
}
