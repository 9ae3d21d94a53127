package wire

import "syscall"

// Peer is who is at the other end of a Unix socket, as the kernel says
// (SO_PEERCRED): the credentials of the process that connected, or, for a
// client, of the process that called listen.
type Peer struct {
	UID, GID uint32
	PID      int32
}

// PeerOf asks the kernel about the socket fd.
func PeerOf(fd int) (Peer, error) {
	c, err := syscall.GetsockoptUcred(fd, syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	if err != nil {
		return Peer{}, err
	}
	return Peer{UID: c.Uid, GID: c.Gid, PID: c.Pid}, nil
}
