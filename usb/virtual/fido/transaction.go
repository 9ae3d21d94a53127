package fido

import (
	"context"
	"errors"
	"time"
)

const (
	keepaliveEvery      = 100 * time.Millisecond
	defaultTouchTimeout = 30 * time.Second
)

// What a KEEPALIVE says.
const (
	processing = 1
	upNeeded   = 2
)

var errCancelled = errors.New("the host cancelled")

// transaction is a CBOR or MSG request that the key works at.
type transaction struct {
	*Port
	Options
	ctx    context.Context
	cancel context.CancelCauseFunc
	cid    uint32
	cmd    byte
	// Guarded by Port.out:
	state byte // of the KEEPALIVE
	over  bool // nothing more is sent
}

func (p *Port) start(m *message) {
	t := &transaction{Port: p, Options: p.key.now(), cid: m.cid, cmd: m.cmd, state: processing}
	t.ctx, t.cancel = context.WithCancelCause(p.ctx)
	p.running = t
	go t.run(m.data)
}

// run does what a request asks for and answers it.
func (t *transaction) run(request []byte) {
	defer t.cancel(nil)
	if t.cmd == hidCBOR {
		go t.beat()
	}
	answer := t.execute(request)
	if t.Answer != nil {
		answer = t.Answer(request, answer)
	}
	t.mu.Lock()
	if t.running == t {
		t.running = nil
	}
	t.mu.Unlock()
	t.out.Lock()
	defer t.out.Unlock()
	if !t.over {
		t.over = true
		t.emitLocked(t.cid, t.cmd, answer)
	}
}

func (t *transaction) execute(request []byte) []byte {
	t.key.turn.Lock()
	defer t.key.turn.Unlock()
	if t.cmd == hidMsg {
		return t.apdu(request)
	}
	return t.cbor(request)
}

// beat sends a KEEPALIVE now and then as long as the request is worked at.
func (t *transaction) beat() {
	tick := time.NewTicker(keepaliveEvery)
	defer tick.Stop()
	for {
		select {
		case <-t.ctx.Done():
			return
		case <-tick.C:
			t.keepalive(0)
		}
	}
}

// keepalive says how things are; 0: as they were.
func (t *transaction) keepalive(state byte) {
	t.out.Lock()
	defer t.out.Unlock()
	if state != 0 {
		t.state = state
	}
	if !t.over {
		t.emitLocked(t.cid, hidKeepalive, []byte{t.state})
	}
}

// touch waits for the person.
func (t *transaction) touch() error { return t.gesture(t.Touch, statusOperationDenied) }

// gesture waits for one; refused is what a no means.
func (t *transaction) gesture(hook func(context.Context) bool, refused status) error {
	if hook == nil {
		return nil
	}
	limit := t.TouchTimeout
	if limit == 0 {
		limit = defaultTouchTimeout
	}
	ctx, cancel := context.WithTimeout(t.ctx, limit)
	defer cancel()
	t.keepalive(upNeeded)
	yes := hook(ctx)
	switch {
	case t.ctx.Err() != nil:
		return statusKeepaliveCancel
	case ctx.Err() != nil:
		return statusUserActionTimeout
	case !yes:
		return refused
	}
	t.out.Lock()
	defer t.out.Unlock()
	t.state = processing
	return nil
}
