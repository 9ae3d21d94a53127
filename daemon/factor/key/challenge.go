package key

import (
	"io"

	"github.com/factord/factord/daemon/factor"
)

// NonceSize is how much of a challenge is fresh, in bytes.
const NonceSize = 32

// Challenge is what a key signs: for one factor, on one machine, for one user, one service
// and one attempt, so that a signature is worth nothing anywhere else. Its parts end with a
// NUL, which none of them has, but the nonce.
func Challenge(random io.Reader, name, host string, l factor.Login) ([]byte, error) {
	var c []byte
	for _, part := range []string{"factord-v1", name, host, l.User, l.Service} {
		c = append(append(c, part...), 0)
	}
	nonce := make([]byte, NonceSize)
	if _, err := io.ReadFull(random, nonce); err != nil {
		return nil, err
	}
	return append(c, nonce...), nil
}
