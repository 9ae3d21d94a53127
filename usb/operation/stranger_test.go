package operation

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/factord/factord/daemon/wire/agent"
	"github.com/factord/factord/usb/hid"
	"github.com/factord/factord/usb/virtual/fido"
)

// odd is a machine in which another device is plugged in before all others, that no
// program can speak with.
type odd struct {
	hid.Backend
	err error
}

const oddPort = "1-0"

func (o odd) Keys(ctx context.Context) ([]hid.Key, error) {
	keys, err := o.Backend.Keys(ctx)
	return append([]hid.Key{{Port: oddPort, FIDO: true, OTP: true}}, keys...), err
}

func (o odd) Frames(ctx context.Context, port string) (hid.Frames, error) {
	if port == oddPort {
		return nil, o.err
	}
	return o.Backend.Frames(ctx, port)
}

func (o odd) Features(ctx context.Context, port string) (hid.Features, error) {
	if port == oddPort {
		return nil, o.err
	}
	return o.Backend.Features(ctx, port)
}

// failures are what a device may fail with that is not the key.
var failures = []error{hid.ErrAccess, hid.ErrDriver, hid.ErrNone, errors.New("broken pipe"), context.DeadlineExceeded}

// Whatever ails a device that is not the key: the key serves.
func TestStranger(t *testing.T) {
	for _, failure := range failures {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		ts := newTokens()
		ts.plug("1-1", fido.New(fido.Options{}))
		id, _ := enrol(t, ts, agent.CreateRequest{}, "")
		_, err := Machine{Hidraw: odd{ts, failure}}.Assert(ctx, agent.AssertRequest{Common: waits(limit), RPID: rpID, ClientHash: clientHash, UP: true,
			Credentials: []agent.Credential{id}}, &talk{})
		if err != nil {
			t.Errorf("%v: assert: %v", failure, err)
		}

		b := newBench()
		p, said, done := b.plug("1-1", typing(9, "cccccccccccb")), &talk{}, make(chan error, 1)
		go func() {
			_, err := Machine{Hidraw: odd{b, failure}}.Capture(ctx, agent.CaptureRequest{Common: waits(limit), Serials: []uint32{9}}, said)
			done <- err
		}()
		said.await(t, agent.Touch)
		p.touch(t)
		if err := <-done; err != nil {
			t.Errorf("%v: capture: %v", failure, err)
		}

		b = newBench()
		b.plug("1-1", answering(9, false))
		q := agent.HMACRequest{Common: waits(limit), Serial: 9, Slot: 2, Challenge: []byte("cccccccccccccccccccccccccccccccc")}
		if _, err := (Machine{Hidraw: odd{b, failure}}).HMAC(ctx, q, &talk{}); err != nil {
			t.Errorf("%v: HMAC: %v", failure, err)
		}
		cancel()
	}
}

// With nothing else there, it is said what ails it, when the search ends.
func TestStrangerAlone(t *testing.T) {
	for want, failure := range map[agent.Code]error{agent.NoAccess: hid.ErrAccess, agent.WrongKey: hid.ErrNone} {
		q := agent.HMACRequest{Common: waits(300 * time.Millisecond), Serial: 9, Slot: 2, Challenge: []byte("cccccccccccccccccccccccccccccccc")}
		said := &talk{}
		if _, err := (Machine{Hidraw: odd{newBench(), failure}}).HMAC(context.Background(), q, said); codeIn(err) != want || said.now() != agent.Absent {
			t.Errorf("%v: %v, %v", failure, err, said.states)
		}
	}
}

// A key that was not to be asked for a moment is asked again.
func TestStrangerRecovers(t *testing.T) {
	b := newBench()
	p := b.plug("1-1", answering(9, false), refused)
	said, done, _ := asking(t, b, agent.HMACRequest{Serial: 9})
	said.await(t, agent.Absent)
	b.grant(p)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A key that hides its credential is found beside one that surely has none.
func TestHiddenBesideForeign(t *testing.T) {
	ts := newTokens()
	ts.plug("1-2", fido.New(fido.Options{PIN: "1234", Protect: 3}))
	id, _ := enrol(t, ts, agent.CreateRequest{NeedsPIN: true}, "1234")
	id.Protected = true
	ts.plug("1-1", fido.New(fido.Options{})) // without a PIN: it has nothing to hide
	_, done, _ := asserting(t, ts, agent.AssertRequest{NeedsPIN: true, Credentials: []agent.Credential{id}}, "1234")
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Of two that hide it neither is shown the PIN, until one is pulled out.
func TestHiddenBesideHidden(t *testing.T) {
	ts := newTokens()
	ts.plug("1-2", fido.New(fido.Options{PIN: "1234", Protect: 3}))
	id, _ := enrol(t, ts, agent.CreateRequest{NeedsPIN: true}, "1234")
	id.Protected = true
	foreign := fido.New(fido.Options{PIN: "4321", Protect: 3})
	ts.plug("1-1", foreign)
	q := agent.AssertRequest{Common: waits(time.Second), NeedsPIN: true, Credentials: []agent.Credential{id}}
	_, done, _ := asserting(t, ts, q, "1234")
	if err := <-done; codeIn(err) != agent.WrongKey {
		t.Errorf("two: %v", err)
	}
	q.Wait = 0
	said, done, _ := asserting(t, ts, q, "1234")
	said.await(t, agent.Absent)
	ts.unplug("1-1")
	if err := <-done; err != nil {
		t.Error(err)
	}
	ts.unplug("1-2")
	ts.plug("1-1", foreign)
	_, done, reply := asserting(t, ts, agent.AssertRequest{Find: true, Credentials: []agent.Credential{id}}, "")
	if err := <-done; err != nil || reply.Tries != 8 {
		t.Errorf("the foreign one has lost a try: %+v, %v", reply, err)
	}
}

// A key that gives up at once is not asked without end, and not without a pause.
func TestHasty(t *testing.T) {
	ts, key := newTokens(), fido.New(fido.Options{})
	ts.plug("1-1", key)
	id, _ := enrol(t, ts, agent.CreateRequest{}, "")
	var asked atomic.Int32
	key.Change(func(o *fido.Options) {
		o.Touch, o.TouchTimeout = func(ctx context.Context) bool { asked.Add(1); <-ctx.Done(); return false }, time.Nanosecond
	})
	_, done, _ := asserting(t, ts, agent.AssertRequest{Credentials: []agent.Credential{id}}, "")
	if err, n := <-done, asked.Load(); codeIn(err) != agent.NoTouch || n < 2 || n > maxAsks {
		t.Errorf("asked %d times: %v", n, err)
	}
}
