package piv_test

import (
	"context"
	"crypto"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	gopiv "github.com/go-piv/piv-go/v2/piv"

	"github.com/factord/factord/daemon/factor/piv/proof"
	"github.com/factord/factord/usb/piv"
	"github.com/factord/factord/usb/virtual/card"
	"github.com/factord/factord/usb/virtual/reader"
)

// patience is how long a test waits for what has to come.
const patience = 30 * time.Second

const pin, wrong = "123456", "654321"

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// key is a virtual YubiKey with a key in slot 9a.
type key struct {
	*reader.Key
	public *proof.Key
}

// insert plugs in a new card, and makes a key of a kind on it.
func insert(t testing.TB, r *reader.Readers, config card.Config, kind gopiv.Key) *key {
	t.Helper()
	k := &key{Key: r.Insert(card.New(config))}
	k.generate(t, kind)
	return k
}

// generate makes another key in slot 9a.
func (k *key) generate(t testing.TB, kind gopiv.Key) {
	t.Helper()
	k.use(t, func(yk *gopiv.YubiKey) {
		public, err := yk.GenerateKey(gopiv.DefaultManagementKey, gopiv.SlotAuthentication, kind)
		must(t, err)
		k.know(t, public)
	})
}

func (k *key) know(t testing.TB, public crypto.PublicKey) {
	t.Helper()
	var err error
	k.public, err = proof.NewKey(public)
	must(t, err)
}

// use is another program with the card.
func (k *key) use(t testing.TB, do func(*gopiv.YubiKey)) {
	t.Helper()
	yk, err := gopiv.Open(k.Reader)
	must(t, err)
	defer yk.Close()
	do(yk)
}

// ec is a P-256 key with policies.
func ec(pin gopiv.PINPolicy, touch gopiv.TouchPolicy) gopiv.Key {
	return gopiv.Key{Algorithm: gopiv.AlgorithmEC256, PINPolicy: pin, TouchPolicy: touch}
}

// message is what is signed.
func message() []byte { return []byte("factord test: host, user, nonce") }

func (k *key) wanted() piv.Wanted { return piv.Wanted{Serial: k.Card.Serial()} }

// request is to sign with slot 9a and a PIN, if not empty.
func (k *key) request(pin string) piv.Request {
	return piv.Request{Wanted: k.wanted(), Slot: proof.Authentication, Key: k.public, Message: message(), PIN: []byte(pin)}
}

// patient is a context that a test is not to wait for.
func patient(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// sign signs, and checks what comes.
func (k *key) sign(t testing.TB, r piv.Request) error {
	t.Helper()
	s, err := piv.Sign(patient(t), r)
	if err != nil {
		return err
	}
	if err := r.Key.Verify(r.Message, s.Bytes); err != nil {
		t.Error(err)
	}
	if s.Stays {
		t.Error("the card does not forget the PIN")
	}
	return nil
}

// pins counts the PINs that the card got.
func (k *key) pins() int {
	n := 0
	for _, e := range k.Card.Trace() {
		if verify(e.Command) {
			n++
		}
	}
	return n
}

// Commands of which a test must know.
func verify(apdu []byte) bool   { return apdu[1] == 0x20 && len(apdu) > 5 }
func metadata(apdu []byte) bool { return apdu[1] == 0xf7 }
func signing(apdu []byte) bool  { return apdu[1] == 0x87 }

// tries returns what the card says of its PIN to another program: -1 if it is verified.
func (k *key) tries(t testing.TB) (left int) {
	t.Helper()
	k.use(t, func(yk *gopiv.YubiKey) {
		var err error
		if left, err = yk.Retries(); err != nil {
			left = -1
		}
	})
	return left
}

// told collects states.
type told struct {
	mu     sync.Mutex
	states []piv.State
	more   chan struct{}
}

func newTold() *told { return &told{more: make(chan struct{}, 100)} }

func (s *told) say(state piv.State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.states = append(s.states, state)
	s.more <- struct{}{}
}

func (s *told) all() []piv.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.states)
}

// await waits until a state is told.
func (s *told) await(t testing.TB, state piv.State) {
	t.Helper()
	timeout := time.After(patience)
	for !slices.Contains(s.all(), state) {
		select {
		case <-s.more:
		case <-timeout:
			t.Fatalf("state %d was not told, but %v", state, s.all())
		}
	}
}

// wants checks an error.
func wants(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
}

// background runs an operation, and returns its result later.
func background(do func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	return done
}

// result waits for it.
func result(t testing.TB, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		t.Fatal("the operation does not end")
		return nil
	}
}
