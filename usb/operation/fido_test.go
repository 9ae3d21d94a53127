package operation

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor/fido2/assertion"
	"github.com/factord/factord/daemon/wire/agent"
	"github.com/factord/factord/usb/hid"
	"github.com/factord/factord/usb/virtual/fido"
	"github.com/factord/factord/usb/virtual/fido/direct"
)

// tokens is a machine with ports for FIDO2 keys. It is a hid.Backend.
type tokens struct {
	hid.Backend
	mu    sync.Mutex
	ports map[string]*direct.Socket
}

func newTokens() *tokens { return &tokens{ports: map[string]*direct.Socket{}} }

func (ts *tokens) plug(port string, k *fido.Key) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.ports[port] = direct.Plug(k)
}

func (ts *tokens) unplug(port string) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.ports[port].Unplug()
	delete(ts.ports, port)
}

func (ts *tokens) Keys(ctx context.Context) (keys []hid.Key, err error) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for _, port := range slices.Sorted(maps.Keys(ts.ports)) {
		keys = append(keys, hid.Key{Port: port, FIDO: true})
	}
	return keys, ctx.Err()
}

func (ts *tokens) Frames(_ context.Context, port string) (hid.Frames, error) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if s := ts.ports[port]; s != nil {
		return s.Open(), nil
	}
	return nil, hid.ErrGone
}

const rpID = "factord"

var clientHash = bytes.Repeat([]byte{7}, 32)

func waits(d time.Duration) agent.Common { return agent.Common{Wait: d.Milliseconds()} }

// enrol makes a credential with the one key that is there.
func enrol(t *testing.T, ts *tokens, q agent.CreateRequest, pin string) (agent.Credential, assertion.Credential) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	q.Common, q.RPID, q.UserID, q.ClientHash = waits(limit), rpID, []byte("user"), clientHash
	r, err := Machine{Hidraw: ts}.Create(ctx, q, &talk{pin: pin})
	if err != nil {
		t.Fatal(err)
	}
	made, err := assertion.ParseFresh(rpID, r.AuthData)
	if err != nil {
		t.Fatal(err)
	}
	return agent.Credential{ID: made.ID, Public: made.Key.COSE()}, assertion.Credential{RPIDHash: sha256.Sum256([]byte(rpID)), Key: made.Key}
}

func asserting(t *testing.T, ts *tokens, q agent.AssertRequest, pin string) (*talk, chan error, *agent.AssertReply) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	q.RPID, q.ClientHash, q.UP = rpID, clientHash, true
	if q.Wait == 0 {
		q.Common = waits(limit)
	}
	said, done, reply := &talk{pin: pin}, make(chan error, 1), &agent.AssertReply{}
	go func() {
		r, err := Machine{Hidraw: ts}.Assert(ctx, q, said)
		*reply = r
		done <- err
	}()
	return said, done, reply
}

// Of several keys only the one blinks that has the credential, and it is waited for.
func TestAssert(t *testing.T) {
	ts := newTokens()
	mine := fido.New(fido.Options{})
	ts.plug("1-1", mine)
	id, known := enrol(t, ts, agent.CreateRequest{}, "")
	ts.unplug("1-1")
	foreign := fido.New(fido.Options{Touch: func(context.Context) bool { t.Error("a foreign key blinks"); return false }})
	ts.plug("1-1", foreign)
	said, done, reply := asserting(t, ts, agent.AssertRequest{Credentials: []agent.Credential{{ID: []byte("of another key"), Public: id.Public}, id}}, "")
	said.await(t, agent.Absent)
	button := fido.NewButton()
	mine.Change(func(o *fido.Options) { o.Touch = button.Touch })
	ts.plug("1-2", mine)
	said.await(t, agent.Touch)
	ts.unplug("1-2") // while it blinks
	said.await(t, agent.Absent)
	ts.plug("2-1", mine)
	said.await(t, agent.Touch)
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	go func() { // it may blink for the one who was cut off, too
		for button.Press(ctx, true) {
		}
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if _, flags, err := known.Check(reply.AuthData, clientHash, reply.Signature); err != nil || flags&assertion.FlagPresent == 0 || reply.Port != "2-1" {
		t.Errorf("%+v: %v", reply, err)
	}
}

// A silent look: which credential, and how many tries the PIN has.
func TestAssertFind(t *testing.T) {
	ts := newTokens()
	key := fido.New(fido.Options{PIN: "123456"})
	ts.plug("1-1", key)
	id, _ := enrol(t, ts, agent.CreateRequest{NeedsPIN: true}, "123456")
	key.Change(func(o *fido.Options) { o.Touch = func(context.Context) bool { t.Error("it blinks"); return false } })
	_, done, reply := asserting(t, ts, agent.AssertRequest{Find: true, Credentials: []agent.Credential{id}}, "")
	if err := <-done; err != nil || !bytes.Equal(reply.Credential, id.ID) || reply.Tries != 8 {
		t.Errorf("%+v, %v", reply, err)
	}
}

// A PIN is shown to the key that has the credential, and to no other.
func TestAssertPIN(t *testing.T) {
	ts := newTokens()
	key := fido.New(fido.Options{PIN: "123456"})
	ts.plug("1-1", key)
	id, known := enrol(t, ts, agent.CreateRequest{NeedsPIN: true}, "123456")
	foreign := fido.New(fido.Options{PIN: "654321"})
	ts.plug("1-2", foreign)
	_, done, reply := asserting(t, ts, agent.AssertRequest{NeedsPIN: true, Credentials: []agent.Credential{id}}, "123456")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if _, flags, err := known.Check(reply.AuthData, clientHash, reply.Signature); err != nil || flags&assertion.FlagVerified == 0 {
		t.Errorf("flags %x, %v", flags, err)
	}
	_, done, _ = asserting(t, ts, agent.AssertRequest{NeedsPIN: true, Credentials: []agent.Credential{id}}, "111111")
	var e *agent.Error
	if err := <-done; !errors.As(err, &e) || e.Code != agent.WrongPIN || e.Tries != 7 {
		t.Errorf("wrong PIN: %v", err)
	}
	ts.unplug("1-1") // the other one's tries are untouched
	left, done, reply := asserting(t, ts, agent.AssertRequest{Common: waits(time.Second), NeedsPIN: true, Credentials: []agent.Credential{id}}, "123456")
	if err := <-done; codeIn(err) != agent.Gone {
		t.Errorf("%v, %v, %+v", left.states, err, reply)
	}
}

func TestAssertInVain(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*fido.Options)
		want   agent.Code
	}{
		"untouched":     {func(o *fido.Options) { o.Touch = fido.Never }, agent.NoTouch},
		"key gives up":  {func(o *fido.Options) { o.Touch, o.TouchTimeout = fido.Never, 200*time.Millisecond }, agent.NoTouch},
		"declined":      {func(o *fido.Options) { o.Touch = fido.Deny }, agent.Declined},
		"garbled":       {func(o *fido.Options) { o.Answer = fido.Short }, agent.Garbled},
		"PIN not given": {func(o *fido.Options) { o.AlwaysUV = true }, agent.PINNeeded},
	} {
		ts := newTokens()
		key := fido.New(fido.Options{})
		ts.plug("1-1", key)
		id, _ := enrol(t, ts, agent.CreateRequest{}, "")
		key.Change(tc.change)
		_, done, _ := asserting(t, ts, agent.AssertRequest{Common: waits(time.Second), Credentials: []agent.Credential{id}}, "")
		if err := <-done; codeIn(err) != tc.want {
			t.Errorf("%s: %v; want code %d", name, err, tc.want)
		}
	}
}

func TestCreateRefused(t *testing.T) {
	ts := newTokens()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	q := agent.CreateRequest{Common: waits(500 * time.Millisecond), RPID: rpID, UserID: []byte("user"), ClientHash: clientHash}
	if _, err := (Machine{Hidraw: ts}).Create(ctx, q, &talk{}); codeIn(err) != agent.Gone {
		t.Errorf("no key: %v", err)
	}
	ts.plug("1-1", fido.New(fido.Options{}))
	id, _ := enrol(t, ts, agent.CreateRequest{}, "")
	q.Exclude = [][]byte{id.ID}
	if _, err := (Machine{Hidraw: ts}).Create(ctx, q, &talk{}); codeIn(err) != agent.Excluded {
		t.Errorf("enrolled already: %v", err)
	}
	ts.plug("1-2", fido.New(fido.Options{}))
	if _, err := (Machine{Hidraw: ts}).Create(ctx, q, &talk{}); codeIn(err) != agent.WrongKey {
		t.Errorf("two keys: %v", err)
	}
	q.Port = "1-2"
	if r, err := (Machine{Hidraw: ts}).Create(ctx, q, &talk{}); err != nil || r.Port != "1-2" || r.Format != "packed" || r.Alg != int(assertion.ES256) || len(r.Signature) == 0 {
		t.Errorf("%+v, %v", r, err)
	}
}
