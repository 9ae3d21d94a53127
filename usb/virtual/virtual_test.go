package virtual

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/factord/factord/usb/virtual/card"
	"github.com/factord/factord/usb/virtual/fido"
	"github.com/factord/factord/usb/virtual/otpkey"
	"github.com/factord/factord/usb/virtual/usbip"
)

// full is a key with everything.
func full() Config {
	return Config{
		OTP: otpkey.New(otpkey.Config{
			Serial: 1234567,
			Short:  otpkey.Slot{Types: otpkey.Static("cccc")},
			Long:   otpkey.Slot{Answers: otpkey.HMAC{}, Touch: true},
		}),
		FIDO: fido.New(fido.Options{}),
		PIV:  card.New(card.Config{Serial: 1234567}),
	}
}

// plugged makes a key and the host that it is plugged into.
func plugged(t *testing.T, c Config) (*Key, *usbip.Host) {
	t.Helper()
	k, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return k, plugIn(t, k)
}

func plugIn(t *testing.T, k *Key) *usbip.Host {
	t.Helper()
	ours, theirs := net.Pipe()
	served := make(chan error, 1)
	go func() { served <- k.Serve(t.Context(), ours) }()
	h := usbip.NewHost(theirs)
	t.Cleanup(func() {
		h.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	// It answers, so it is plugged in.
	must(t, func() ([]byte, error) { return descriptor(t, h, descDevice<<8, 18) })
	return h
}

func must(t *testing.T, do func() ([]byte, error)) []byte {
	t.Helper()
	b, err := do()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func descriptor(t *testing.T, h *usbip.Host, value, length uint16) ([]byte, error) {
	return h.Control(t.Context(), usbip.Setup{RequestType: 0x80, Request: getDescriptor, Value: value, Length: length}, nil)
}

// TestDescriptors: each make of key has its product number, its interfaces in the usual
// order, and descriptors that say their own lengths.
func TestDescriptors(t *testing.T) {
	for _, c := range []struct {
		otp, fido, piv bool
		product        uint16
		name           string
		total          int
		classes        []byte
	}{
		{true, true, true, 0x0407, "YubiKey OTP+FIDO+CCID", 150, []byte{3, 3, 11}},
		{true, false, false, 0x0401, "YubiKey OTP", 34, []byte{3}},
		{false, true, false, 0x0402, "YubiKey FIDO", 41, []byte{3}},
		{false, true, true, 0x0406, "YubiKey FIDO+CCID", 125, []byte{3, 11}},
		{true, true, false, 0x0403, "YubiKey OTP+FIDO", 66, []byte{3, 3}},
	} {
		config := full()
		if !c.otp {
			config.OTP = nil
		}
		if !c.fido {
			config.FIDO = nil
		}
		if !c.piv {
			config.PIV = nil
		}
		k, h := plugged(t, config)
		if u := k.Descriptor(); u.Product != c.product || len(u.Interfaces) != len(c.classes) {
			t.Errorf("%s: %+v", c.name, u)
		}
		device := must(t, func() ([]byte, error) { return descriptor(t, h, descDevice<<8, 64) })
		if len(device) != 18 || binary.LittleEndian.Uint16(device[10:]) != c.product {
			t.Errorf("%s: device %x", c.name, device)
		}
		name := must(t, func() ([]byte, error) { return descriptor(t, h, descString<<8|2, 255) })
		if got := string(bytes.ReplaceAll(name[2:], []byte{0}, nil)); got != c.name || int(name[0]) != len(name) {
			t.Errorf("name %q, want %q", got, c.name)
		}
		all := must(t, func() ([]byte, error) { return descriptor(t, h, descConfig<<8, 1024) })
		if len(all) != c.total || int(binary.LittleEndian.Uint16(all[2:])) != c.total {
			t.Errorf("%s: %d bytes of %d", c.name, len(all), c.total)
		}
		walk(t, h, all, c.classes)
	}
}

// walk goes through a configuration.
func walk(t *testing.T, h *usbip.Host, all, classes []byte) {
	t.Helper()
	var got []byte
	for rest := all; len(rest) > 0; rest = rest[rest[0]:] {
		if rest[0] == 0 || int(rest[0]) > len(rest) {
			t.Fatalf("descriptor %x", rest)
		}
		switch {
		case rest[1] == descInterface:
			if int(rest[2]) != len(got) {
				t.Errorf("interface %d is the %dth", rest[2], len(got))
			}
			got = append(got, rest[5])
		case rest[1] == descHID && got[len(got)-1] == classHID:
			report := must(t, func() ([]byte, error) {
				return h.Control(t.Context(), usbip.Setup{RequestType: 0x81, Request: getDescriptor, Value: descReport << 8, Index: uint16(len(got) - 1), Length: 255}, nil)
			})
			if len(report) != int(rest[7]) {
				t.Errorf("report descriptor of %d bytes, not %d", len(report), rest[7])
			}
		}
	}
	if !bytes.Equal(got, classes) {
		t.Errorf("classes %v, want %v", got, classes)
	}
}

// TestStalls: what a key of one speed, or this one, does not have.
func TestStalls(t *testing.T) {
	_, h := plugged(t, full())
	const qualifier = 6
	for _, s := range []usbip.Setup{
		{RequestType: 0x80, Request: getDescriptor, Value: qualifier << 8, Length: 10},
		{RequestType: 0x80, Request: getDescriptor, Value: descString<<8 | 3, Length: 10},
		{RequestType: 0x80, Request: getDescriptor, Value: descConfig<<8 | 1, Length: 10},
		{RequestType: 0x81, Request: getDescriptor, Value: descReport << 8, Index: 2, Length: 10}, // of CCID
		{RequestType: 0xa1, Request: 1, Value: 0x0300, Index: 3, Length: 8},                       // no such interface
		{RequestType: 0xa1, Request: 1, Value: 0x0300, Index: 1, Length: 8},                       // FIDO has no feature report
		{RequestType: 0x00, Request: setConfiguration, Value: 2},
		{RequestType: 0xc0, Request: 1, Length: 8}, // of the vendor's kind
	} {
		if b, err := h.Control(t.Context(), s, nil); !errors.Is(err, usbip.ErrStall) {
			t.Errorf("%+v: %x, %v", s, b, err)
		}
	}
	for endpoint, what := range map[uint8]string{fidoEndpoint: "a short frame", keyboardIn: "the keyboard", ccidEvent: "the interrupt endpoint", 9: "nothing"} {
		if err := h.Out(t.Context(), endpoint, make([]byte, 63)); !errors.Is(err, usbip.ErrStall) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func setReport(t *testing.T, h *usbip.Host, report []byte) error {
	_, err := h.Control(t.Context(), usbip.Setup{RequestType: 0x21, Request: 9, Value: 0x0300, Length: uint16(len(report))}, report)
	return err
}

// TestFeatureReports: the serial number, over the wire.
func TestFeatureReports(t *testing.T) {
	k, h := plugged(t, full())
	for _, r := range [][]byte{{7: 0x80}, {1: 0x10, 0x6b, 0x5b, 7: 0x89}} {
		if err := setReport(t, h, r); err != nil {
			t.Fatal(err)
		}
	}
	got := must(t, func() ([]byte, error) {
		return h.Control(t.Context(), usbip.Setup{RequestType: 0xa1, Request: 1, Value: 0x0300, Length: 8}, nil)
	})
	if want := []byte{0, 0x12, 0xd6, 0x87, 0xaf, 0x37, 0, 0x40}; !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
	if err := setReport(t, h, make([]byte, 7)); !errors.Is(err, usbip.ErrStall) {
		t.Errorf("a short report: %v", err)
	}
	if got := k.Asked().String(); got != "otp 2 fido 0 piv 0" {
		t.Errorf("asked: %s", got)
	}
}

// TestTyping: what a touch types arrives key by key, and stops when the key is unplugged.
func TestTyping(t *testing.T) {
	k, h := plugged(t, full())
	typed := make(chan error, 1)
	touch := func() {
		text, err := k.Touch(t.Context(), false)
		if err == nil && text != "cccc" {
			err = errors.New(text)
		}
		typed <- err
	}
	go touch()
	for i := range 10 {
		var want [8]byte
		if i%2 == 0 {
			want[2] = 0x06
		}
		if i == 8 {
			want[2] = 0x28
		}
		if got := must(t, func() ([]byte, error) { return h.In(t.Context(), keyboardIn, 8) }); !bytes.Equal(got, want[:]) {
			t.Errorf("report %d is %x, want %x", i, got, want)
		}
	}
	if err := <-typed; err != nil {
		t.Error(err)
	}
	go touch()
	must(t, func() ([]byte, error) { return h.In(t.Context(), keyboardIn, 8) })
	if err := k.Unplug(); err != nil {
		t.Error(err)
	}
	if err := <-typed; !errors.Is(err, context.Canceled) {
		t.Errorf("typing ended with %v", err)
	}
	if _, err := k.Touch(t.Context(), false); !errors.Is(err, ErrUnplugged) {
		t.Errorf("touched after that: %v", err)
	}
}

// TestUnread: a key gives up typing to a host that does not ask, and what it had to say
// is not there for who asks later.
func TestUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &keyboard{otp: full().OTP}
		d := newDevice([]function{k}, [3]uint8{5, 4, 3})
		ours, theirs := net.Pipe()
		ctx, unplug := context.WithCancel(t.Context())
		var served sync.WaitGroup
		served.Go(func() { usbip.Serve(ctx, ours, d) })
		h := usbip.NewHost(theirs)
		must(t, func() ([]byte, error) { return descriptor(t, h, descDevice<<8, 18) })
		strokes, err := otpkey.Strokes("ab")
		if err != nil {
			t.Fatal(err)
		}
		if err := k.press(t.Context(), strokes); !errors.Is(err, ErrUnread) {
			t.Errorf("%v", err)
		}
		served.Go(func() {
			if err := k.press(t.Context(), strokes[2:]); err != nil {
				t.Error(err)
			}
		})
		for _, want := range []byte{0x05, 0} {
			if got := must(t, func() ([]byte, error) { return h.In(t.Context(), keyboardIn, 8) }); got[2] != want {
				t.Errorf("%x, want %x", got[2], want)
			}
		}
		unplug()
		served.Wait()
	})
}

// TestPlugs: a key is in one port at a time, and can be plugged in anew.
func TestPlugs(t *testing.T) {
	k, _ := plugged(t, full())
	_, conn := net.Pipe()
	if err := k.Serve(t.Context(), conn); !errors.Is(err, ErrPlugged) {
		t.Errorf("plugged in twice: %v", err)
	}
	for range 3 {
		if err := k.Unplug(); err != nil || k.Plugged() {
			t.Fatalf("unplugging: %v", err)
		}
		plugIn(t, k)
	}
	if err := k.Unplug(); err != nil {
		t.Fatal(err)
	}
	if err := k.Unplug(); !errors.Is(err, ErrUnplugged) {
		t.Errorf("unplugged twice: %v", err)
	}
	c := full()
	c.Version = [3]uint8{5, 7, 1}
	other, err := New(c)
	if err != nil || other.Descriptor().Release != 0x0571 || k.Descriptor().Release != 0x0543 {
		t.Errorf("releases %+v, %+v, %v", other.Descriptor(), k.Descriptor(), err)
	}
	if _, err := New(Config{}); err == nil {
		t.Error("a key without any application")
	}
}

// TestFIDO: a channel is given out, and what comes while nobody asks waits.
func TestFIDO(t *testing.T) {
	k, h := plugged(t, full())
	var hello fido.Frame
	copy(hello[:], []byte{0xff, 0xff, 0xff, 0xff, 0x86, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8})
	if err := h.Out(t.Context(), fidoEndpoint, hello[:]); err != nil {
		t.Fatal(err)
	}
	got := must(t, func() ([]byte, error) { return h.In(t.Context(), fidoEndpoint, 64) })
	if len(got) != 64 || !bytes.Equal(got[:15], append(hello[:6:6], 17, 1, 2, 3, 4, 5, 6, 7, 8)) {
		t.Errorf("%x", got)
	}
	if got := k.Asked().String(); got != "otp 0 fido 1 piv 0" {
		t.Errorf("asked: %s", got)
	}
}

// TestTouchOrder: a touch is for what has waited, the challenge before the others, and
// only then for the slot.
func TestTouchOrder(t *testing.T) {
	k, h := plugged(t, full())
	confirmed := make(chan bool, 2)
	for _, what := range []string{"fido", "piv"} {
		go func() { confirmed <- k.finger.await(t.Context(), what) }()
		for k.finger.count() < 1+len(what)%2 { // fido 1, piv 2
			time.Sleep(time.Millisecond)
		}
	}
	for _, r := range [][]byte{{7: 0x80}, {1: 0x38, 0x6b, 0x5b, 7: 0x89}} {
		if err := setReport(t, h, r); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"challenge", "fido", "piv"} {
		if got := k.Blinks(); got != want {
			t.Errorf("blinks for %q, want %q", got, want)
		}
		if got, err := k.Touch(t.Context(), true); got != want || err != nil {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
	for range 2 {
		if !<-confirmed {
			t.Error("touched in vain")
		}
	}
	if _, err := k.Touch(t.Context(), true); !errors.Is(err, ErrNothing) {
		t.Errorf("%v", err)
	}
}

// TestTouches: people who always touch, and who never will.
func TestTouches(t *testing.T) {
	var f finger
	waits := func() chan bool {
		c := make(chan bool, 1)
		go func() { c <- f.await(t.Context(), "fido") }()
		for f.count() == 0 {
			time.Sleep(time.Millisecond)
		}
		return c
	}
	for who, want := range map[Touches]bool{TouchGranted: true, TouchDenied: false} {
		f.set(TouchAsked)
		before := waits()
		f.set(who)
		if got := <-before; got != want {
			t.Errorf("%v: %v for what waited", who, got)
		}
		if got := f.await(t.Context(), "fido"); got != want {
			t.Errorf("%v: %v", who, got)
		}
	}
	f.set(TouchAsked)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if f.await(ctx, "piv") || f.blinks() != "" {
		t.Error("a wait that ended")
	}
}

// count is how many wait.
func (f *finger) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.waiting)
}
