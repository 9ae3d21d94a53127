package card

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"math/big"
)

// The tags of IMPORT ASYMMETRIC KEY.
const (
	tagPrimeP      = 0x01
	tagPrimeQ      = 0x02
	tagECScalar    = 0x06
	tagEd25519Seed = 0x07
)

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
	if sw := k.setPolicies(cmd.p2, in); sw != success {
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
