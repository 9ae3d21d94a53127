package wire

import (
	"errors"
	"strconv"
)

// MaxSocketPath is the longest path of a Unix socket in Linux (unix(7)), in bytes,
// its final NUL not counted.
const MaxSocketPath = 107

// CheckSocket refuses what package net would not read as a socket's path: a leading @
// is an abstract socket, which any user may have made.
func CheckSocket(path string) error {
	switch {
	case path == "":
		return errors.New("not a path")
	case path[0] == '@':
		return errors.New("not a path, but an abstract socket")
	case len(path) > MaxSocketPath:
		return errors.New("a socket's path has at most " + strconv.Itoa(MaxSocketPath) + " bytes")
	}
	return nil
}
