package libusb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/factord/factord/usb/hid"
)

func TestThatLibusbSeesNothingIsNoEmptyList(t *testing.T) {
	b, l := newBackend(t, "otp", "fido", "ccid")
	keys, err := b.Keys(t.Context())
	if err != nil || len(keys) != 1 || !keys[0].OTP || !keys[0].FIDO || !keys[0].SmartCard {
		t.Errorf("%+v, %v", keys, err)
	}
	l.blind = true
	if _, err := b.Keys(t.Context()); !errors.Is(err, hid.ErrAccess) {
		t.Error(err)
	}
	unplug(t, b)
	if keys, err := b.Keys(t.Context()); err != nil || len(keys) != 0 {
		t.Error(keys, err)
	}
}

func TestOnlyTheFirstInterfaceIsOpened(t *testing.T) {
	b, l := newBackend(t, "otp", "fido")
	k, err := b.Keyboard(t.Context(), "1-1")
	if err != nil {
		t.Fatal(err)
	}
	k.Close()
	if _, err := b.Frames(t.Context(), "1-1"); !errors.Is(err, hid.ErrDriver) {
		t.Error(err) // of the other backend
	}
	if len(l.opened) != 1 || l.opened[0] != "1-1:1.0" {
		t.Error(l.opened)
	}
	b, l = newBackend(t, "fido", "ccid")
	if _, err := b.Keyboard(t.Context(), "1-1"); !errors.Is(err, hid.ErrNone) {
		t.Error(err)
	}
	f, err := b.Frames(t.Context(), "1-1")
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if len(l.opened) != 1 || l.opened[0] != "1-1:1.0" {
		t.Error(l.opened)
	}
}

func TestWhyItCantBeOpened(t *testing.T) {
	b, l := newBackend(t, "otp")
	l.device = nil
	if _, err := b.Keyboard(t.Context(), "1-1"); err == nil {
		t.Error("a keyboard of nothing")
	}
	driver(t, b, 0, "usbfs")
	if _, err := b.Features(t.Context(), "1-1"); !errors.Is(err, hid.ErrBusy) {
		t.Error(err)
	}
	if err := os.Remove(filepath.Join(b.Kernel.Dev, "bus/usb/001/042")); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err := b.Features(t.Context(), "1-1"); !errors.Is(err, hid.ErrAccess) || time.Since(began) < settle {
		t.Error(err)
	}
	unplug(t, b)
	if _, err := b.Features(t.Context(), "1-1"); !errors.Is(err, hid.ErrGone) {
		t.Error(err)
	}
}

// What is opened after the one who wanted it has gone is closed.
func TestAnOpenThatIsTooLate(t *testing.T) {
	b, l := newBackend(t, "otp")
	l.hold = make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := b.Keyboard(ctx, "1-1"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(l.hold)
	<-l.device.closed
}

func TestKeyboard(t *testing.T) {
	b, l := newBackend(t, "otp")
	k, err := b.Keyboard(t.Context(), "1-1")
	if err != nil {
		t.Fatal(err)
	}
	// More than libusb would keep, and nobody reads yet.
	for range 45 {
		l.device.reports <- []byte{0, 0, 6, 0, 0, 0, 0, 0}
		l.device.reports <- make([]byte, 8)
	}
	for range 45 {
		if p, err := k.Read(t.Context()); err != nil || p != (hid.Press{Usage: 6}) {
			t.Fatal(p, err)
		}
	}
	l.device.reports <- []byte{1, 2, 3}
	l.device.reports <- []byte{2, 0, 5, 0, 0, 0, 0, 0}
	if _, err := k.Read(t.Context()); !errors.Is(err, hid.ErrLost) {
		t.Error(err)
	}
	if p, err := k.Read(t.Context()); err != nil || p != (hid.Press{Usage: 5, Shift: true}) {
		t.Error(p, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := k.Read(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if err := errors.Join(k.Close(), k.Close()); err != nil {
		t.Error(err)
	}
	<-l.device.closed
}

func TestWhatNobodyReadsIsLostAloud(t *testing.T) {
	q := newQueue[int]()
	for i := range queueLimit + 10 {
		q.put(i)
	}
	for i := range queueLimit {
		if n, err := q.get(t.Context()); n != i || err != nil {
			t.Fatal(n, err)
		}
	}
	q.put(-1)
	if _, err := q.get(t.Context()); !errors.Is(err, hid.ErrLost) {
		t.Error(err)
	}
	if n, err := q.get(t.Context()); n != -1 || err != nil {
		t.Error(n, err)
	}
}

func TestUnpluggedOrBroken(t *testing.T) {
	b, l := newBackend(t, "otp")
	k, err := b.Keyboard(t.Context(), "1-1")
	if err != nil {
		t.Fatal(err)
	}
	l.device.reports <- nil
	if _, err := k.Read(t.Context()); !errors.Is(err, errLibrary) || errors.Is(err, hid.ErrGone) {
		t.Error(err)
	}
	k.Close()
	l.device = newDevice(t)
	k, err = b.Keyboard(t.Context(), "1-1")
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	unplug(t, b)
	l.device.reports <- nil
	for range 2 {
		if _, err := k.Read(t.Context()); !errors.Is(err, hid.ErrGone) {
			t.Error(err)
		}
	}
}

func TestFeatures(t *testing.T) {
	b, l := newBackend(t, "otp")
	f, err := b.Features(t.Context(), "1-1")
	if err != nil {
		t.Fatal(err)
	}
	want := [hid.FeatureSize]byte{0, 1, 2, 3, 4, 5, 6, 0x8f}
	if err := f.Set(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if got, err := f.Get(t.Context()); err != nil || got != want {
		t.Errorf("%x, %v", got, err)
	}
	l.device.feature = []byte{1, 2}
	if _, err := f.Get(t.Context()); err == nil {
		t.Error("a short report is taken")
	}
	l.device.feature = nil
	if _, err := f.Get(t.Context()); !errors.Is(err, errLibrary) {
		t.Error(err)
	}
	l.device.hold = make(chan struct{})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := f.Get(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	close(l.device.hold)
	f.Close()
	if _, err := f.Get(t.Context()); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}

func TestFrames(t *testing.T) {
	b, l := newBackend(t, "fido")
	f, err := b.Frames(t.Context(), "1-1")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	frame := [hid.FrameSize]byte{0, 0, 1}
	if err := f.Write(t.Context(), frame); err != nil {
		t.Fatal(err)
	}
	if want := append([]byte{0}, frame[:]...); len(l.device.wrote) != 1 || !bytes.Equal(l.device.wrote[0], want) {
		t.Errorf("%x", l.device.wrote)
	}
	for i := range byte(100) {
		frame[3] = i
		l.device.reports <- bytes.Clone(frame[:])
	}
	for i := range byte(100) {
		if got, err := f.Read(t.Context()); err != nil || got[3] != i {
			t.Fatalf("%x, %v", got, err)
		}
	}
	l.device.reports <- []byte{1, 2, 3}
	if _, err := f.Read(t.Context()); err == nil {
		t.Error("a short frame is taken")
	}
}

func TestRepair(t *testing.T) {
	b, _ := newBackend(t, "otp", "fido")
	bind := filepath.Join(b.Kernel.Sys, "bus/usb/drivers/usbhid/bind")
	unlocked := func(string) (func(), error) { return func() {}, nil }
	// Who uses the key has taken it from the kernel, and is about to take it for itself.
	err := b.Kernel.Repair(t.Context(), func(port string) (func(), error) { return nil, fmt.Errorf("%w: %s", hid.ErrBusy, port) })
	if bound, readErr := os.ReadFile(bind); err != nil || readErr != nil || len(bound) > 0 {
		t.Errorf("in use: %q, %v, %v", bound, err, readErr)
	}
	// The file does nothing here, so the driver does not come back.
	if err := b.Kernel.Repair(t.Context(), unlocked); err != nil {
		t.Error(err)
	}
	if bound, err := os.ReadFile(bind); err != nil || string(bound) != "1-1:1.0" {
		t.Errorf("%q, %v", bound, err)
	}
	if err := os.Remove(bind); err != nil {
		t.Fatal(err)
	}
	if err := b.Kernel.Repair(t.Context(), unlocked); err == nil {
		t.Error("it could not be repaired")
	}
	for _, name := range []string{"usbfs", "usbhid"} {
		b, _ := newBackend(t, "otp", "fido")
		driver(t, b, 0, name)
		if err := b.Kernel.Repair(t.Context(), unlocked); err != nil {
			t.Error(err)
		}
		bound, err := os.ReadFile(filepath.Join(b.Kernel.Sys, "bus/usb/drivers/usbhid/bind"))
		if err != nil || len(bound) > 0 {
			t.Errorf("%s: %q, %v", name, bound, err)
		}
	}
}
