package card

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"time"
)

// The parts of a dynamic authentication template (SP 800-73-4 part 2, 3.2.4).
const (
	tagDynamic        = 0x7c
	tagWitness        = 0x80
	tagChallenge      = 0x81
	tagResponse       = 0x82
	tagExponentiation = 0x85
)

// touchCache is how long a touch counts where the policy is "cached".
const touchCache = 15 * time.Second

// authenticate is GENERAL AUTHENTICATE: P1 is the algorithm, P2 the key.
func (c *Card) authenticate(ctx context.Context, cmd command) ([]byte, status) {
	template, _ := only(tagDynamic, cmd.data)
	in, parsed := fields(template)
	if !parsed || len(in) == 0 {
		return nil, wrongData
	}
	if cmd.p2 == slotManagement {
		return c.authenticateHost(ctx, cmd, in)
	}
	k, there := c.memory.keys[cmd.p2]
	switch {
	case !there || cmd.p2 == slotAttestation:
		return nil, referenceNotFound
	case cmd.p1 != k.algorithm:
		return nil, wrongData
	case k.pin == pinOnce && !c.session.pinVerified, k.pin == pinAlways && !c.session.pinFresh:
		return nil, securityStatus
	}
	c.session.pinFresh = false
	if !c.touched(ctx, cmd.p2, k.touch) {
		return nil, securityStatus
	}
	out, worked := k.use(in)
	if !worked {
		return nil, wrongData
	}
	return encode(tagDynamic, encode(tagResponse, out)), success
}

// touched waits for the finger where the policy wants one.
func (c *Card) touched(ctx context.Context, slot, policy byte) bool {
	now := c.config.Now()
	if policy == touchNever || policy == touchCached && !c.session.touched.IsZero() && now.Sub(c.session.touched) < touchCache {
		return true
	}
	c.mu.Lock()
	touch := c.touch
	c.mu.Unlock()
	if touch != nil && !touch(ctx, slot) {
		return false
	}
	c.session.touched = c.config.Now()
	return true
}

// use signs a challenge or agrees on a secret.
func (k key) use(in map[byte][]byte) ([]byte, bool) {
	if point, agreement := in[tagExponentiation]; agreement {
		return k.agree(point)
	}
	challenge, given := in[tagChallenge]
	if !given {
		return nil, false
	}
	switch private := k.private.(type) {
	case *rsa.PrivateKey:
		return exponentiate(private, challenge)
	case *ecdsa.PrivateKey:
		if len(challenge) > (private.Curve.Params().BitSize+7)/8 {
			return nil, false
		}
		signature, err := ecdsa.SignASN1(rand.Reader, private, challenge)
		return signature, err == nil
	case ed25519.PrivateKey:
		signature, err := private.Sign(nil, challenge, crypto.Hash(0))
		return signature, err == nil
	}
	return nil, false
}

// exponentiate is RSA as a card does it: the host has padded.
func exponentiate(private *rsa.PrivateKey, block []byte) ([]byte, bool) {
	m := new(big.Int).SetBytes(block)
	if len(block) != private.Size() || m.Cmp(private.N) >= 0 {
		return nil, false
	}
	return m.Exp(m, private.D, private.N).FillBytes(make([]byte, private.Size())), true
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
	other, err := mine.Curve().NewPublicKey(point)
	if err != nil {
		return nil, false
	}
	secret, err := mine.ECDH(other)
	return secret, err == nil
}
