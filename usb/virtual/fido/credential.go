package fido

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// Names and numbers of COSE and of WebAuthn.
const (
	publicKey = "public-key"
	algES256  = -7
	algEdDSA  = -8
)

// Flags of authenticator data.
const (
	flagUP = 0x01
	flagUV = 0x04
	flagAT = 0x40
	flagED = 0x80
)

type rp struct {
	ID   string `cbor:"id"`
	Name string `cbor:"name,omitempty"`
}

type user struct {
	ID          []byte `cbor:"id"`
	Name        string `cbor:"name,omitempty"`
	DisplayName string `cbor:"displayName,omitempty"`
}

type descriptor struct {
	ID   []byte `cbor:"id"`
	Type string `cbor:"type"`
}

type parameter struct {
	Alg  int    `cbor:"alg"`
	Type string `cbor:"type"`
}

type credential struct {
	id       []byte
	rpIDHash [32]byte
	user     user
	resident bool
	protect  int // credProtect's level (12.1); 0: it was not asked for
	key      crypto.Signer
}

func newCredential(rpIDHash [32]byte, alg int) *credential {
	c := &credential{id: random(48), rpIDHash: rpIDHash}
	switch alg {
	case algES256:
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic(err) // the curve is fine
		}
		c.key = key
	case algEdDSA:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			panic(err)
		}
		c.key = key
	}
	return c
}

func (c *credential) alg() int {
	if _, ok := c.key.(ed25519.PrivateKey); ok {
		return algEdDSA
	}
	return algES256
}

// cose is the public key (RFC 9053, 7).
func (c *credential) cose() map[int]any {
	switch pub := c.key.Public().(type) {
	case ed25519.PublicKey:
		return map[int]any{1: 1, 3: algEdDSA, -1: 6, -2: []byte(pub)}
	case *ecdsa.PublicKey:
		return cosePoint(pub, algES256)
	}
	panic("a key of another kind")
}

func cosePoint(pub *ecdsa.PublicKey, alg int) map[int]any {
	point, err := pub.Bytes()
	if err != nil {
		panic(err) // the key was made here
	}
	return map[int]any{1: 2, 3: alg, -1: 1, -2: point[1:33], -3: point[33:]}
}

func (c *credential) sign(parts ...[]byte) []byte {
	return sign(c.key, slices.Concat(parts...))
}

func sign(key crypto.Signer, message []byte) []byte {
	hash := crypto.Hash(0)
	if _, ok := key.(ed25519.PrivateKey); !ok {
		sum := sha256.Sum256(message)
		message, hash = sum[:], crypto.SHA256
	}
	sig, err := key.Sign(rand.Reader, message, hash)
	if err != nil {
		panic(err)
	}
	return sig
}

// next counts a signature.
func (t *transaction) next() uint32 {
	if t.Count != nil {
		t.key.count = t.Count(t.key.count)
	} else {
		t.key.count++
	}
	return t.key.count
}

// authData is authenticator data (WebAuthn, 6.1), with the credential if it is new.
func (t *transaction) authData(c *credential, flags byte, fresh bool) []byte {
	if fresh {
		flags |= flagAT
		if c.protect != 0 {
			flags |= flagED
		}
	}
	b := append(c.rpIDHash[:], flags)
	b = binary.BigEndian.AppendUint32(b, t.next())
	if fresh {
		b = append(b, AAGUID[:]...)
		b = binary.BigEndian.AppendUint16(b, uint16(len(c.id)))
		b = append(append(b, c.id...), encode(c.cose())...)
		if c.protect != 0 {
			b = append(b, encode(map[string]int{"credProtect": c.protect})...)
		}
	}
	return b
}

// find returns the credentials of a relying party that a list names, or the resident
// ones if there is none. Protected ones it shows only to the verified (12.1).
func (k *Key) find(rpIDHash [32]byte, list []descriptor, verified bool) []*credential {
	var found []*credential
	for _, c := range slices.Backward(k.credentials) {
		named := slices.ContainsFunc(list, func(d descriptor) bool { return d.Type == publicKey && bytes.Equal(d.ID, c.id) })
		switch {
		case c.rpIDHash != rpIDHash, len(list) > 0 && !named, len(list) == 0 && !c.resident:
		case !verified && (c.protect == 3 || c.protect == 2 && !named):
		default:
			found = append(found, c)
		}
	}
	return found
}
