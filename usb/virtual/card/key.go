package card

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
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

// The slots of keys.
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

// The tags of GENERATE ASYMMETRIC KEY PAIR; those of the policies are Yubico's.
const (
	tagGenerate    = 0xac
	tagAlgorithm   = 0x80
	tagPINPolicy   = 0xaa
	tagTouchPolicy = 0xab
	tagPublicKey   = 0x7f49
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
	if sw := k.setPolicies(cmd.p2, in); sw != success {
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
func (k *key) setPolicies(slot byte, in map[byte][]byte) status {
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
