package piv_test

import (
	"context"
	"syscall"
	"testing"

	gopiv "github.com/go-piv/piv-go/v2/piv"

	"github.com/factord/factord/usb/piv"
	"github.com/factord/factord/usb/virtual/card"
	"github.com/factord/factord/usb/virtual/reader"
)

// pull has the key pulled out at a command.
func (k *key) pull(at func(apdu []byte) bool) {
	k.Card.SetFault(func(_ context.Context, apdu []byte, answer func([]byte) []byte) []byte {
		if at(apdu) {
			return nil
		}
		return answer(apdu)
	})
}

// TestRemovedBeforePIN: nothing is spent yet, so the key is waited for.
func TestRemovedBeforePIN(t *testing.T) {
	r := reader.New(t, reader.Config{})
	k := insert(t, r, card.Config{}, ec(gopiv.PINPolicyOnce, gopiv.TouchPolicyNever))
	s := newTold()
	k.pull(metadata)
	request := k.request(pin)
	request.Say = s.say
	done := background(func() error { return k.sign(t, request) })
	<-k.Removed()
	k.Card.SetFault(nil)
	k.Remove()
	s.await(t, piv.Absent)
	k.Key = r.Insert(k.Card)
	must(t, result(t, done))
	if n := k.pins(); n != 1 {
		t.Errorf("%d PINs were sent", n)
	}
}

// TestRemoved: once the PIN was sent it is not sent again, and the key works anew when
// it is plugged in again.
func TestRemoved(t *testing.T) {
	r := reader.New(t, reader.Config{})
	k := insert(t, r, card.Config{}, ec(gopiv.PINPolicyOnce, gopiv.TouchPolicyAlways))
	for name, at := range map[string]func([]byte) bool{"at the PIN": verify, "at the touch": signing} {
		before := k.pins()
		k.pull(at)
		wants(t, name, k.sign(t, k.request(pin)), piv.ErrRemoved)
		if n := k.pins() - before; n != 1 {
			t.Errorf("%s: %d PINs were sent", name, n)
		}
		k.Card.SetFault(nil)
		k.Remove()
		k.Key = r.Insert(k.Card)
		must(t, k.sign(t, k.request(pin)))
	}

	s := newTold()
	k.Card.SetTouch(func(ctx context.Context, _ byte) bool { <-ctx.Done(); return false })
	request := k.request(pin)
	request.Say = s.say
	done := background(func() error { return k.sign(t, request) })
	s.await(t, piv.Touch)
	k.Remove()
	wants(t, "while it waits for a touch", result(t, done), piv.ErrRemoved)
}

func TestNoService(t *testing.T) {
	r := reader.New(t, reader.Config{})
	k := insert(t, r, card.Config{}, ec(gopiv.PINPolicyOnce, gopiv.TouchPolicyNever))
	r.Kill()
	_, _, err := piv.List(patient(t))
	wants(t, "listing", err, piv.ErrService)
	wants(t, "signing", k.sign(t, k.request(pin)), piv.ErrService)

	// One that comes back in time is waited for.
	done := background(func() error { return k.sign(t, k.request(pin)) })
	r.Start()
	must(t, result(t, done))
}

func TestServiceKilled(t *testing.T) {
	r := reader.New(t, reader.Config{})
	k := insert(t, r, card.Config{}, ec(gopiv.PINPolicyOnce, gopiv.TouchPolicyAlways))
	s := newTold()
	k.Card.SetTouch(func(ctx context.Context, _ byte) bool { <-ctx.Done(); return false })
	request := k.request(pin)
	request.Say = s.say
	done := background(func() error { return k.sign(t, request) })
	s.await(t, piv.Touch)
	r.Kill()
	wants(t, "killed at the touch", result(t, done), piv.ErrService)
	r.Start()
	k.Card.SetTouch(nil)
	must(t, k.sign(t, k.request(pin)))
	if left := k.tries(t); left != 3 {
		t.Errorf("afterwards the card says %d", left)
	}
}

// TestServiceRestarted: a search goes on when pcscd begins anew.
func TestServiceRestarted(t *testing.T) {
	r := reader.New(t, reader.Config{})
	k := insert(t, r, card.Config{}, ec(gopiv.PINPolicyOnce, gopiv.TouchPolicyNever))
	k.Remove()
	s := newTold()
	request := k.request(pin)
	request.Say = s.say
	done := background(func() error { return k.sign(t, request) })
	s.await(t, piv.Absent)
	r.Kill()
	r.Start()
	k.Key = r.Insert(k.Card)
	must(t, result(t, done))
}

// TestServiceHangs: nobody waits for a pcscd that does not answer.
func TestServiceHangs(t *testing.T) {
	r := reader.New(t, reader.Config{})
	k := insert(t, r, card.Config{}, ec(gopiv.PINPolicyOnce, gopiv.TouchPolicyAlways))
	s := newTold()
	k.Card.SetTouch(func(ctx context.Context, _ byte) bool { <-ctx.Done(); return false })
	ctx, cancel := context.WithCancel(t.Context())
	request := k.request(pin)
	request.Say = s.say
	done := background(func() error {
		_, err := piv.Sign(ctx, request)
		return err
	})
	s.await(t, piv.Touch)
	r.Signal(syscall.SIGSTOP)
	cancel()
	wants(t, "cancelled", result(t, done), context.Canceled)
	_, _, err := piv.List(patient(t))
	wants(t, "listing", err, piv.ErrService)
	r.Signal(syscall.SIGCONT)
}
