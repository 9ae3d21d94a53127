package helper

import (
	"errors"
	"strconv"
	"syscall"

	"github.com/factord/factord/daemon/wire"
)

// serverUser is whom factord runs as.
const serverUser = "factord"

// checkServer refuses a socket that somebody else listens on: they would collect
// passcodes and allow every login.
func checkServer(fd int) error {
	peer, err := wire.PeerOf(fd)
	if err != nil {
		return err
	}
	// Not the real uid, which under sudo is the caller's.
	if trusted(peer.UID, uint32(syscall.Geteuid()), func() []byte { return readFile(passwdFile) }) {
		return nil
	}
	return errors.New("the socket is served by uid " + strconv.FormatUint(uint64(peer.UID), 10) +
		", which is neither root nor " + serverUser + "\nhint: check --socket and who may write to its folder")
}

// trusted reports whether uid server may decide for uid own: root, factord, or,
// for an ordinary user, the user themself.
func trusted(server, own uint32, passwd func() []byte) bool {
	if server == 0 || own != 0 && server == own {
		return true
	}
	uid, found := passwdUID(passwd(), serverUser)
	return found && server == uid
}
