// Package ctap asks FIDO2 and U2F security keys: for new credentials, and for
// assertions by them. It brings back what the key said, whose signatures it does not
// look at: what an answer is worth is decided elsewhere, by others.
//
// What comes from a key is not trusted. It is bounded, read to its end, or refused
// as malformed.
//
// Pages are those of "Client to Authenticator Protocol (CTAP)", Proposed Standard of
// June 2021.
package ctap

import (
	"context"
	"fmt"

	"github.com/factord/factord/usb/hid"
)

// Key is an open security key, for one goroutine. Its methods return the context's
// error when that ends, within 200 ms, and have then told the key to stop blinking
// (except of U2F, where it can't be told).
type Key struct {
	channel
	info Info
}

// Open greets a key and asks what it can do. Touch, if not nil, is called when the
// key begins to wait for a touch or a finger. The caller closes frames at the end.
func Open(ctx context.Context, frames hid.Frames, touch func()) (*Key, error) {
	if touch == nil {
		touch = func() {}
	}
	k := &Key{channel: channel{frames: frames, touch: touch}}
	if err := k.init(ctx); err != nil {
		return nil, fmt.Errorf("greeting the key: %w", err)
	}
	if !k.knowsCBOR() {
		return k, nil
	}
	var err error
	if k.info, err = k.getInfo(ctx); err != nil {
		return nil, fmt.Errorf("asking the key what it can do: %w", err)
	}
	return k, nil
}

// CTAP2 says whether the key knows CTAP2; otherwise it knows U2F alone.
func (k *Key) CTAP2() bool { return k.knowsCBOR() }

// Info is what the key says of itself; the zero value of a key without CTAP2.
func (k *Key) Info() Info { return k.info }

// command does a CTAP2 command. Requests and answers may have secrets.
func (k *Key) command(ctx context.Context, cmd byte, params, reply any) error {
	request, err := marshal(cmd, params)
	if err != nil {
		return err
	}
	defer clear(request)
	if limit := k.info.limit(); len(request) > limit {
		return fmt.Errorf("the request has %d bytes, and the key takes %d: %w", len(request), limit, ErrTooLong)
	}
	answer, err := k.transact(ctx, cmdCBOR, request)
	if err != nil {
		return err
	}
	defer clear(answer)
	return unmarshal(answer, reply)
}
