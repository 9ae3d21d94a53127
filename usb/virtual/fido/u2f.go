package fido

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"math/big"
	"slices"
	"time"
)

// Status words of U2F ("FIDO U2F Raw Message Formats", 3.3).
const (
	swOK            = 0x9000
	swConditions    = 0x6985
	swWrongData     = 0x6a80
	swWrongLength   = 0x6700
	swNotSupported  = 0x6d00
	swClassUnknown  = 0x6e00
	u2fRegister     = 0x01
	u2fAuthenticate = 0x02
	u2fVersion      = 0x03
	checkOnly       = 0x07
	enforcePresence = 0x03
	noPresence      = 0x08
	// latch is how long a touch waits for the host to ask again.
	latch = 10 * time.Second
)

// apdu does a U2F command.
func (t *transaction) apdu(request []byte) []byte {
	answer, sw := t.u2f(request)
	return binary.BigEndian.AppendUint16(answer, uint16(sw))
}

func (t *transaction) u2f(request []byte) ([]byte, int) {
	if len(request) < 4 {
		return nil, swWrongLength
	}
	if request[0] != 0 {
		return nil, swClassUnknown
	}
	data, ok := extended(request[4:])
	if !ok {
		return nil, swWrongLength
	}
	switch ins, p1 := request[1], request[2]; {
	case ins == u2fVersion && len(data) == 0:
		return []byte("U2F_V2"), swOK
	case ins == u2fRegister && len(data) == 64:
		return t.register(data)
	case ins == u2fAuthenticate && len(data) > 65 && len(data) == 65+int(data[64]):
		return t.authenticate(p1, data)
	case ins > u2fVersion:
		return nil, swNotSupported
	}
	return nil, swWrongLength
}

// extended reads the data of an APDU with lengths of three bytes, or with none.
func extended(b []byte) (data []byte, ok bool) {
	switch {
	case len(b) == 0:
		return nil, true
	case len(b) < 3 || b[0] != 0:
		return nil, false
	case len(b) == 3:
		return nil, true // only how much is expected
	}
	n := int(b[1])<<8 | int(b[2])
	rest := b[3:]
	if len(rest) != n && len(rest) != n+2 {
		return nil, false
	}
	return rest[:n], true
}

// RegisterU2F makes a credential as register does, without a touch. The point has 65
// bytes.
func (k *Key) RegisterU2F(appID string) (handle, point []byte) {
	k.turn.Lock()
	defer k.turn.Unlock()
	c := newCredential(sha256.Sum256([]byte(appID)), algES256)
	k.keep(c)
	return c.id, c.point()
}

func (c *credential) point() []byte {
	b, err := c.key.Public().(*ecdsa.PublicKey).Bytes()
	if err != nil {
		panic(err) // the key was made here
	}
	return b
}

func (t *transaction) register(data []byte) ([]byte, int) {
	if !t.touched() {
		return nil, swConditions
	}
	challenge, app := data[:32], data[32:]
	c := newCredential([32]byte(app), algES256)
	t.key.keep(c)
	point := c.point()
	key, certificate := attestationKey(false)
	b := slices.Concat([]byte{5}, point, []byte{byte(len(c.id))}, c.id, certificate)
	return append(b, sign(key, slices.Concat([]byte{0}, app, challenge, c.id, point))...), swOK
}

func (t *transaction) authenticate(p1 byte, data []byte) ([]byte, int) {
	challenge, app, handle := data[:32], data[32:64], data[65:]
	found := t.key.find([32]byte(app), []descriptor{{ID: handle, Type: publicKey}}, false)
	if len(found) == 0 || found[0].alg() != algES256 {
		return nil, swWrongData
	}
	up := byte(flagUP)
	switch {
	case p1 == checkOnly:
		return nil, swConditions
	case p1 == noPresence:
		up = 0
	case p1 != enforcePresence:
		return nil, swWrongData
	case !t.touched():
		return nil, swConditions
	}
	b := binary.BigEndian.AppendUint32([]byte{up}, t.next())
	return append(b, found[0].sign(app, b, challenge)...), swOK
}

// touched says whether the key was touched since it was asked for, and begins to
// blink if not: U2F doesn't wait, the host asks again and again.
func (t *transaction) touched() bool {
	if time.Since(t.latched) < latch {
		t.latched = time.Time{}
		return true
	}
	if !t.waiting {
		t.waiting = true
		go t.blink()
	}
	return false
}

func (t *transaction) blink() {
	// Not of this request, which ends at once, but of the power.
	long := &transaction{Port: t.Port, Options: t.Options, ctx: t.Port.ctx, over: true}
	err := long.touch()
	t.key.turn.Lock()
	defer t.key.turn.Unlock()
	t.waiting = false
	if err == nil {
		t.latched = time.Now()
	}
}

// attestationKey makes a key that vouches for this model, with a certificate as
// WebAuthn 8.2.1 wants it.
func attestationKey(aaguid bool) (crypto.Signer, []byte) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), BasicConstraintsValid: true,
		NotBefore: time.Unix(1600000000, 0), NotAfter: time.Unix(4000000000, 0),
		Subject: pkix.Name{Country: []string{"SE"}, Organization: []string{"factord"}, OrganizationalUnit: []string{"Authenticator Attestation"}, CommonName: "test key"},
	}
	if aaguid {
		value, err := asn1.Marshal(AAGUID[:])
		if err != nil {
			panic(err)
		}
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 45724, 1, 1, 4}, Value: value}}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return key, der
}
