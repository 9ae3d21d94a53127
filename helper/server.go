package helper

import (
	"bytes"
	"errors"
	"strconv"
	"syscall"

	"github.com/factord/factord/daemon/wire"
)

// serverUser is whom factord runs as.
const serverUser = "factord"

// maxPasswd is how much of /etc/passwd is searched, in bytes.
const maxPasswd = 4 << 20

// checkServer refuses a socket that somebody else listens on: they would collect
// passcodes and allow every login.
func checkServer(fd int) error {
	peer, err := wire.PeerOf(fd)
	if err != nil {
		return err
	}
	// Not the real uid, which under sudo is the caller's.
	if trusted(peer.UID, uint32(syscall.Geteuid()), func() []byte { return readPasswd("/etc/passwd") }) {
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

// passwdUID finds a user in the lines of passwd(5): name:password:uid:…
func passwdUID(passwd []byte, name string) (uint32, bool) {
	for line := range bytes.Lines(passwd) {
		fields := bytes.SplitN(line, []byte{':'}, 4)
		if len(fields) < 4 || string(fields[0]) != name {
			continue
		}
		uid, err := strconv.ParseUint(string(fields[2]), 10, 32)
		return uint32(uid), err == nil
	}
	return 0, false
}

// readPasswd reads a file up to maxPasswd; what cannot be read is empty.
func readPasswd(path string) []byte {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil
	}
	defer syscall.Close(fd)
	var data []byte
	var chunk [8 << 10]byte
	for len(data) < maxPasswd {
		n, err := syscall.Read(fd, chunk[:])
		if err == syscall.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			break
		}
		data = append(data, chunk[:n]...)
	}
	return data
}
