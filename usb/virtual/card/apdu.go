package card

import (
	"context"
	"encoding/binary"
)

// status is SW1 and SW2.
type status uint16

const (
	success           status = 0x9000
	moreData          status = 0x6100 // SW2 of them, 0 for 256 or more
	triesLeft         status = 0x63c0 // SW2's low half of them
	wrongLength       status = 0x6700
	securityStatus    status = 0x6982 // a PIN, the management key or a touch is missing
	blocked           status = 0x6983
	conditions        status = 0x6985
	wrongData         status = 0x6a80
	notFound          status = 0x6a82
	noSpace           status = 0x6a84
	wrongParameters   status = 0x6a86
	referenceNotFound status = 0x6a88
	wrongInstruction  status = 0x6d00
	wrongClass        status = 0x6e00
)

const (
	classChained   = 0x10
	insSelect      = 0xa4
	insGetResponse = 0xc0

	// shortAnswer is how much data an answer to a short APDU has.
	shortAnswer = 256
	// chainLimit is how much data a chain of commands may bring: a little more than
	// the largest object.
	chainLimit = 3200
)

// command is a C-APDU of ISO 7816-4, 5.1.
type command struct {
	class, ins, p1, p2 byte
	data               []byte
	expected           int // Ne: how much data the answer may have
}

// parse takes short and extended commands of all four cases.
func parse(apdu []byte) (command, bool) {
	if len(apdu) < 4 {
		return command{}, false
	}
	cmd := command{class: apdu[0], ins: apdu[1], p1: apdu[2], p2: apdu[3], expected: shortAnswer}
	body := apdu[4:]
	switch {
	case len(body) == 0:
		return cmd, true
	case len(body) == 1:
		cmd.expected = atMost(int(body[0]), shortAnswer)
		return cmd, true
	case body[0] != 0:
		n := int(body[0])
		cmd.data, body = split(body[1:], n)
		if len(body) == 1 {
			cmd.expected, body = atMost(int(body[0]), shortAnswer), nil
		}
		return cmd, len(cmd.data) == n && len(body) == 0
	}
	return parseExtended(cmd, body[1:])
}

func parseExtended(cmd command, body []byte) (command, bool) {
	const most = 1 << 16
	cmd.expected = most
	if len(body) < 2 {
		return cmd, false
	}
	n := int(binary.BigEndian.Uint16(body))
	body = body[2:]
	if len(body) == 0 {
		cmd.expected = atMost(n, most)
		return cmd, true
	}
	cmd.data, body = split(body, n)
	if len(body) == 2 {
		cmd.expected, body = atMost(int(binary.BigEndian.Uint16(body)), most), nil
	}
	return cmd, n > 0 && len(cmd.data) == n && len(body) == 0
}

// atMost reads an Le: 0 is all there can be.
func atMost(le, most int) int {
	if le == 0 {
		return most
	}
	return le
}

// split takes b after n bytes, or at its end.
func split(b []byte, n int) (head, tail []byte) {
	n = min(n, len(b))
	return b[:n], b[n:]
}

// chain is a command that comes in pieces (ISO 7816-4, 5.3.3).
type chain struct {
	open        bool
	ins, p1, p2 byte
	data        []byte
}

// link adds a piece, and returns the whole command with its last one.
func (s *chain) link(cmd command) (command, bool, status) {
	if s.open && (s.ins != cmd.ins || s.p1 != cmd.p1 || s.p2 != cmd.p2) {
		*s = chain{}
	}
	data := append(s.data, cmd.data...)
	if len(data) > chainLimit {
		*s = chain{}
		return cmd, false, wrongLength
	}
	if cmd.class&classChained != 0 {
		*s = chain{open: true, ins: cmd.ins, p1: cmd.p1, p2: cmd.p2, data: data}
		return cmd, false, success
	}
	*s = chain{}
	cmd.data = data
	return cmd, true, success
}

// answer is the card's own answer to a command APDU.
func (c *Card) answer(ctx context.Context, apdu []byte) []byte {
	cmd, parsed := parse(apdu)
	switch {
	case !parsed:
		return respond(nil, wrongLength)
	case cmd.class&^classChained != 0:
		return respond(nil, wrongClass)
	case cmd.ins == insGetResponse:
		return c.piece(cmd.expected)
	}
	c.session.rest = nil
	cmd, whole, sw := c.session.chain.link(cmd)
	if !whole {
		return respond(nil, sw)
	}
	out, sw := c.dispatch(ctx, cmd)
	if sw != success {
		return respond(nil, sw)
	}
	c.session.rest = out
	return c.piece(cmd.expected)
}

// piece is as much of an answer as the host takes at once.
func (c *Card) piece(expected int) []byte {
	head, tail := split(c.session.rest, expected)
	c.session.rest = tail
	switch {
	case len(tail) == 0:
		return respond(head, success)
	case len(tail) < shortAnswer:
		return respond(head, moreData|status(len(tail)))
	}
	return respond(head, moreData)
}

func respond(data []byte, sw status) []byte {
	return binary.BigEndian.AppendUint16(append([]byte{}, data...), uint16(sw))
}
