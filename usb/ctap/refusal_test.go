package ctap_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/factord/factord/usb/ctap"
	"github.com/factord/factord/usb/virtual/fido"
)

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		made    fido.Options
		change  func(*fido.Options)
		request func(*ctap.Request)
		want    error
	}{
		{"no credential", fido.Options{}, nil, func(r *ctap.Request) { r.IDs = [][]byte{[]byte("another's")} }, ctap.ErrNoCredentials},
		{"another relying party", fido.Options{}, nil, func(r *ctap.Request) { r.RPID = "pam://other" }, ctap.ErrNoCredentials},
		{"none kept", fido.Options{}, nil, func(r *ctap.Request) { r.IDs = nil }, ctap.ErrNoCredentials},
		{"denied", fido.Options{}, func(o *fido.Options) { o.Touch = fido.Deny }, nil, ctap.ErrDenied},
		{"never touched", fido.Options{}, func(o *fido.Options) { o.Touch, o.TouchTimeout = fido.Never, 300*time.Millisecond }, nil, ctap.ErrTouchTimeout},
		{"PIN required", fido.Options{}, func(o *fido.Options) { o.AlwaysUV = true }, nil, ctap.ErrPINRequired},
		{"no PIN set", fido.Options{}, nil, func(r *ctap.Request) { r.PIN = pin }, ctap.ErrNoPIN},
		{"no finger", fido.Options{}, nil, func(r *ctap.Request) { r.UV = true }, ctap.ErrNoUV},
		{"wrong finger", fido.Options{Verify: fido.Deny}, nil, func(r *ctap.Request) { r.UV = true }, ctap.ErrWrongUV},
		{"wrong finger, CTAP 2.0", fido.Options{Verify: fido.Deny, Old: true}, nil, func(r *ctap.Request) { r.UV = true }, ctap.ErrWrongUV},
		{"unknown PIN protocol", fido.Options{Verify: fido.After(0), Protocols: []uint{3}}, nil, func(r *ctap.Request) { r.UV = true }, ctap.ErrUnsupported},
		{"too long", fido.Options{}, nil, func(r *ctap.Request) { r.IDs = [][]byte{make([]byte, 900), make([]byte, 900)} }, ctap.ErrTooLong},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			k := fido.New(test.made)
			c := open(t, k)
			r := request(enroll(t, c, enrolment("alice")).ID)
			if test.change != nil {
				k.Change(test.change)
			}
			if test.request != nil {
				test.request(&r)
			}
			if all, err := c.Assert(within(t), r); !errors.Is(err, test.want) {
				t.Errorf("%d assertions, %v", len(all), err)
			}
		})
	}
}

func TestExcluded(t *testing.T) {
	t.Parallel()
	c := open(t, fido.New(fido.Options{}))
	e := enrolment("alice")
	e.Exclude = [][]byte{[]byte("another's"), enroll(t, c, e).ID}
	if _, err := c.MakeCredential(within(t), e); !errors.Is(err, ctap.ErrExcluded) {
		t.Error(err)
	}
}

// Wrong PINs: three, then the key wants to be plugged in again; eight, then it blocks.
func TestWrongPIN(t *testing.T) {
	t.Parallel()
	for _, options := range []fido.Options{
		{PIN: string(pin)},
		{PIN: string(pin), Protocols: []uint{1}, Old: true},
	} {
		k := fido.New(options)
		c := open(t, k)
		e := enrolment("alice")
		e.PIN = pin
		r := request(enroll(t, c, e).ID)
		try := func(pin string) error {
			r.PIN = []byte(pin)
			_, err := c.Assert(within(t), r)
			return err
		}
		for _, short := range []string{"", "123", "äöü", string(make([]byte, 64))} {
			if err := try(short); !errors.Is(err, ctap.ErrPINLength) {
				t.Errorf("%q: %v", short, err)
			}
		}
		for _, wants := range [][]error{ // from power to power
			{ctap.WrongPIN{Retries: 7}, ctap.WrongPIN{Retries: 6}, ctap.ErrReplug, ctap.ErrReplug},
			{ctap.WrongPIN{Retries: 4}, ctap.WrongPIN{Retries: 3}, ctap.ErrReplug, ctap.ErrReplug},
			{ctap.WrongPIN{Retries: 1}, ctap.ErrPINBlocked},
		} {
			c = open(t, k)
			for i, want := range wants {
				if err := try("wrong"); !errors.Is(err, want) {
					t.Fatalf("try %d: %v, not %v", i+1, err, want)
				}
			}
			_, replug, err := c.PINRetries(within(t))
			if want := len(wants) == 4; err != nil || replug != want {
				t.Errorf("wants to be plugged in again: %t, %v", replug, err)
			}
		}
		for _, last := range []string{"wrong", string(pin)} {
			if err := try(last); !errors.Is(err, ctap.ErrPINBlocked) {
				t.Errorf("at the end: %v", err)
			}
		}
	}
}

func TestRightPINResets(t *testing.T) {
	t.Parallel()
	k := fido.New(fido.Options{PIN: string(pin)})
	c := open(t, k)
	e := enrolment("alice")
	e.PIN = pin
	r := request(enroll(t, c, e).ID)
	for _, try := range []struct {
		pin  string
		left int
	}{{"wrong", 7}, {"wrong", 6}, {string(pin), 8}, {"wrong", 7}} {
		r.PIN = []byte(try.pin)
		_, _ = c.Assert(within(t), r)
		if left, _, err := c.PINRetries(within(t)); left != try.left || err != nil {
			t.Errorf("%d tries left, not %d: %v", left, try.left, err)
		}
	}
}

func TestFingerBlocks(t *testing.T) {
	t.Parallel()
	k := fido.New(fido.Options{Verify: fido.Deny, PIN: string(pin)})
	c := open(t, k)
	e := enrolment("alice")
	e.PIN = pin
	r := request(enroll(t, c, e).ID)
	r.UV = true
	for _, want := range []error{ctap.ErrWrongUV, ctap.ErrWrongUV, ctap.ErrUVBlocked, ctap.ErrUVBlocked} {
		if _, err := c.Assert(within(t), r); !errors.Is(err, want) {
			t.Errorf("%v, not %v", err, want)
		}
	}
	r.PIN = pin // which wins over the finger
	if _, err := c.Assert(within(t), r); err != nil {
		t.Error(err)
	}
}

func TestHolds(t *testing.T) {
	t.Parallel()
	finger := fido.After(0)
	for _, test := range []struct {
		name    string
		options fido.Options
		mine    ctap.Held
		other   ctap.Held
	}{
		{"plain", fido.Options{}, ctap.Yes, ctap.No},
		{"CTAP 2.0", fido.Options{Old: true}, ctap.Yes, ctap.No},
		{"omitted credential", fido.Options{OmitCredential: true}, ctap.Yes, ctap.No},
		{"PIN", fido.Options{PIN: string(pin)}, ctap.Yes, ctap.No},
		{"protected", fido.Options{PIN: string(pin), Protect: 3}, ctap.Maybe, ctap.Maybe},
		{"always", fido.Options{AlwaysUV: true, PIN: string(pin)}, ctap.Maybe, ctap.Maybe},
		{"finger always", fido.Options{AlwaysUV: true, Verify: finger}, ctap.Maybe, ctap.Maybe},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			k := fido.New(test.options)
			c := open(t, k)
			e := enrolment("alice")
			if test.options.PIN != "" {
				e.PIN = pin
			}
			e.UV = test.options.Verify != nil
			fresh := enroll(t, c, e)
			k.Change(func(o *fido.Options) {
				o.Touch = func(context.Context) bool {
					t.Error("the key blinks at a silent look")
					return false
				}
			})
			for _, look := range []struct {
				name string
				id   []byte
				rpID string
				want ctap.Held
			}{
				{"mine", fresh.ID, rpID, test.mine},
				{"another's", []byte("another's credential"), rpID, test.other},
				{"of another relying party", fresh.ID, "pam://other", test.other},
			} {
				if held, err := c.Holds(within(t), ctap.Look{RPID: look.rpID, ID: look.id, Protected: test.options.Protect != 0}); held != look.want || err != nil {
					t.Errorf("%s: %d, %v", look.name, held, err)
				}
			}
		})
	}
}

func TestHoldsKept(t *testing.T) {
	t.Parallel()
	c := open(t, fido.New(fido.Options{}))
	if held, err := c.Holds(within(t), ctap.Look{RPID: rpID}); held != ctap.No || err != nil {
		t.Errorf("before: %d, %v", held, err)
	}
	e := enrolment("alice")
	e.Resident = true
	enroll(t, c, e)
	if held, err := c.Holds(within(t), ctap.Look{RPID: rpID}); held != ctap.Yes || err != nil {
		t.Errorf("after: %d, %v", held, err)
	}
}
