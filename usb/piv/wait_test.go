package piv_test

import (
	"context"
	"slices"
	"testing"

	gopiv "github.com/go-piv/piv-go/v2/piv"

	"github.com/factord/factord/daemon/factor/piv/proof"
	"github.com/factord/factord/usb/piv"
	"github.com/factord/factord/usb/virtual/card"
	"github.com/factord/factord/usb/virtual/reader"
)

func TestTouch(t *testing.T) {
	r := reader.New(t, reader.Config{})
	k := insert(t, r, card.Config{}, ec(gopiv.PINPolicyOnce, gopiv.TouchPolicyAlways))

	// Late: nobody touches before it is said that somebody should.
	finger, s := make(chan struct{}), newTold()
	k.Card.SetTouch(func(ctx context.Context, _ byte) bool {
		select {
		case <-finger:
			return true
		case <-ctx.Done():
			return false
		}
	})
	request := k.request(pin)
	request.Say = s.say
	done := background(func() error { return k.sign(t, request) })
	s.await(t, piv.Touch)
	finger <- struct{}{}
	must(t, result(t, done))
	if !slices.Equal(s.all(), []piv.State{piv.Ready, piv.Touch}) {
		t.Errorf("told %v", s.all())
	}

	k.Card.SetTouch(func(context.Context, byte) bool { return false })
	wants(t, "never touched", k.sign(t, k.request(pin)), piv.ErrTouch)
	if left := k.tries(t); left != 3 {
		t.Errorf("afterwards the card says %d", left)
	}

	s = newTold()
	request = k.request(wrong)
	request.Say = s.say
	k.sign(t, request)
	if !slices.Equal(s.all(), []piv.State{piv.Ready}) {
		t.Errorf("with a wrong PIN it is told %v", s.all())
	}
}

func TestCachedTouch(t *testing.T) {
	r := reader.New(t, reader.Config{})
	k := insert(t, r, card.Config{}, ec(gopiv.PINPolicyNever, gopiv.TouchPolicyCached))
	s := newTold()
	request := k.request("")
	request.Say = s.say
	must(t, k.sign(t, request))
	if !slices.Equal(s.all(), []piv.State{piv.Ready, piv.MayTouch}) {
		t.Errorf("told %v", s.all())
	}
}

// TestCancelled: the caller is gone at once, the key is let go of when it answers, and
// nobody can sign with the PIN then.
func TestCancelled(t *testing.T) {
	r := reader.New(t, reader.Config{})
	k := insert(t, r, card.Config{}, ec(gopiv.PINPolicyOnce, gopiv.TouchPolicyAlways))
	finger, s := make(chan struct{}), newTold()
	k.Card.SetTouch(func(context.Context, byte) bool { <-finger; return true })
	ctx, cancel := context.WithCancelCause(patient(t))
	request := k.request(pin)
	request.Say = s.say
	done := background(func() error {
		_, err := piv.Sign(ctx, request)
		return err
	})
	s.await(t, piv.Touch)
	cancel(context.Canceled)
	wants(t, "cancelled", result(t, done), context.Canceled) // nobody has touched it yet
	close(finger)
	tries, err := piv.Retries(patient(t), k.wanted())
	if err != nil || tries != (piv.Tries{Left: 3}) {
		t.Errorf("afterwards: %+v, %v", tries, err)
	}

	ended, cancel2 := context.WithCancel(t.Context())
	cancel2()
	_, err = piv.Sign(ended, k.request(pin))
	wants(t, "cancelled before", err, context.Canceled)
	_, _, err = piv.List(ended)
	wants(t, "cancelled before", err, context.Canceled)
	if n := k.pins(); n != 1 {
		t.Errorf("%d PINs were sent, want 1", n)
	}
}

// TestAbsent: the key that is plugged in late is found, beside a foreign card and
// another key.
func TestAbsent(t *testing.T) {
	r := reader.New(t, reader.Config{Readers: 4})
	r.InsertAt(0, foreign())
	other := insert(t, r, card.Config{}, ec(gopiv.PINPolicyOnce, gopiv.TouchPolicyNever))
	k := insert(t, r, card.Config{}, ec(gopiv.PINPolicyOnce, gopiv.TouchPolicyNever))
	k.Remove()

	s := newTold()
	request := k.request(pin)
	request.Say = s.say
	done := background(func() error { return k.sign(t, request) })
	s.await(t, piv.Absent)
	k.Key = r.Insert(k.Card)
	must(t, result(t, done))
	if !slices.Equal(s.all(), []piv.State{piv.Absent, piv.Ready}) {
		t.Errorf("told %v", s.all())
	}
	if other.pins() != 0 {
		t.Error("another key got the PIN")
	}

	k.Remove()
	k.endsWith(t, piv.Absent, piv.ErrAbsent)
}

// endsWith has the time end while a state lasts.
func (k *key) endsWith(t *testing.T, state piv.State, want error) {
	t.Helper()
	ctx, end := context.WithCancelCause(t.Context())
	s := newTold()
	request := k.request(pin)
	request.Say = s.say
	done := background(func() error {
		_, err := piv.Sign(ctx, request)
		return err
	})
	s.await(t, state)
	end(context.DeadlineExceeded)
	err := result(t, done)
	wants(t, "the time ends", err, want)
	wants(t, "the time ends", err, context.DeadlineExceeded)
}

// TestSwapped: another key makes place for the one that is meant.
func TestSwapped(t *testing.T) {
	r := reader.New(t, reader.Config{})
	k := insert(t, r, card.Config{}, ec(gopiv.PINPolicyOnce, gopiv.TouchPolicyNever))
	k.Remove()
	other := insert(t, r, card.Config{}, ec(gopiv.PINPolicyOnce, gopiv.TouchPolicyNever))
	s := newTold()
	request := k.request(pin)
	request.Say = s.say
	done := background(func() error { return k.sign(t, request) })
	s.await(t, piv.Absent)
	other.Remove()
	k.Key = r.Insert(k.Card)
	must(t, result(t, done))
}

// TestTheOne: without a serial number it is the key that is plugged in.
func TestTheOne(t *testing.T) {
	r := reader.New(t, reader.Config{Readers: 4})
	wanted := piv.Wanted{NoWait: true}
	_, err := piv.Read(patient(t), wanted, proof.Authentication)
	wants(t, "no key", err, piv.ErrAbsent)
	r.Insert(foreign())
	k := insert(t, r, card.Config{}, ec(gopiv.PINPolicyOnce, gopiv.TouchPolicyNever))
	one := func() {
		t.Helper()
		e, err := piv.Read(patient(t), wanted, proof.Authentication)
		if err != nil || e.Serial != k.Card.Serial() || e.Tries.Left != 3 || e.Reader != k.Reader {
			t.Errorf("read %+v, %v", e, err)
		}
	}
	one()
	other := insert(t, r, card.Config{}, ec(gopiv.PINPolicyOnce, gopiv.TouchPolicyNever))
	for _, wait := range []bool{true, false} {
		_, err = piv.Read(patient(t), piv.Wanted{NoWait: !wait}, proof.Authentication)
		wants(t, "two keys", err, piv.ErrSeveral)
	}
	release := other.Share()
	_, err = piv.Read(patient(t), wanted, proof.Authentication)
	wants(t, "two keys, and the last is held", err, piv.ErrSeveral)
	release()
	other.Remove()
	one()
	release = k.Share()
	_, err = piv.Read(patient(t), wanted, proof.Authentication)
	wants(t, "held", err, piv.ErrBusy)
	release()
	r.Kill()
	_, err = piv.Read(patient(t), wanted, proof.Authentication)
	wants(t, "no service", err, piv.ErrService)
}

func TestBusy(t *testing.T) {
	r := reader.New(t, reader.Config{})
	k := insert(t, r, card.Config{}, ec(gopiv.PINPolicyOnce, gopiv.TouchPolicyNever))
	exclusive := func() func() {
		yk, err := gopiv.Open(k.Reader)
		must(t, err)
		return func() { yk.Close() }
	}
	for name, hold := range map[string]func() func(){"shared": k.Share, "exclusive": exclusive} {
		release := hold()
		s := newTold()
		request := k.request(pin)
		request.Say = s.say
		done := background(func() error { return k.sign(t, request) })
		s.await(t, piv.Busy)
		release()
		must(t, result(t, done))
		if !slices.Equal(s.all(), []piv.State{piv.Busy, piv.Ready}) {
			t.Errorf("%s: told %v", name, s.all())
		}

		release = hold()
		k.endsWith(t, piv.Busy, piv.ErrBusy)
		release()
	}
}
