package card

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/binary"
	"math/big"
)

// The keys' algorithms: SP 800-78-4, table 6-2, and Yubico's since 5.7.
const (
	algRSA2048 = 0x07
	algP256    = 0x11
	algP384    = 0x14
	algRSA3072 = 0x05
	algRSA4096 = 0x16
	algEd25519 = 0xe0
)

// The slots with rules of their own.
const (
	slotAuthentication = 0x9a
	slotSignature      = 0x9c
	slotKeyManagement  = 0x9d
	slotCardAuth       = 0x9e
	slotRetiredFirst   = 0x82
	slotRetiredLast    = 0x95
	slotAttestation    = 0xf9
)

const (
	pinNever, pinOnce, pinAlways = 1, 2, 3

	touchNever, touchAlways, touchCached = 1, 2, 3

	originGenerated, originImported = 1, 2
)

// key is what a slot holds.
type key struct {
	algorithm  byte
	private    crypto.Signer
	pin, touch byte
	origin     byte
}

// The tags of GENERATE ASYMMETRIC KEY PAIR and of import.
const (
	tagGenerate    = 0xac
	tagAlgorithm   = 0x80
	tagPINPolicy   = 0xaa
	tagTouchPolicy = 0xab
	tagPublicKey   = 0x7f49
	tagModulus     = 0x81
	tagExponent    = 0x82
	tagPoint       = 0x86

	tagPrimeP      = 0x01
	tagPrimeQ      = 0x02
	tagECScalar    = 0x06
	tagEd25519Seed = 0x07
)

// isSlot reports whether a slot can hold a key.
func isSlot(slot byte) bool {
	switch slot {
	case slotAuthentication, slotSignature, slotKeyManagement, slotCardAuth, slotAttestation:
		return true
	}
	return slot >= slotRetiredFirst && slot <= slotRetiredLast
}

// generate is GENERATE ASYMMETRIC KEY PAIR.
func (c *Card) generate(cmd command) ([]byte, status) {
	if cmd.p1 != 0 || !isSlot(cmd.p2) {
		return nil, wrongParameters
	}
	if !c.session.managed {
		return nil, securityStatus
	}
	template, _ := only(tagGenerate, cmd.data)
	in, parsed := fields(template)
	algorithm := in[tagAlgorithm]
	if !parsed || len(algorithm) != 1 {
		return nil, wrongData
	}
	k := key{algorithm: algorithm[0], origin: originGenerated}
	if sw := c.setPolicies(&k, cmd.p2, in); sw != success {
		return nil, sw
	}
	if k.private = c.newPrivate(k.algorithm); k.private == nil {
		return nil, wrongData
	}
	c.memory.keys[cmd.p2] = k
	return encode(tagPublicKey, encodePublic(k.private.Public())), success
}

// newPrivate makes a private key, nil if the firmware does not know the algorithm.
func (c *Card) newPrivate(algorithm byte) (private crypto.Signer) {
	v57 := c.config.Version.AtLeast(5, 7)
	switch {
	case algorithm == algP256:
		private, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case algorithm == algP384:
		private, _ = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case algorithm == algRSA2048:
		private, _ = rsa.GenerateKey(rand.Reader, 2048)
	case algorithm == algRSA3072 && v57:
		private, _ = rsa.GenerateKey(rand.Reader, 3072)
	case algorithm == algRSA4096 && v57:
		private, _ = rsa.GenerateKey(rand.Reader, 4096)
	case algorithm == algEd25519 && v57:
		_, private, _ = ed25519.GenerateKey(rand.Reader)
	}
	return private
}

// setPolicies reads a key's policies, or takes those that its slot has by default.
func (c *Card) setPolicies(k *key, slot byte, in map[byte][]byte) status {
	k.pin, k.touch = pinOnce, touchNever
	switch slot {
	case slotSignature:
		k.pin = pinAlways
	case slotCardAuth:
		k.pin = pinNever
	}
	for tag, policy := range map[byte]*byte{tagPINPolicy: &k.pin, tagTouchPolicy: &k.touch} {
		value, given := in[tag]
		switch {
		case !given:
		case len(value) != 1 || value[0] > 3:
			return wrongData
		case value[0] != 0:
			*policy = value[0]
		}
	}
	return success
}

// importKey is Yubico's IMPORT ASYMMETRIC KEY: P1 is the algorithm, P2 the slot.
func (c *Card) importKey(cmd command) status {
	if !isSlot(cmd.p2) {
		return wrongParameters
	}
	if !c.session.managed {
		return securityStatus
	}
	in, parsed := fields(cmd.data)
	if !parsed {
		return wrongData
	}
	k := key{algorithm: cmd.p1, origin: originImported}
	if sw := c.setPolicies(&k, cmd.p2, in); sw != success {
		return sw
	}
	if k.private = c.readPrivate(k.algorithm, in); k.private == nil {
		return wrongData
	}
	c.memory.keys[cmd.p2] = k
	return success
}

// readPrivate makes a private key of its parts, nil if they are none.
func (c *Card) readPrivate(algorithm byte, in map[byte][]byte) crypto.Signer {
	v57 := c.config.Version.AtLeast(5, 7)
	switch {
	case algorithm == algP256:
		return readEC(elliptic.P256(), in[tagECScalar])
	case algorithm == algP384:
		return readEC(elliptic.P384(), in[tagECScalar])
	case algorithm == algEd25519 && v57 && len(in[tagEd25519Seed]) == ed25519.SeedSize:
		return ed25519.NewKeyFromSeed(in[tagEd25519Seed])
	case algorithm == algRSA2048:
		return readRSA(2048, in[tagPrimeP], in[tagPrimeQ])
	case algorithm == algRSA3072 && v57:
		return readRSA(3072, in[tagPrimeP], in[tagPrimeQ])
	case algorithm == algRSA4096 && v57:
		return readRSA(4096, in[tagPrimeP], in[tagPrimeQ])
	}
	return nil
}

func readEC(curve elliptic.Curve, scalar []byte) crypto.Signer {
	private, err := ecdsa.ParseRawPrivateKey(curve, scalar)
	if err != nil {
		return nil
	}
	return private
}

// readRSA makes a key of two primes; its exponent is what every tool uses.
func readRSA(bits int, p, q []byte) crypto.Signer {
	one, e := big.NewInt(1), big.NewInt(65537)
	P, Q := new(big.Int).SetBytes(p), new(big.Int).SetBytes(q)
	n := new(big.Int).Mul(P, Q)
	if n.BitLen() != bits {
		return nil
	}
	phi := new(big.Int).Mul(new(big.Int).Sub(P, one), new(big.Int).Sub(Q, one))
	d := new(big.Int).ModInverse(e, phi)
	if d == nil {
		return nil
	}
	private := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: n, E: int(e.Int64())}, D: d, Primes: []*big.Int{P, Q}}
	if private.Validate() != nil {
		return nil
	}
	private.Precompute()
	return private
}

// encodePublic writes a public key as SP 800-73-4 part 2, table 11, has it.
func encodePublic(public crypto.PublicKey) []byte {
	switch public := public.(type) {
	case *rsa.PublicKey:
		e := binary.BigEndian.AppendUint32(nil, uint32(public.E))
		return append(encode(tagModulus, public.N.Bytes()), encode(tagExponent, bytes.TrimLeft(e, "\x00"))...)
	case *ecdsa.PublicKey:
		point, _ := public.Bytes()
		return encode(tagPoint, point)
	}
	return encode(tagPoint, public.(ed25519.PublicKey))
}

// metadata is Yubico's GET METADATA of a slot, the PIN or the PUK.
func (c *Card) metadata(cmd command) ([]byte, status) {
	const (
		tagAlgorithm, tagPolicy, tagOrigin, tagPublic, tagFactory, tagTries = 1, 2, 3, 4, 5, 6

		algorithmPIN = 0xff
	)
	of := func(p code) []byte {
		out := append(encode(tagAlgorithm, []byte{algorithmPIN}), encode(tagFactory, []byte{flag(p.factory)})...)
		return append(out, encode(tagTries, []byte{p.tries, p.left})...)
	}
	switch {
	case cmd.p1 != 0:
		return nil, wrongParameters
	case cmd.p2 == referencePIN:
		return of(c.memory.pin), success
	case cmd.p2 == referencePUK:
		return of(c.memory.puk), success
	case cmd.p2 == slotManagement:
		m := c.memory.management
		out := append(encode(tagAlgorithm, []byte{m.algorithm}), encode(tagPolicy, []byte{0, m.touch})...)
		return append(out, encode(tagFactory, []byte{flag(m.factory)})...), success
	}
	k, there := c.memory.keys[cmd.p2]
	if !there {
		return nil, referenceNotFound
	}
	out := append(encode(tagAlgorithm, []byte{k.algorithm}), encode(tagPolicy, []byte{k.pin, k.touch})...)
	out = append(out, encode(tagOrigin, []byte{k.origin})...)
	return append(out, encode(tagPublic, encodePublic(k.private.Public()))...), success
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// agree is ECDH with the other side's point.
func (k key) agree(point []byte) ([]byte, bool) {
	private, isEC := k.private.(*ecdsa.PrivateKey)
	if !isEC {
		return nil, false
	}
	mine, err := private.ECDH()
	if err != nil {
		return nil, false
	}
	var other *ecdh.PublicKey
	if other, err = mine.Curve().NewPublicKey(point); err != nil {
		return nil, false
	}
	secret, err := mine.ECDH(other)
	return secret, err == nil
}
