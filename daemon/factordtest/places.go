package factordtest

import (
	"context"
	"net"

	"github.com/factord/factord/daemon/session"
	"github.com/factord/factord/daemon/wire"
)

// Places says where clients are, by their uid.
type Places func(uid uint32) (session.Place, error)

// Hold implements session.Places.
func (p Places) Hold(_ net.Conn, peer wire.Peer) session.Process { return placed{p, peer.UID} }

type placed struct {
	places Places
	uid    uint32
}

// Place implements session.Process.
func (p placed) Place(context.Context) (session.Place, error) { return p.places(p.uid) }

// Release implements session.Process.
func (placed) Release() {}
