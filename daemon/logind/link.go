package logind

import (
	"bufio"
	"encoding/binary"
	"net"
	"time"
)

// Limits of what goes over the link.
const (
	// writeTime is how long a bus that does not read is waited for.
	writeTime = time.Second
	// maxMessage is how large a message of the bus may be. A session's properties
	// are about 1 kB, a user's 60 bytes more for every session.
	maxMessage = 64 << 10
)

// link is the socket below the D-Bus connection.
//
// The system bus lets every local user send signals to every connection: 32 MB
// each, and with them file descriptors, if the connection has agreed to take them.
// godbus agrees on the connections that it makes itself, and never closes what
// comes with a signal that it does not know. It does not agree on one that it is
// given like this.
//
// What is no reply is left out, before it costs memory and before godbus decodes it:
// it takes legal messages that it can't decode (a dict whose key is a signature) for
// a broken link. The bus lets through only replies that were asked for.
type link struct {
	net.Conn
	in *bufio.Reader
	// begun: messages follow (after BEGIN, "Authentication Protocol" in the D-Bus
	// specification). The bus sends none before it has been greeted.
	begun bool
	left  int64 // of the message that is being read
}

func newLink(nc net.Conn) *link { return &link{Conn: nc, in: bufio.NewReader(nc)} }

// Write gives the bus writeTime. What was written in part leaves no way to go on.
func (l *link) Write(p []byte) (int, error) {
	if string(p) == "BEGIN\r\n" {
		l.begun = true
	}
	l.SetWriteDeadline(time.Now().Add(writeTime))
	n, err := l.Conn.Write(p)
	if err != nil {
		l.Close()
	}
	return n, err
}

// Read returns no more than the rest of one message.
func (l *link) Read(p []byte) (int, error) {
	if !l.begun {
		return l.in.Read(p)
	}
	for l.left == 0 {
		head, err := l.in.Peek(16)
		if err != nil {
			return 0, err
		}
		size := messageSize([16]byte(head))
		if isReply(head[1]) && size <= maxMessage {
			l.left = size
			break
		}
		if err := l.skip(size); err != nil {
			return 0, err
		}
	}
	if int64(len(p)) > l.left {
		p = p[:l.left]
	}
	n, err := l.in.Read(p)
	l.left -= int64(n)
	return n, err
}

func (l *link) skip(size int64) error {
	for size > 0 {
		n, err := l.in.Discard(int(min(size, maxMessage)))
		if err != nil {
			return err
		}
		size -= int64(n)
	}
	return nil
}

// isReply reports whether a message is one, by its type ("Message Types" in the
// D-Bus specification): METHOD_RETURN or ERROR.
func isReply(kind byte) bool { return kind == 2 || kind == 3 }

// messageSize returns the length of a message from the fixed part of its header:
// the length of the body is at 4, that of the header fields at 12; they are padded
// to 8 bytes ("Message Format" in the D-Bus specification).
func messageSize(head [16]byte) int64 {
	var order binary.ByteOrder = binary.LittleEndian
	if head[0] == 'B' {
		order = binary.BigEndian
	}
	body, fields := int64(order.Uint32(head[4:])), int64(order.Uint32(head[12:]))
	return 16 + (fields+7)&^7 + body
}
