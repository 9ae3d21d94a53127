package ctap_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor/fido2/assertion"
	"github.com/factord/factord/usb/ctap"
	"github.com/factord/factord/usb/virtual/fido"
)

// A credential of U2F is asked for by U2F where the key knows that, and otherwise as
// CTAP2 has it.
func TestU2F(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]fido.Options{
		"U2F alone": {NoCTAP2: true},
		"both":      {},
		"no U2F":    {NoU2F: true},
		"late":      {NoCTAP2: true, Touch: fido.After(300 * time.Millisecond)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := fido.New(options)
			handle, point := k.RegisterU2F(rpID)
			key, err := assertion.NewES256(point)
			if err != nil {
				t.Fatal(err)
			}
			var touches atomic.Int32
			c, err := ctap.Open(within(t), plug(t, k).Open(), func() { touches.Add(1) })
			if err != nil {
				t.Fatal(err)
			}
			if c.CTAP2() == options.NoCTAP2 {
				t.Error("CTAP2:", c.CTAP2())
			}
			for id, want := range map[string]ctap.Held{string(handle): ctap.Yes, "another's handle": ctap.No} {
				if held, err := c.Holds(within(t), ctap.Look{RPID: rpID, ID: []byte(id), U2F: true}); held != want || err != nil {
					t.Errorf("%d, %v", held, err)
				}
			}
			r := request([]byte("another's handle"), handle)
			r.U2F = true
			all, err := c.Assert(within(t), r)
			if err != nil || len(all) != 1 {
				t.Fatalf("%d assertions, %v", len(all), err)
			}
			counter, flags := check(t, key, r, all[0])
			if counter == 0 || flags != assertion.FlagPresent || string(all[0].CredentialID) != string(handle) {
				t.Errorf("counter %d, flags 0x%02x", counter, flags)
			}
			if options.Touch != nil && touches.Load() != 1 {
				t.Errorf("told of %d touches", touches.Load())
			}
		})
	}
}

func TestU2FRefusals(t *testing.T) {
	t.Parallel()
	k := fido.New(fido.Options{NoCTAP2: true, Touch: fido.Never})
	c := open(t, k)
	handle, _ := k.RegisterU2F(rpID)
	for _, test := range []struct {
		name   string
		change func(*ctap.Request)
		want   error
	}{
		{"another's", func(r *ctap.Request) { r.IDs = [][]byte{[]byte("another's")} }, ctap.ErrNoCredentials},
		{"another AppID", func(r *ctap.Request) { r.RPID = "pam://other" }, ctap.ErrNoCredentials},
		{"too long", func(r *ctap.Request) { r.IDs = [][]byte{make([]byte, 256)} }, ctap.ErrNoCredentials},
		{"none", func(r *ctap.Request) { r.IDs = nil }, ctap.ErrUnsupported},
		{"PIN", func(r *ctap.Request) { r.PIN = pin }, ctap.ErrUnsupported},
		{"finger", func(r *ctap.Request) { r.UV = true }, ctap.ErrUnsupported},
	} {
		r := request(handle)
		test.change(&r)
		if _, err := c.Assert(within(t), r); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	if _, err := c.MakeCredential(within(t), enrolment("alice")); !errors.Is(err, ctap.ErrUnsupported) {
		t.Errorf("making a credential: %v", err)
	}
	if _, _, err := c.PINRetries(within(t)); !errors.Is(err, ctap.ErrUnsupported) {
		t.Errorf("tries: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := c.Assert(ctx, request(handle)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("never touched: %v", err)
	}
}
