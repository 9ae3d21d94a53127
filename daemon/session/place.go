package session

import (
	"context"
	"net"
	"net/netip"

	"github.com/factord/factord/daemon/policy"
	"github.com/factord/factord/daemon/wire"
)

// Place is the login session that a client's process belongs to. The zero value
// knows nothing.
type Place struct {
	// Session names it, as no other session of this machine is or was named;
	// empty if the process is in none.
	Session string
	// Owner is the uid that has logged in by it.
	Owner uint32
	// Addr is where the session's user sits. Invalid and known is a session
	// without a client address.
	Addr      netip.Addr
	AddrKnown bool
	// Local says whether that is this machine's own seat.
	Local policy.Known
	// Alone: Owner has no other session that lives and is, or may be, anywhere else.
	// What runs at a seat can be used from there: tmux, if it is attached over SSH.
	Alone bool
	// Elsewhere is such a session, as logind names it to people.
	Elsewhere string
}

// Places finds out where clients are. It is asked about the process that the
// kernel named, never believes what a client says, and knows nothing rather than
// guess.
type Places interface {
	// Hold takes hold of a connection's peer when the connection begins, so
	// that its pid can't come to mean another process.
	Hold(nc net.Conn, peer wire.Peer) Process
}

// Process is the peer of one connection.
type Process interface {
	// Place asks where the process is. An error means that it can't be known.
	Place(ctx context.Context) (Place, error)
	// Release ends the hold.
	Release()
}

// nowhere is what is known of clients where there is no logind.
type nowhere struct{}

func (nowhere) Hold(net.Conn, wire.Peer) Process     { return nowhere{} }
func (nowhere) Place(context.Context) (Place, error) { return Place{}, nil }
func (nowhere) Release()                             {}
