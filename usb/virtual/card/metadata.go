package card

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/binary"
)

// The parts of a public key (SP 800-73-4 part 2, 3.3.2).
const (
	tagModulus        = 0x81
	tagPublicExponent = 0x82
	tagPoint          = 0x86
)

// encodePublic writes a public key.
func encodePublic(public crypto.PublicKey) []byte {
	switch public := public.(type) {
	case *rsa.PublicKey:
		e := binary.BigEndian.AppendUint32(nil, uint32(public.E))
		return append(encode(tagModulus, public.N.Bytes()), encode(tagPublicExponent, bytes.TrimLeft(e, "\x00"))...)
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
