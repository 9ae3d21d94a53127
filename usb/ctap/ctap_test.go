package ctap_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor/fido2/assertion"
	"github.com/factord/factord/usb/ctap"
	"github.com/factord/factord/usb/virtual/fido"
	"github.com/factord/factord/usb/virtual/fido/direct"
)

const rpID = "pam://host.example"

var pin = []byte("97531")

// testLimit is far more than anything here takes.
const testLimit = 60 * time.Second

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testLimit)
	t.Cleanup(cancel)
	return ctx
}

// open plugs a key in and opens it.
func open(t testing.TB, k *fido.Key) *ctap.Key {
	t.Helper()
	c, err := ctap.Open(within(t), plug(t, k).Open(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func plug(t testing.TB, k *fido.Key) *direct.Socket {
	t.Helper()
	s := direct.Plug(k)
	t.Cleanup(s.Unplug)
	return s
}

func challenge() (hash [sha256.Size]byte) {
	rand.Read(hash[:])
	return hash
}

func enrolment(user string) ctap.Enrolment {
	return ctap.Enrolment{RPID: rpID, UserID: []byte(user), UserName: user, ClientDataHash: challenge()}
}

// enroll makes a credential, which is used without its PIN unless that is asked for.
func enroll(t testing.TB, c *ctap.Key, e ctap.Enrolment) assertion.Fresh {
	t.Helper()
	made, err := c.MakeCredential(within(t), e)
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := assertion.ParseFresh(rpID, made.AuthData)
	if err != nil {
		t.Fatal(err)
	}
	return fresh
}

func request(ids ...[]byte) ctap.Request {
	return ctap.Request{RPID: rpID, IDs: ids, ClientDataHash: challenge()}
}

// check verifies what a key said.
func check(t testing.TB, key assertion.PublicKey, r ctap.Request, a ctap.Assertion) (assertion.Counter, assertion.Flags) {
	t.Helper()
	counter, flags, err := assertion.Credential{RPIDHash: sha256.Sum256([]byte(r.RPID)), Key: key}.Check(a.AuthData, r.ClientDataHash[:], a.Signature)
	if err != nil {
		t.Fatal(err)
	}
	return counter, flags
}

func TestAssert(t *testing.T) {
	t.Parallel()
	finger := fido.After(0)
	for _, test := range []struct {
		name     string
		options  fido.Options
		resident bool
		uv       bool
		pin      []byte
	}{
		{name: "plain"},
		{name: "EdDSA", options: fido.Options{NoES256: true}},
		{name: "resident", resident: true},
		{name: "resident EdDSA", resident: true, options: fido.Options{NoES256: true}},
		{name: "no U2F", options: fido.Options{NoU2F: true}},
		{name: "omitted credential", options: fido.Options{OmitCredential: true}},
		{name: "CTAP 2.0", options: fido.Options{Old: true}},
		{name: "PIN, protocol 2", pin: pin, options: fido.Options{PIN: string(pin)}},
		{name: "PIN, protocol 1", pin: pin, options: fido.Options{PIN: string(pin), Protocols: []uint{1}}},
		{name: "PIN, another protocol first", pin: pin, options: fido.Options{PIN: string(pin), Protocols: []uint{3, 1}}},
		{name: "PIN, CTAP 2.0", pin: pin, options: fido.Options{PIN: string(pin), Protocols: []uint{1}, Old: true}},
		{name: "PIN, CTAP 2.0, protocol 2", pin: pin, options: fido.Options{PIN: string(pin), Old: true}},
		{name: "PIN, resident", pin: pin, resident: true, options: fido.Options{PIN: string(pin)}},
		{name: "PIN always", pin: pin, options: fido.Options{PIN: string(pin), AlwaysUV: true}},
		{name: "finger", uv: true, options: fido.Options{Verify: finger}},
		{name: "finger, CTAP 2.0", uv: true, options: fido.Options{Verify: finger, Old: true}},
		{name: "finger always", uv: true, options: fido.Options{Verify: finger, AlwaysUV: true}},
		{name: "PIN of a key with a reader", pin: pin, options: fido.Options{Verify: finger, PIN: string(pin)}},
		{name: "PIN, protected", pin: pin, options: fido.Options{PIN: string(pin), Protect: 3}},
		{name: "late touch", options: fido.Options{Touch: fido.After(250 * time.Millisecond)}},
		{name: "small messages", options: fido.Options{MaxMsgSize: 1024}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := open(t, fido.New(test.options))
			e := enrolment("alice")
			e.Resident, e.UV, e.PIN = test.resident, test.uv, test.pin
			fresh := enroll(t, c, e)
			r := request(fresh.ID)
			if test.resident {
				r.IDs = nil
			}
			r.UV, r.PIN = test.uv, test.pin
			last := fresh.Counter
			for range 2 {
				r.ClientDataHash = challenge()
				all, err := c.Assert(within(t), r)
				if err != nil || len(all) != 1 {
					t.Fatalf("%d assertions, %v", len(all), err)
				}
				a := all[0]
				counter, flags := check(t, fresh.Key, r, a)
				if want := test.uv || test.pin != nil; flags.Verified() != want {
					t.Errorf("flags 0x%02x", flags)
				}
				if !slices.Equal(a.CredentialID, fresh.ID) || test.resident && string(a.UserID) != "alice" {
					t.Errorf("credential %x, user %q", a.CredentialID, a.UserID)
				}
				if err := last.Advance(counter); err != nil {
					t.Error(err)
				}
				last = counter
			}
		})
	}
}

func TestAssertSeveral(t *testing.T) {
	t.Parallel()
	button := fido.NewButton()
	k := fido.New(fido.Options{})
	c := open(t, k)
	keys := map[string]assertion.PublicKey{}
	for i := range 5 {
		e := enrolment(fmt.Sprintf("user %d", i))
		e.Resident = true
		keys[string(e.UserID)] = enroll(t, c, e).Key
	}
	k.Change(func(o *fido.Options) { o.Touch = button.Touch })
	go button.Press(within(t), true) // once
	r := request()
	all, err := c.Assert(within(t), r)
	if err != nil || len(all) != len(keys) {
		t.Fatalf("%d assertions, %v", len(all), err)
	}
	for _, a := range all {
		check(t, keys[string(a.UserID)], r, a)
		delete(keys, string(a.UserID))
	}
	if len(keys) != 0 {
		t.Errorf("nothing of %v", keys)
	}
}

func TestAssertOneOfSeveral(t *testing.T) {
	t.Parallel()
	mine, other := open(t, fido.New(fido.Options{})), open(t, fido.New(fido.Options{}))
	foreign, fresh := enroll(t, other, enrolment("alice")), enroll(t, mine, enrolment("alice"))
	r := request(foreign.ID, fresh.ID)
	all, err := mine.Assert(within(t), r)
	if err != nil || len(all) != 1 || !slices.Equal(all[0].CredentialID, fresh.ID) {
		t.Fatalf("%+v, %v", all, err)
	}
	check(t, fresh.Key, r, all[0])
}

func TestCounters(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		count func(uint32) uint32
		ok    bool
	}{
		{"none", func(uint32) uint32 { return 0 }, true},
		{"gaps", func(n uint32) uint32 { return n + 100 }, true},
		{"standing still", func(uint32) uint32 { return 7 }, false},
		{"backwards", func(n uint32) uint32 { return n - 1 }, false},
	} {
		k := fido.New(fido.Options{Count: test.count})
		c := open(t, k)
		if test.name == "backwards" {
			k.Change(func(o *fido.Options) { o.Count = func(uint32) uint32 { return 1000 } })
		}
		fresh := enroll(t, c, enrolment("alice"))
		k.Change(func(o *fido.Options) { o.Count = test.count })
		r := request(fresh.ID)
		all, err := c.Assert(within(t), r)
		if err != nil {
			t.Fatal(err)
		}
		counter, _ := check(t, fresh.Key, r, all[0])
		if err := fresh.Counter.Advance(counter); (err == nil) != test.ok {
			t.Errorf("%s: from %d to %d: %v", test.name, fresh.Counter, counter, err)
		}
	}
}

// Two programs use one key. The second waits its turn.
func TestTwoPrograms(t *testing.T) {
	t.Parallel()
	button := fido.NewButton()
	k := fido.New(fido.Options{})
	s := plug(t, k)
	var fresh assertion.Fresh
	var clients [2]*ctap.Key
	for i := range clients {
		c, err := ctap.Open(within(t), s.Open(), nil)
		if err != nil {
			t.Fatal(err)
		}
		clients[i] = c
	}
	fresh = enroll(t, clients[0], enrolment("alice"))
	k.Change(func(o *fido.Options) { o.Touch = button.Touch })
	type outcome struct {
		r   ctap.Request
		all []ctap.Assertion
		err error
	}
	done := make(chan outcome, len(clients))
	for _, c := range clients {
		r := request(fresh.ID)
		go func() {
			all, err := c.Assert(within(t), r)
			done <- outcome{r, all, err}
		}()
	}
	for range clients {
		if !button.Press(within(t), true) {
			t.Fatal("the key does not blink")
		}
		o := <-done
		if o.err != nil {
			t.Fatal(o.err)
		}
		check(t, fresh.Key, o.r, o.all[0])
	}
}

func TestBusyUntilTheDeadline(t *testing.T) {
	t.Parallel()
	button := fido.NewButton()
	k := fido.New(fido.Options{})
	s := plug(t, k)
	one, err1 := ctap.Open(within(t), s.Open(), nil)
	two, err2 := ctap.Open(within(t), s.Open(), nil)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	fresh := enroll(t, one, enrolment("alice"))
	k.Change(func(o *fido.Options) { o.Touch = button.Touch })
	ended := make(chan error, 1)
	go func() {
		_, err := one.Assert(within(t), request(fresh.ID))
		ended <- err
	}()
	<-button.Asked()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := two.Assert(ctx, request(fresh.ID)); !errors.Is(err, ctap.ErrBusy) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the second program: %v", err)
	}
	if _, err := two.Holds(within(t), ctap.Look{RPID: rpID, ID: fresh.ID}); !errors.Is(err, ctap.ErrBusy) {
		t.Errorf("a silent look: %v", err)
	}
	button.Press(within(t), true)
	if err := <-ended; err != nil {
		t.Errorf("the first program: %v", err)
	}
}
