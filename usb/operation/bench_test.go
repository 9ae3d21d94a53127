package operation

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/factord/factord/daemon/wire/agent"
	"github.com/factord/factord/usb/hid"
	"github.com/factord/factord/usb/virtual/otpkey"
)

// limit is what no test waits longer for.
const limit = 30 * time.Second

// bench is a machine with ports for virtual keys. It is a hid.Backend.
type bench struct {
	mu    sync.Mutex
	ports map[string]*plug
	// plugs counts them: another key in the same place is another device.
	plugs int
}

// plug is a key in a port, until it is pulled out.
type plug struct {
	key     *otpkey.Key
	name    string
	presses chan hid.Press
	gone    chan struct{}
	taken   sync.Mutex // of the keyboard
	held    bool       // by another program
	refused bool       // is access
	tries   int        // that were refused
}

func newBench() *bench { return &bench{ports: map[string]*plug{}} }

// refused is a key that may not be opened.
func refused(p *plug) { p.refused = true }

func (b *bench) plug(port string, k *otpkey.Key, as ...func(*plug)) *plug {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.plugs++
	k.Plug()
	p := &plug{key: k, name: fmt.Sprintf("key %d", b.plugs), presses: make(chan hid.Press, 200), gone: make(chan struct{})}
	for _, is := range as {
		is(p)
	}
	b.ports[port] = p
	return p
}

func (b *bench) unplug(port string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.ports[port].gone)
	delete(b.ports, port)
}

// hold says whether another program holds the key.
func (b *bench) hold(p *plug, held bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p.held = held
}

// touch has the key type, as its slot 1 does.
func (p *plug) touch(t *testing.T) string {
	t.Helper()
	text, strokes, err := p.key.Touch(false)
	if err != nil {
		t.Fatal(err)
	}
	before := byte(0)
	for _, s := range strokes {
		if usage := s.Report[2]; usage != 0 && usage != before {
			p.presses <- hid.NewPress(usage, s.Report[0])
		}
		before = s.Report[2]
	}
	return text
}

// isTaken reports whether a key's keyboard is taken.
func (b *bench) isTaken(p *plug) bool {
	if !p.taken.TryLock() {
		return true
	}
	p.taken.Unlock()
	return false
}

// tries says how often a key was refused, and grant ends that.
func (b *bench) tries(p *plug) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return p.tries
}

func (b *bench) grant(p *plug) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p.refused = false
}

func (b *bench) at(port string) (*plug, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch p := b.ports[port]; {
	case p == nil:
		return nil, hid.ErrGone
	case p.held:
		return nil, hid.ErrBusy
	case p.refused:
		p.tries++
		return nil, hid.ErrAccess
	default:
		return p, nil
	}
}

func (b *bench) Keys(ctx context.Context) (keys []hid.Key, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for port, p := range b.ports {
		keys = append(keys, hid.Key{Port: port, Vendor: 0x1050, Product: 0x0407, Name: p.name, OTP: true})
	}
	return keys, ctx.Err()
}

func (b *bench) Features(_ context.Context, port string) (hid.Features, error) {
	p, err := b.at(port)
	return featurePort{p}, err
}

func (b *bench) Keyboard(_ context.Context, port string) (hid.Keyboard, error) {
	p, err := b.at(port)
	if err == nil && !p.taken.TryLock() {
		err = hid.ErrBusy
	}
	return keyboard{p}, err
}

func (b *bench) Frames(context.Context, string) (hid.Frames, error) { return nil, hid.ErrNone }

type featurePort struct{ *plug }

func (f featurePort) Get(ctx context.Context) (r [hid.FeatureSize]byte, err error) {
	select {
	case <-f.gone:
		return r, hid.ErrGone
	case <-ctx.Done():
		return r, ctx.Err()
	default:
		return f.key.Get(), nil
	}
}

func (f featurePort) Set(ctx context.Context, r [hid.FeatureSize]byte) error {
	select {
	case <-f.gone:
		return hid.ErrGone
	case <-ctx.Done():
		return ctx.Err()
	default:
		f.key.Set(r)
		return nil
	}
}

func (f featurePort) Close() error { return nil }

type keyboard struct{ *plug }

func (k keyboard) Read(ctx context.Context) (hid.Press, error) {
	select {
	case p := <-k.presses:
		return p, nil
	case <-k.gone:
		return hid.Press{}, hid.ErrGone
	case <-ctx.Done():
		return hid.Press{}, ctx.Err()
	}
}

func (k keyboard) Close() error { k.taken.Unlock(); return nil }

// talk is a usb.Talk that remembers.
type talk struct {
	mu     sync.Mutex
	states []agent.State
	pin    string
}

func (t *talk) State(s agent.State) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.states); n == 0 || t.states[n-1] != s {
		t.states = append(t.states, s)
	}
}

func (t *talk) PIN() ([]byte, error) { return []byte(t.pin), nil }

// now is the last state.
func (t *talk) now() agent.State {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.states) == 0 {
		return ""
	}
	return t.states[len(t.states)-1]
}

// await waits for a state.
func (t *talk) await(tb testing.TB, want agent.State) {
	tb.Helper()
	await(tb, "state "+string(want), func() bool { return t.now() == want })
}

func await(tb testing.TB, what string, is func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(limit); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("never: %s", what)
		}
	}
}

func yubico(id string) *otpkey.Yubico { return &otpkey.Yubico{PublicID: id} }
