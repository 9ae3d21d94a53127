package usbip

import (
	"slices"
	"sync"
)

// maxQueue bounds what waits in a pipe for a host that does not ask. What comes after
// it is lost, as in a key whose keyboard nobody reads.
const maxQueue = 4096

// Pipe is an IN endpoint: where what the device has to say waits until the host asks,
// and the host until there is something. The zero value is an endpoint of a device that
// is not plugged in: what is put there is lost.
type Pipe struct {
	mu      sync.Mutex
	plugged bool
	packets [][]byte
	waiting []waiting
}

// waiting is a URB that the host has submitted.
type waiting struct {
	seq    uint32
	length int
	answer func(data []byte)
}

// Put says data to the host, as one transfer.
func (p *Pipe) Put(data []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.plugged && len(p.packets) < maxQueue {
		p.packets = append(p.packets, slices.Clone(data))
	}
	p.serve()
}

// Flush drops what the host has not asked for.
func (p *Pipe) Flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.packets = nil
}

// Queued is how many packets wait for the host.
func (p *Pipe) Queued() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.packets)
}

// submit takes a URB. answer is called under the lock: what is answered first goes
// over the wire first.
func (p *Pipe) submit(w waiting) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = append(p.waiting, w)
	p.serve()
}

// unlink withdraws a URB, and says whether it was still waiting.
func (p *Pipe) unlink(seq uint32) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := len(p.waiting)
	p.waiting = slices.DeleteFunc(p.waiting, func(w waiting) bool { return w.seq == seq })
	return len(p.waiting) < before
}

func (p *Pipe) plug() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plugged = true
}

// unplug forgets the host and what was meant for it.
func (p *Pipe) unplug() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plugged, p.packets, p.waiting = false, nil, nil
}

// serve gives packets to URBs. One that is longer than its URB goes on in the next.
func (p *Pipe) serve() {
	for len(p.packets) > 0 && len(p.waiting) > 0 {
		w, data := p.waiting[0], p.packets[0]
		p.waiting = p.waiting[1:]
		if len(data) > w.length {
			data, p.packets[0] = data[:w.length], data[w.length:]
		} else {
			p.packets = p.packets[1:]
		}
		w.answer(data)
	}
}
