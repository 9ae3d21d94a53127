package client

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"strconv"

	"github.com/factord/factord/daemon/wire"
)

// serverUser is whom factord runs as.
const serverUser = "factord"

// checkServer refuses a socket that somebody else listens on: they would collect
// the secrets of new tokens, and codes.
func checkServer(s *net.UnixConn) error {
	raw, err := s.SyscallConn()
	if err != nil {
		return err
	}
	var peer wire.Peer
	var peerErr error
	err = raw.Control(func(fd uintptr) { peer, peerErr = wire.PeerOf(int(fd)) })
	if err := errors.Join(err, peerErr); err != nil {
		return fmt.Errorf("asking who serves the socket: %w", err)
	}
	if trusted(peer.UID, uint32(os.Geteuid()), lookupServer) {
		return nil
	}
	return fmt.Errorf("the socket is served by uid %d, which is neither root nor %s\nhint: check --socket and who may write to its folder", peer.UID, serverUser)
}

// trusted reports whether uid server may be factord for uid own: root, the user
// factord, or, for an ordinary user, the user themself.
func trusted(server, own uint32, lookup func() (uint32, bool)) bool {
	if server == 0 || own != 0 && server == own {
		return true
	}
	uid, found := lookup()
	return found && server == uid
}

func lookupServer() (uint32, bool) {
	u, err := user.Lookup(serverUser)
	if err != nil {
		return 0, false
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	return uint32(uid), err == nil
}
