// Package direct joins the security key in software to clients in the same process.
package direct

import (
	"context"
	"sync"

	"github.com/factord/factord/usb/hid"
	"github.com/factord/factord/usb/virtual/fido"
)

// queued is how many frames wait for a client, more than a message has. Like that of
// a real host, the queue drops the oldest.
const queued = 256

// Socket is where a key is plugged in.
type Socket struct {
	*fido.Port

	mu    sync.Mutex
	pipes map[*Pipe]bool
}

// Pipe is an open device. As of a real one, each gets all that the key sends.
type Pipe struct {
	socket *Socket
	frames chan fido.Frame
	once   sync.Once
	closed chan struct{}
}

var _ hid.Frames = (*Pipe)(nil)

// Plug plugs a key in, until Unplug.
func Plug(k *fido.Key) *Socket {
	s := &Socket{pipes: map[*Pipe]bool{}}
	s.Port = k.Plug(func(f fido.Frame) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for p := range s.pipes {
			p.put(f)
		}
	})
	return s
}

// Open opens the device.
func (s *Socket) Open() *Pipe {
	p := &Pipe{socket: s, frames: make(chan fido.Frame, queued), closed: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pipes[p] = true
	return p
}

func (p *Pipe) put(f fido.Frame) {
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
}

// Read implements hid.Frames.
func (p *Pipe) Read(ctx context.Context) ([hid.FrameSize]byte, error) {
	select {
	case f := <-p.frames: // what has come comes before all else
		return f, nil
	default:
	}
	select {
	case f := <-p.frames:
		return f, nil
	case <-p.socket.Gone():
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
	case <-p.socket.Gone():
		return hid.ErrGone
	case <-ctx.Done():
		return ctx.Err()
	default:
	}
	p.socket.Handle(f)
	return nil
}

// Close implements hid.Frames. The key stays plugged in.
func (p *Pipe) Close() error {
	p.once.Do(func() {
		close(p.closed)
		p.socket.mu.Lock()
		defer p.socket.mu.Unlock()
		delete(p.socket.pipes, p)
	})
	return nil
}
