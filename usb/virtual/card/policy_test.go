package card_test

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-piv/piv-go/v2/piv"

	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/usb/virtual/card"
)

const wrongPIN = "654321"

// retries is what an error says of the tries that are left; -1: nothing.
func retries(err error) int {
	var wrong piv.AuthErr
	if !errors.As(err, &wrong) {
		return -1
	}
	return wrong.Retries
}

func TestPIN(t *testing.T) {
	_, yk := insert(t, card.Config{})
	for left := 2; left >= 0; left-- {
		if got := retries(yk.VerifyPIN(wrongPIN)); got != left {
			t.Errorf("%d tries are left, want %d", got, left)
		}
	}
	if got := retries(yk.VerifyPIN(piv.DefaultPIN)); got != 0 {
		t.Errorf("a blocked PIN: %d tries", got)
	}
	must(t, yk.Unblock(piv.DefaultPUK, "11223344"))
	must(t, yk.VerifyPIN("11223344"))
	must(t, yk.SetPIN("11223344", "998877"))
	must(t, yk.SetPUK(piv.DefaultPUK, "87654321"))
	if err := yk.Unblock(piv.DefaultPUK, "998877"); err == nil {
		t.Error("the old PUK still works")
	}
	if err := yk.SetPIN("998877", "12345"); err == nil {
		t.Error("a PIN of five digits is taken")
	}
	must(t, yk.SetRetries(piv.DefaultManagementKey, "998877", 5, 4))
	if got := retries(yk.VerifyPIN(wrongPIN)); got != 4 {
		t.Errorf("%d of 5 tries are left", got)
	}
}

func TestReset(t *testing.T) {
	_, yk := insert(t, card.Config{})
	public := generate(t, yk, piv.SlotAuthentication, p256(piv.PINPolicyNever, piv.TouchPolicyNever))
	f9, err := yk.AttestationCertificate()
	must(t, err)
	must(t, yk.Reset())
	if err := sign(yk, piv.SlotAuthentication, public, piv.KeyAuth{PINPolicy: piv.PINPolicyNever}); err == nil {
		t.Error("the key is still there")
	}
	if after, err := yk.AttestationCertificate(); err != nil || !after.Equal(f9) {
		t.Errorf("the attestation certificate is gone: %v", err)
	}
}

func TestPINPolicies(t *testing.T) {
	k, yk := insert(t, card.Config{})
	none, given := piv.KeyAuth{PINPolicy: piv.PINPolicyNever}, piv.KeyAuth{PIN: piv.DefaultPIN}
	slots := map[piv.PINPolicy]piv.Slot{piv.PINPolicyNever: piv.SlotCardAuthentication, piv.PINPolicyOnce: piv.SlotAuthentication, piv.PINPolicyAlways: piv.SlotSignature}
	keys := map[piv.PINPolicy]crypto.PublicKey{}
	for policy, slot := range slots {
		keys[policy] = generate(t, yk, slot, p256(policy, piv.TouchPolicyNever))
	}
	use := func(policy piv.PINPolicy, auth piv.KeyAuth) bool {
		return sign(yk, slots[policy], keys[policy], auth) == nil
	}
	expect := func(when string, never, once, always bool) {
		t.Helper()
		// always comes first: the others' signatures do not count against it
		if a, o, n := use(piv.PINPolicyAlways, none), use(piv.PINPolicyOnce, none), use(piv.PINPolicyNever, none); n != never || o != once || a != always {
			t.Errorf("%s: never %v, once %v, always %v", when, n, o, a)
		}
	}
	expect("without a PIN", true, false, false)
	must(t, yk.VerifyPIN(piv.DefaultPIN))
	expect("after a PIN", true, true, true)
	expect("after a PIN was used", true, true, false)
	if !use(piv.PINPolicyAlways, given) || !use(piv.PINPolicyOnce, given) {
		t.Error("the PIN does not help")
	}
	if err := yk.VerifyPIN(wrongPIN); retries(err) != 2 {
		t.Error(err)
	}
	expect("after a wrong PIN", true, false, false)
	must(t, yk.VerifyPIN(piv.DefaultPIN))
	_, err := yk.FormFactor()
	must(t, err)
	expect("after another applet", true, false, false)
	must(t, yk.VerifyPIN(piv.DefaultPIN))
	k.Card.PowerOn()
	k.Card.Transmit([]byte{0x00, 0xa4, 0x04, 0x00, 0x05, 0xa0, 0x00, 0x00, 0x03, 0x08})
	expect("after a loss of power", true, false, false)
}

// finger is a touch hook that a test moves.
type finger struct {
	blinks chan byte // the slot that waits
	touch  chan bool
}

func newFinger() finger { return finger{blinks: make(chan byte), touch: make(chan bool)} }

func (f finger) hook(ctx context.Context, slot byte) bool {
	select {
	case f.blinks <- slot:
	case <-ctx.Done():
		return false
	}
	select {
	case touched := <-f.touch:
		return touched
	case <-ctx.Done():
		return false
	}
}

func TestTouch(t *testing.T) {
	f := newFinger()
	_, yk := insert(t, card.Config{Touch: f.hook})
	public := generate(t, yk, piv.SlotAuthentication, p256(piv.PINPolicyNever, piv.TouchPolicyAlways))
	for _, touched := range []bool{true, false, true} {
		done := make(chan error)
		go func() { done <- sign(yk, piv.SlotAuthentication, public, piv.KeyAuth{PINPolicy: piv.PINPolicyNever}) }()
		if slot := <-f.blinks; slot != 0x9a {
			t.Errorf("slot %x waits", slot)
		}
		f.touch <- touched
		if err := <-done; (err == nil) != touched {
			t.Errorf("touched %v: %v", touched, err)
		}
	}
}

func TestTouchIsCached(t *testing.T) {
	clock := factordtest.NewClock(factordtest.Start)
	var touches atomic.Int32
	_, yk := insert(t, card.Config{Now: clock.Now, Touch: func(context.Context, byte) bool { touches.Add(1); return true }})
	public := generate(t, yk, piv.SlotAuthentication, p256(piv.PINPolicyNever, piv.TouchPolicyCached))
	for _, step := range []struct {
		wait    time.Duration
		touches int32
	}{{0, 1}, {14 * time.Second, 1}, {time.Second, 2}, {time.Second, 2}} {
		clock.Add(step.wait)
		must(t, sign(yk, piv.SlotAuthentication, public, piv.KeyAuth{PINPolicy: piv.PINPolicyNever}))
		if got := touches.Load(); got != step.touches {
			t.Errorf("after %v: %d touches, want %d", step.wait, got, step.touches)
		}
	}
}

// Whoever waits for a touch hears at once that the key is gone.
func TestPulledWhileItBlinks(t *testing.T) {
	f := newFinger()
	k, yk := insert(t, card.Config{Touch: f.hook})
	public := generate(t, yk, piv.SlotAuthentication, p256(piv.PINPolicyNever, piv.TouchPolicyAlways))
	done := make(chan error)
	go func() { done <- sign(yk, piv.SlotAuthentication, public, piv.KeyAuth{PINPolicy: piv.PINPolicyNever}) }()
	<-f.blinks
	k.Remove()
	if err := <-done; err == nil {
		t.Error("a key that was pulled out has signed")
	}
}

func TestFaults(t *testing.T) {
	for name, fault := range map[string]card.Fault{
		"garbage": func(_ context.Context, apdu []byte, answer func([]byte) []byte) []byte {
			return append(bytes.Repeat([]byte{0xa5}, 40), 0x90, 0x00)
		},
		"short": func(_ context.Context, apdu []byte, answer func([]byte) []byte) []byte { return []byte{0x90, 0x00} },
		"cut": func(_ context.Context, apdu []byte, answer func([]byte) []byte) []byte {
			whole := answer(apdu)
			return append(whole[:len(whole)/2], 0x90, 0x00)
		},
		"pulled": func(context.Context, []byte, func([]byte) []byte) []byte { return nil },
		"late": func(ctx context.Context, apdu []byte, answer func([]byte) []byte) []byte {
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
			return answer(apdu)
		},
	} {
		t.Run(name, func(t *testing.T) {
			k, yk := insert(t, card.Config{})
			public := generate(t, yk, piv.SlotAuthentication, p256(piv.PINPolicyNever, piv.TouchPolicyNever))
			k.Card.SetFault(fault)
			err := sign(yk, piv.SlotAuthentication, public, piv.KeyAuth{PINPolicy: piv.PINPolicyNever})
			if (err == nil) != (name == "late") {
				t.Error(err)
			}
			gone := false
			if name == "pulled" {
				<-k.Removed()
				gone = true
			}
			trace := k.Card.Trace()
			if last := trace[len(trace)-1]; len(last.Command) == 0 || (last.Answer == nil) != gone {
				t.Errorf("the trace ends with %x", last)
			}
		})
	}
}
