package ctap_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/factord/factord/usb/ctap"
	"github.com/factord/factord/usb/hid"
	"github.com/factord/factord/usb/virtual/fido"
)

// cancelLimit is what a cancelled wait may take on a loaded machine; it is meant to
// take 200 ms.
const cancelLimit = 5 * time.Second

func TestCancelEndsTheTouch(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]fido.Options{
		"CTAP2":  {},
		"U2F":    {NoCTAP2: true},
		"finger": {},
		"making": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := fido.New(options)
			told := make(chan struct{}, 10)
			c, err := ctap.Open(within(t), plug(t, k).Open(), func() { told <- struct{}{} })
			if err != nil {
				t.Fatal(err)
			}
			handle, _ := k.RegisterU2F(rpID)
			r := request(handle)
			k.Change(func(o *fido.Options) { o.Touch = fido.Never })
			if name == "finger" {
				k.Change(func(o *fido.Options) { o.Verify = fido.Never })
				if c, err = ctap.Open(within(t), plug(t, k).Open(), func() { told <- struct{}{} }); err != nil {
					t.Fatal(err)
				}
				r.UV = true
			}
			ctx, cancel := context.WithCancel(within(t))
			ended := make(chan error, 1)
			go func() {
				if name == "making" {
					_, err := c.MakeCredential(ctx, enrolment("alice"))
					ended <- err
					return
				}
				_, err := c.Assert(ctx, r)
				ended <- err
			}()
			<-told
			start := time.Now()
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			took := time.Since(start)
			t.Logf("ended after %v", took)
			if took > cancelLimit {
				t.Errorf("ended after %v", took)
			}
			if name == "U2F" {
				return // which can't be told, and blinks on
			}
			// The key has stopped, long before it would have by itself: it is free.
			k.Change(func(o *fido.Options) { o.Touch = nil })
			soon, stop := context.WithTimeout(t.Context(), 2*cancelLimit)
			defer stop()
			if _, err := c.Assert(soon, request(handle)); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// A key that goes on blinking doesn't hold us up.
func TestCancelOfADeafKey(t *testing.T) {
	t.Parallel()
	k := fido.New(fido.Options{})
	told := make(chan struct{}, 1)
	c, err := ctap.Open(within(t), plug(t, k).Open(), func() { told <- struct{}{} })
	if err != nil {
		t.Fatal(err)
	}
	handle, _ := k.RegisterU2F(rpID)
	stop := make(chan struct{})
	defer close(stop)
	k.Change(func(o *fido.Options) {
		o.Touch = func(context.Context) bool { <-stop; return false }
	})
	ctx, cancel := context.WithCancel(within(t))
	go func() {
		<-told
		cancel()
	}()
	start := time.Now()
	if _, err := c.Assert(ctx, request(handle)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if took := time.Since(start); took > cancelLimit {
		t.Errorf("ended after %v", took)
	}
}

func TestUnpluggedWhileItBlinks(t *testing.T) {
	t.Parallel()
	for _, options := range []fido.Options{{}, {NoCTAP2: true}} {
		k := fido.New(options)
		s := plug(t, k)
		c, err := ctap.Open(within(t), s.Open(), s.Unplug)
		if err != nil {
			t.Fatal(err)
		}
		handle, _ := k.RegisterU2F(rpID)
		k.Change(func(o *fido.Options) { o.Touch = fido.Never })
		if _, err := c.Assert(within(t), request(handle)); !errors.Is(err, hid.ErrGone) {
			t.Error(err)
		}
	}
}

// Pulled out before any of its messages, from the greeting to the last.
func TestUnpluggedAtEveryStep(t *testing.T) {
	t.Parallel()
	k := fido.New(fido.Options{PIN: string(pin)})
	handle, _ := k.RegisterU2F(rpID)
	for step := 0; ; step++ {
		s := plug(t, k)
		left := step
		k.Change(func(o *fido.Options) {
			o.Frames = func(frames []fido.Frame) []fido.Frame {
				if left == 0 {
					s.Unplug()
				}
				left--
				return frames
			}
		})
		c, err := ctap.Open(within(t), s.Open(), nil)
		if err == nil {
			r := request(handle)
			r.PIN = pin
			_, err = c.Assert(within(t), r)
		}
		s.Unplug()
		if err == nil {
			if step < 5 { // greeting, info, agreement, token, assertion
				t.Errorf("all was done in %d messages", step)
			}
			return
		}
		if !errors.Is(err, hid.ErrGone) {
			t.Errorf("at message %d: %v", step, err)
		}
	}
}

func TestOpenUnplugged(t *testing.T) {
	t.Parallel()
	s := plug(t, fido.New(fido.Options{}))
	s.Unplug()
	if _, err := ctap.Open(within(t), s.Open(), nil); !errors.Is(err, hid.ErrGone) {
		t.Error(err)
	}
}

// Faults that are to be seen through, and those that are to be refused.
func TestFaults(t *testing.T) {
	t.Parallel()
	anything := errors.New("anything but success")
	for _, test := range []struct {
		name   string
		change func(*fido.Options)
		want   error
	}{
		{"frames of others", func(o *fido.Options) { o.Frames = fido.Crossed }, nil},
		{"busy for a while", func(o *fido.Options) { o.Frames = fido.Busy(3) }, nil},
		{"wrong sequence", func(o *fido.Options) { o.Frames = fido.WrongSequence }, ctap.ErrMalformed},
		{"short answer", func(o *fido.Options) { o.Answer = fido.Short }, ctap.ErrMalformed},
		{"empty answer", func(o *fido.Options) { o.Answer = func(_, _ []byte) []byte { return nil } }, ctap.ErrMalformed},
		{"success without more", func(o *fido.Options) { o.Answer = func(_, _ []byte) []byte { return []byte{0} } }, ctap.ErrMalformed},
		{"trailing byte", func(o *fido.Options) { o.Answer = func(_, a []byte) []byte { return append(a, 0) } }, ctap.ErrMalformed},
		{"long answer", func(o *fido.Options) { o.Answer = func(_, a []byte) []byte { return append(a, make([]byte, 7000)...) } }, ctap.ErrMalformed},
		{"unknown status", func(o *fido.Options) { o.Answer = func(_, _ []byte) []byte { return []byte{0xf1} } }, ctap.Status(0xf1)},
		{"silence", func(o *fido.Options) { o.Frames = fido.Silence }, ctap.ErrSilent},
		{"noise", func(o *fido.Options) { o.Frames = fido.Noise }, ctap.ErrSilent},
		{"garbage", func(o *fido.Options) { o.Frames = fido.Garbage }, anything},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			k := fido.New(fido.Options{})
			c := open(t, k)
			handle, _ := k.RegisterU2F(rpID)
			k.Change(test.change)
			all, err := c.Assert(within(t), request(handle))
			switch {
			case test.want == nil && (err != nil || len(all) != 1):
				t.Errorf("%d assertions, %v", len(all), err)
			case test.want == anything && err == nil:
				t.Error("accepted")
			case test.want != nil && test.want != anything && !errors.Is(err, test.want):
				t.Error(err)
			}
		})
	}
}

func TestOpenFaults(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]fido.Options{
		"another's nonce": {Frames: fido.WrongNonce},
		"silence":         {Frames: fido.Silence},
		"noise":           {Frames: fido.Noise},
		"short info":      {Answer: fido.Short},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := ctap.Open(within(t), plug(t, fido.New(options)).Open(), nil); !errors.Is(err, ctap.ErrSilent) && !errors.Is(err, ctap.ErrMalformed) {
				t.Error(err)
			}
		})
	}
}
