package card

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/rand"
	"crypto/subtle"
)

// The management key's algorithms (SP 800-78-4, table 6-2), and its name.
const (
	algDefault = 0x00 // another name of 3DES
	alg3DES    = 0x03
	algAES128  = 0x08
	algAES192  = 0x0a
	algAES256  = 0x0c

	slotManagement = 0x9b
)

// managementKey is what may change the card.
type managementKey struct {
	algorithm byte
	value     []byte
	touch     byte
	factory   bool // still the one from the manual
}

// factoryManagementKey is AES since 5.7.
func factoryManagementKey(v Version) managementKey {
	algorithm := byte(alg3DES)
	if v.AtLeast(5, 7) {
		algorithm = algAES192
	}
	value := bytes.Repeat([]byte{1, 2, 3, 4, 5, 6, 7, 8}, 3)
	return managementKey{algorithm: algorithm, value: value, touch: touchNever, factory: true}
}

// block returns the cipher, or nil if the key does not fit the algorithm.
func (k managementKey) block() cipher.Block {
	length := map[byte]int{alg3DES: 24, algAES128: 16, algAES192: 24, algAES256: 32}
	if len(k.value) != length[k.algorithm] {
		return nil
	}
	if k.algorithm == alg3DES {
		b, _ := des.NewTripleDESCipher(k.value)
		return b
	}
	b, _ := aes.NewCipher(k.value)
	return b
}

// authenticateHost is GENERAL AUTHENTICATE with the management key: mutual (a witness
// that the host decrypts, then its own challenge) or external (a challenge that the host
// encrypts). SP 800-73-4 part 2, appendix A.1.
func (c *Card) authenticateHost(ctx context.Context, cmd command, in map[byte][]byte) ([]byte, status) {
	algorithm := cmd.p1
	if algorithm == algDefault {
		algorithm = alg3DES
	}
	if algorithm != c.memory.management.algorithm {
		return nil, wrongData
	}
	block := c.memory.management.block()
	expected := c.session.expected
	c.session.expected = nil
	witness, mutual := in[tagWitness]
	challenge, challenged := in[tagChallenge]
	switch response := in[tagResponse]; {
	case mutual && len(witness) == 0 && !challenged:
		random := randomBytes(block.BlockSize())
		c.session.expected = random
		return encode(tagDynamic, encode(tagWitness, encrypt(block, random))), success
	case challenged && len(challenge) == 0 && !mutual:
		random := randomBytes(block.BlockSize())
		c.session.expected = encrypt(block, random)
		return encode(tagDynamic, encode(tagChallenge, random)), success
	case mutual && len(challenge) == block.BlockSize():
		if sw := c.proven(ctx, expected, witness); sw != success {
			return nil, sw
		}
		return encode(tagDynamic, encode(tagResponse, encrypt(block, challenge))), success
	case len(response) > 0 && !mutual && !challenged:
		return nil, c.proven(ctx, expected, response)
	}
	return nil, wrongData
}

// proven decides whether the host has shown the management key.
func (c *Card) proven(ctx context.Context, expected, shown []byte) status {
	c.session.managed = false
	if len(expected) == 0 || subtle.ConstantTimeCompare(expected, shown) != 1 {
		return securityStatus
	}
	if !c.touched(ctx, slotManagement, c.memory.management.touch) {
		return securityStatus
	}
	c.session.managed = true
	return success
}

// setManagementKey takes: algorithm, 9B, length, key. P2 says whether the key wants a
// touch.
func (c *Card) setManagementKey(cmd command) status {
	const plain, withTouch = 0xff, 0xfe
	if cmd.p1 != 0xff || cmd.p2 != plain && cmd.p2 != withTouch {
		return wrongParameters
	}
	if !c.session.managed {
		return securityStatus
	}
	const head = 3
	d := cmd.data
	if len(d) < head || d[1] != slotManagement || int(d[2]) != len(d)-head {
		return wrongData
	}
	k := managementKey{algorithm: d[0], value: bytes.Clone(d[head:]), touch: touchNever}
	if cmd.p2 == withTouch {
		k.touch = touchAlways
	}
	if k.block() == nil || k.algorithm != alg3DES && !c.config.Version.AtLeast(5, 4) {
		return wrongData
	}
	c.memory.management = k
	return success
}

func encrypt(block cipher.Block, in []byte) []byte {
	out := make([]byte, block.BlockSize())
	block.Encrypt(out, in)
	return out
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}
