package ctap

import (
	"context"
	"fmt"
	"slices"
)

// Info is what a key says of itself (6.4).
type Info struct {
	Versions     []string        `cbor:"1,keyasint"`
	Extensions   []string        `cbor:"2,keyasint"`
	AAGUID       []byte          `cbor:"3,keyasint"` // 16 bytes: the model
	Options      map[string]bool `cbor:"4,keyasint"`
	MaxMsgSize   uint            `cbor:"5,keyasint"`
	PINProtocols []uint          `cbor:"6,keyasint"`
}

const (
	aaguidSize = 16
	// defaultMsgSize is what every key takes (6.4).
	defaultMsgSize = 1024
)

// limit is the longest request that the key takes.
func (i Info) limit() int {
	if i.MaxMsgSize == 0 {
		return defaultMsgSize
	}
	return int(min(i.MaxMsgSize, maxMessage))
}

// PINSet says whether the key has a PIN.
func (i Info) PINSet() bool { return i.Options["clientPin"] }

// UV says whether the key has a finger enrolled, or another way of its own to know
// its user.
func (i Info) UV() bool { return i.Options["uv"] }

// AlwaysUV says whether the key does nothing without knowing its user.
func (i Info) AlwaysUV() bool { return i.Options["alwaysUv"] }

// permissions says whether tokens are for one purpose each.
func (i Info) permissions() bool { return i.Options["pinUvAuthToken"] }

// protocol is the PIN protocol to speak, 0 if there is none that is known. Keys from
// before there were two don't tell.
func (i Info) protocol() uint {
	for _, p := range i.PINProtocols {
		if p == 1 || p == 2 {
			return p
		}
	}
	if _, can := i.Options["clientPin"]; can && len(i.PINProtocols) == 0 {
		return 1
	}
	return 0
}

func (k *Key) getInfo(ctx context.Context) (Info, error) {
	var i Info
	if err := k.command(ctx, getInfo, nil, &i); err != nil {
		return Info{}, err
	}
	if len(i.AAGUID) != aaguidSize || len(i.Versions) == 0 || slices.Contains(i.Versions, "") {
		return Info{}, fmt.Errorf("%w: no model or no version", ErrMalformed)
	}
	return i, nil
}
