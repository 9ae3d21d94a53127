package fido

import (
	"bytes"
	"context"
	"encoding/binary"
	"sync"
	"time"
)

// Commands of CTAPHID (11.2.9).
const (
	hidPing      = 0x01
	hidMsg       = 0x03
	hidInit      = 0x06
	hidWink      = 0x08
	hidCBOR      = 0x10
	hidCancel    = 0x11
	hidKeepalive = 0x3b
	hidError     = 0x3f
)

// Errors of CTAPHID (11.2.9.1.6).
const (
	hidInvalidCommand = 0x01
	hidInvalidLength  = 0x03
	hidInvalidSeq     = 0x04
	hidTimeout        = 0x05
	hidBusy           = 0x06
	hidInvalidChannel = 0x0b
)

const (
	broadcast  = 0xffffffff
	nonceSize  = 8
	firstData  = FrameSize - 7 // in an initialisation packet
	nextData   = FrameSize - 5 // in a continuation packet
	maxMessage = firstData + 128*nextData
	// nextWithin is how long the rest of a message may take to come.
	nextWithin = 500 * time.Millisecond
)

// Port is a key that has power: what it forgets when it is pulled out.
type Port struct {
	key    *Key
	ctx    context.Context
	unplug context.CancelFunc

	out  sync.Mutex // held for a whole message
	send func(Frame)

	mu      sync.Mutex
	last    uint32       // the channel given out last
	part    *message     // one of which not all frames have come
	running *transaction // what the key does now

	// The rest is guarded by the key's turn.
	pin     pinSession
	rest    remaining
	latched time.Time // when a touch for U2F came
	waiting bool      // for one
}

// message is a request whose frames come in.
type message struct {
	cid  uint32
	cmd  byte
	size int
	seq  byte
	data []byte
	late *time.Timer
}

// Unplug takes the power: whatever runs ends, and nothing is sent any more.
func (p *Port) Unplug() { p.unplug() }

// Gone is closed when the key is pulled out.
func (p *Port) Gone() <-chan struct{} { return p.ctx.Done() }

// Handle takes a frame of the host. It does not wait for what the frame asks for.
func (p *Port) Handle(f Frame) {
	if p.ctx.Err() != nil {
		return
	}
	cid := binary.BigEndian.Uint32(f[:])
	p.mu.Lock()
	var answer func()
	if f[4]&0x80 != 0 {
		answer = p.first(cid, f)
	} else {
		answer = p.next(cid, f)
	}
	p.mu.Unlock()
	if answer != nil {
		answer()
	}
}

// first takes an initialisation packet, and returns what is to be done without the lock.
func (p *Port) first(cid uint32, f Frame) (answer func()) {
	cmd, size := f[4]&0x7f, int(binary.BigEndian.Uint16(f[5:]))
	switch {
	case cmd == hidInit:
		return p.init(cid, size, f[7:7+nonceSize])
	case cid == 0 || cid == broadcast || cid > p.last:
		return p.fail(cid, hidInvalidChannel)
	case cmd == hidCancel:
		if p.running != nil && p.running.cid == cid {
			p.running.cancel(errCancelled)
		}
		return nil
	case p.running != nil, p.part != nil && p.part.cid != cid:
		return p.fail(cid, hidBusy)
	case p.part != nil:
		p.drop()
		return p.fail(cid, hidInvalidSeq)
	case size > maxMessage:
		return p.fail(cid, hidInvalidLength)
	}
	m := &message{cid: cid, cmd: cmd, size: size, data: bytes.Clone(f[7:min(FrameSize, 7+size)])}
	if len(m.data) == size {
		return p.do(m)
	}
	p.part = m
	m.late = time.AfterFunc(nextWithin, func() { p.expire(m) })
	return nil
}

// next takes a continuation packet. One that belongs to nothing is ignored.
func (p *Port) next(cid uint32, f Frame) (answer func()) {
	m := p.part
	if m == nil || m.cid != cid {
		return nil
	}
	if f[4] != m.seq {
		p.drop()
		return p.fail(cid, hidInvalidSeq)
	}
	m.seq++
	m.late.Reset(nextWithin)
	m.data = append(m.data, f[5:5+min(nextData, m.size-len(m.data))]...)
	if len(m.data) < m.size {
		return nil
	}
	p.drop()
	return p.do(m)
}

func (p *Port) drop() {
	p.part.late.Stop()
	p.part = nil
}

func (p *Port) expire(m *message) {
	p.mu.Lock()
	late := p.part == m
	if late {
		p.part = nil
	}
	p.mu.Unlock()
	if late {
		p.emit(m.cid, hidError, []byte{hidTimeout})
	}
}

func (p *Port) fail(cid uint32, code byte) func() {
	return func() { p.emit(cid, hidError, []byte{code}) }
}

// init gives out a channel, or ends whatever a channel does (11.2.9.1.3).
func (p *Port) init(cid uint32, size int, nonce []byte) func() {
	switch {
	case size != nonceSize:
		return p.fail(cid, hidInvalidLength)
	case cid == 0 || cid != broadcast && cid > p.last:
		return p.fail(cid, hidInvalidChannel)
	}
	given := cid
	if cid == broadcast {
		p.last++
		given = p.last
	}
	if p.part != nil && p.part.cid == cid {
		p.drop()
	}
	var aborted *transaction
	if p.running != nil && p.running.cid == cid {
		aborted, p.running = p.running, nil
		aborted.cancel(errCancelled)
	}
	o := p.key.now()
	caps := byte(0x01) // WINK
	if !o.NoCTAP2 {
		caps |= 0x04 // CBOR
	}
	if o.NoU2F || o.AlwaysUV {
		caps |= 0x08 // no MSG
	}
	reply := binary.BigEndian.AppendUint32(bytes.Clone(nonce), given)
	reply = append(reply, 2, 5, 4, 3, caps)
	return func() {
		p.out.Lock()
		defer p.out.Unlock()
		if aborted != nil {
			aborted.over = true
		}
		p.emitLocked(cid, hidInit, reply)
	}
}

// do starts what a whole request asks for.
func (p *Port) do(m *message) func() {
	o := p.key.now()
	switch {
	case m.cmd == hidPing, m.cmd == hidWink && m.size == 0:
		return func() { p.emit(m.cid, m.cmd, m.data) }
	case m.cmd == hidWink:
		return p.fail(m.cid, hidInvalidLength)
	case m.cmd == hidCBOR && !o.NoCTAP2, m.cmd == hidMsg && !o.NoU2F && !o.AlwaysUV:
		if m.size == 0 {
			return p.fail(m.cid, hidInvalidLength)
		}
		p.start(m)
		return nil
	}
	return p.fail(m.cid, hidInvalidCommand)
}

// emit sends a message.
func (p *Port) emit(cid uint32, cmd byte, data []byte) {
	p.out.Lock()
	defer p.out.Unlock()
	p.emitLocked(cid, cmd, data)
}

func (p *Port) emitLocked(cid uint32, cmd byte, data []byte) {
	frames := split(cid, cmd, data)
	if change := p.key.now().Frames; change != nil {
		frames = change(frames)
	}
	for _, f := range frames {
		if p.ctx.Err() != nil {
			return
		}
		p.send(f)
	}
}

// split makes the packets of a message (11.2.4).
func split(cid uint32, cmd byte, data []byte) []Frame {
	var f Frame
	binary.BigEndian.PutUint32(f[:], cid)
	f[4] = cmd | 0x80
	binary.BigEndian.PutUint16(f[5:], uint16(len(data)))
	n := copy(f[7:], data)
	frames := []Frame{f}
	for seq := byte(0); n < len(data); seq++ {
		var f Frame
		binary.BigEndian.PutUint32(f[:], cid)
		f[4] = seq
		n += copy(f[5:], data[n:])
		frames = append(frames, f)
	}
	return frames
}
