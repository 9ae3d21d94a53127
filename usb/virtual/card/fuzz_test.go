package card

import (
	"encoding/binary"
	"testing"
)

// script is a sequence of APDUs, each after its length of two bytes.
func script(t testing.TB, apdus ...string) (out []byte) {
	for _, text := range apdus {
		apdu := unhex(t, text)
		out = binary.BigEndian.AppendUint16(out, uint16(len(apdu)))
		out = append(out, apdu...)
	}
	return out
}

// play sends a script until it ends, and looks at the answers' form.
func play(t *testing.T, c *Card, in []byte, each func(apdu, answer []byte)) {
	for len(in) >= 2 {
		n := int(binary.BigEndian.Uint16(in))
		var apdu []byte
		apdu, in = split(in[2:], n)
		if cmd, _ := parse(apdu); cmd.ins == insGenerate || cmd.ins == insImport {
			continue // RSA takes seconds
		}
		answer := c.Transmit(apdu)
		if len(answer) < 2 || len(apdu) < 7 && len(answer) > shortAnswer+2 {
			t.Fatalf("%x: %x", apdu, answer)
		}
		each(apdu, answer)
	}
}

// secretCard has keys in two slots, and a PIN, PUK and management key that nobody knows.
func secretCard(t *testing.T) *Card {
	c := powered(t, Config{})
	for _, slot := range []byte{slotAuthentication, slotSignature} {
		c.memory.keys[slot] = key{algorithm: algP256, private: c.newPrivate(algP256), pin: pinAlways, touch: touchNever, origin: originGenerated}
	}
	c.memory.pin.set([]byte("\x01\x93\xfe\x00\x77\x31\x05\x08"))
	c.memory.puk.set([]byte("\x02\x94\xfd\x01\x78\x32\x06\x09"))
	c.memory.management.value = randomBytes(24)
	return c
}

// Whoever has no secret gets no signature and changes nothing, whatever they send.
// Blocking the PIN and the PUK and then resetting the card is open to all.
func FuzzStranger(f *testing.F) {
	seedScripts(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		c := secretCard(t)
		play(t, c, in, func(apdu, _ []byte) {
			if _, same := c.memory.keys[slotSignature]; !same {
				if c.memory.pin.factory && c.memory.puk.factory {
					t.Skip("the card was reset")
				}
				t.Fatalf("%x removed a key", apdu)
			}
			if c.session.pinVerified || c.session.pinFresh || c.session.managed || c.memory.pin.factory || len(c.memory.objects) != 1 {
				t.Fatalf("%x opened the card", apdu)
			}
		})
		for _, e := range c.Trace() {
			cmd, _ := parse(e.Command)
			if cmd.ins == insAuthenticate && cmd.p2 == slotSignature && status(binary.BigEndian.Uint16(e.Answer[len(e.Answer)-2:])) == success && len(e.Answer) > 2 {
				t.Fatalf("%x signed: %x", e.Command, e.Answer)
			}
		}
	})
}

// Nothing that the owner sends breaks the card.
func FuzzOwner(f *testing.F) {
	seedScripts(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		c := secretCard(t)
		play(t, c, in, func(_, _ []byte) {
			c.session.pinVerified, c.session.pinFresh, c.session.managed = true, true, true
		})
	})
}

func seedScripts(f *testing.F) {
	f.Add(script(f, "00fd000000", "00f8000000", "00f7009b00", "00f7008000"))
	f.Add(script(f, "0020008008313233343536ffff", "00200080", "0020ff80", "00cb3fff035c017e00"))
	f.Add(script(f, "0087119c067c0482008100", "0087119a0a7c0882008104deadbeef", "0087119a067c0482008500"))
	f.Add(script(f, "0087039b047c028000", "0087039b167c14800801020304050607088108aaaaaaaaaaaaaaaa", "0087009b047c028100", "0087009b0c7c0a82080102030405060708"))
	f.Add(script(f, "00f99a0000", "00c0000000", "00c0000020", "00f9f90000"))
	f.Add(script(f, "00db3fff0a5c035fff015303700100", "00f99a0000", "10db3fff025c03", "00db3fff045fc10153"))
	f.Add(script(f, "00ffffff1b039b18010203040506070801020304050607080102030405060708"))
	f.Add(script(f, "0024008010313233343536ffff363534333231ffff", "002c008010", "00fa0303", "00fb0000"))
	f.Add(script(f, "00a4040008a000000527471117", "001d000000", "00a4040008a000000527200101", "0001100000"))
}
