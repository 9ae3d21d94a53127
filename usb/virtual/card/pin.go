package card

import (
	"bytes"
	"crypto/subtle"
)

const (
	referencePIN = 0x80
	referencePUK = 0x81

	codeLength   = 8 // padded with FF
	codeLeast    = 6
	defaultTries = 3
)

// code is a PIN or a PUK.
type code struct {
	value       [codeLength]byte
	tries, left byte
	factory     bool // still the one from the manual
}

func newCode(text string, tries byte) code {
	c := code{tries: tries, left: tries, factory: true}
	copy(c.value[copy(c.value[:], text):], bytes.Repeat([]byte{0xff}, codeLength))
	return c
}

// check compares a padded code and counts.
func (c *code) check(padded []byte) status {
	switch {
	case c.left == 0:
		return blocked
	case len(padded) != codeLength:
		return wrongData
	case subtle.ConstantTimeCompare(padded, c.value[:]) == 1:
		c.left = c.tries
		return success
	}
	c.left--
	return c.status()
}

// status says how many tries are left.
func (c *code) status() status {
	if c.left == 0 {
		return blocked
	}
	return triesLeft | status(min(c.left, 15))
}

// set takes a new code of 6 to 8 bytes, padded.
func (c *code) set(padded []byte) status {
	text := bytes.TrimRight(padded, "\xff")
	if len(padded) != codeLength || len(text) < codeLeast || bytes.IndexByte(text, 0xff) >= 0 {
		return wrongData
	}
	copy(c.value[:], padded)
	c.left, c.factory = c.tries, false
	return success
}

// verify is VERIFY. Without a PIN it asks whether one was verified, with P1 FF it says
// that it no longer is.
func (c *Card) verify(cmd command) status {
	const logout = 0xff
	switch {
	case cmd.p2 != referencePIN:
		return referenceNotFound
	case cmd.p1 == logout && len(cmd.data) == 0:
		c.session.pinVerified, c.session.pinFresh = false, false
		return success
	case cmd.p1 != 0:
		return wrongParameters
	case len(cmd.data) == 0 && c.session.pinVerified:
		return success
	case len(cmd.data) == 0:
		return c.memory.pin.status()
	}
	sw := c.memory.pin.check(cmd.data)
	c.session.pinVerified, c.session.pinFresh = sw == success, sw == success
	return sw
}

// change is CHANGE REFERENCE DATA: the old code and the new one.
func (c *Card) change(cmd command) status {
	var which *code
	switch cmd.p2 {
	case referencePIN:
		which = &c.memory.pin
	case referencePUK:
		which = &c.memory.puk
	default:
		return referenceNotFound
	}
	return replace(cmd, which, which)
}

// resetRetry is RESET RETRY COUNTER: the PUK and a new PIN.
func (c *Card) resetRetry(cmd command) status {
	if cmd.p2 != referencePIN {
		return referenceNotFound
	}
	return replace(cmd, &c.memory.puk, &c.memory.pin)
}

// replace checks the first code of a command and sets the second.
func replace(cmd command, proof, target *code) status {
	if cmd.p1 != 0 {
		return wrongParameters
	}
	if len(cmd.data) != 2*codeLength {
		return wrongLength
	}
	if sw := proof.check(cmd.data[:codeLength]); sw != success {
		return sw
	}
	return target.set(cmd.data[codeLength:])
}

// setRetries also brings back the PIN and the PUK of the manual.
func (c *Card) setRetries(cmd command) status {
	switch {
	case !c.session.managed || !c.session.pinVerified:
		return securityStatus
	case cmd.p1 == 0 || cmd.p2 == 0:
		return wrongData
	}
	fresh := factoryMemory(c.config.Version)
	c.memory.pin, c.memory.puk = fresh.pin, fresh.puk
	c.memory.pin.tries, c.memory.pin.left = cmd.p1, cmd.p1
	c.memory.puk.tries, c.memory.puk.left = cmd.p2, cmd.p2
	c.session.pinVerified, c.session.pinFresh = false, false
	return success
}
