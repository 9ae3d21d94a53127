package helper

import (
	"bytes"
	"strconv"
	"syscall"
)

// passwdFile is read without NSS, which takes the C library; who is in a
// directory service only is not found.
const passwdFile = "/etc/passwd"

// maxFile is how much of a file is read, in bytes.
const maxFile = 4 << 20

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

// passwdShell finds the login shell of uid in the lines of passwd(5), seven
// fields of which the shell is the last; an empty one is /bin/sh. Where names
// share a uid the one called name counts, else the first.
func passwdShell(passwd []byte, uid uint32, name string) (shell string, found bool) {
	for line := range bytes.Lines(passwd) {
		fields := bytes.Split(bytes.TrimSuffix(line, []byte{'\n'}), []byte{':'})
		if len(fields) != 7 {
			continue
		}
		id, err := strconv.ParseUint(string(fields[2]), 10, 32)
		if err != nil || uint32(id) != uid || found && string(fields[0]) != name {
			continue
		}
		shell, found = string(fields[6]), true
		if shell == "" {
			shell = defaultShell
		}
		if string(fields[0]) == name {
			break
		}
	}
	return shell, found
}

// readFile reads a file up to maxFile; what cannot be read is empty.
func readFile(path string) []byte {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil
	}
	defer syscall.Close(fd)
	var data []byte
	var chunk [8 << 10]byte
	for len(data) < maxFile {
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
