// Package direct joins the security key in software to a client in the same process.
package direct

import (
	"context"
	"sync"

	"github.com/factord/factord/usb/hid"
	"github.com/factord/factord/usb/virtual/fido"
)

// queued is how many frames wait for the client, more than a message has. Like a real
// host's, the queue drops the oldest.
const queued = 256

// Pipe is a plugged-in key.
type Pipe struct {
	*fido.Port
	frames chan fido.Frame
	once   sync.Once
	closed chan struct{}
}

var _ hid.Frames = (*Pipe)(nil)

// Plug plugs a key in. Close leaves it there; Unplug pulls it out.
func Plug(k *fido.Key) *Pipe {
	p := &Pipe{frames: make(chan fido.Frame, queued), closed: make(chan struct{})}
	p.Port = k.Plug(func(f fido.Frame) {
		for {
			select {
			case p.frames <- f:
				return
			default:
			}
			select {
			case <-p.frames:
			default:
			}
		}
	})
	return p
}

// Read implements hid.Frames.
func (p *Pipe) Read(ctx context.Context) ([hid.FrameSize]byte, error) {
	select {
	case <-p.closed:
		return fido.Frame{}, hid.ErrGone
	default:
	}
	select {
	case f := <-p.frames:
		return f, nil
	default:
	}
	select {
	case f := <-p.frames:
		return f, nil
	case <-p.Gone():
		return fido.Frame{}, hid.ErrGone
	case <-p.closed:
		return fido.Frame{}, hid.ErrGone
	case <-ctx.Done():
		return fido.Frame{}, ctx.Err()
	}
}

// Write implements hid.Frames.
func (p *Pipe) Write(ctx context.Context, f [hid.FrameSize]byte) error {
	select {
	case <-p.closed:
		return hid.ErrGone
	case <-p.Gone():
		return hid.ErrGone
	case <-ctx.Done():
		return ctx.Err()
	default:
	}
	p.Handle(f)
	return nil
}

// Close implements hid.Frames.
func (p *Pipe) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}
