package main

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"

	"github.com/factord/factord/usb"
	"github.com/factord/factord/usb/hid"
	"github.com/factord/factord/usb/operation"
	"github.com/factord/factord/usb/virtual/otpkey"
)

// What a key says to the finger: its keyboard has been taken, or it blinks.
const (
	listens = 'k'
	blinks  = 'b'
)

// waitsForTouch is a flag in a status report.
const waitsForTouch = 0x20

// confirms, in place of a usage, is a finger on what blinks.
const confirms = 0

// fakeKey is a key in factord-usb's own process, and a hid.Backend: what is measured is
// all of factord-usb but the kernel's device files.
type fakeKey struct {
	key     *otpkey.Key
	finger  net.Conn
	presses chan hid.Press
	blinked sync.Once
}

// serveKey is factord-usb with such a key: the copy of this program that factord starts.
func serveKey(path string) error {
	nc, err := net.FileConn(os.NewFile(3, "connection"))
	if err != nil {
		return err
	}
	finger, err := net.Dial("unix", filepath.Join(filepath.Dir(path), fingerSocket))
	if err != nil {
		return err
	}
	k := &fakeKey{finger: finger, presses: make(chan hid.Press, 100), key: otpkey.New(otpkey.Config{
		Serial: keySerial, Long: otpkey.Slot{Answers: otpkey.HMAC{Secret: keySecret, LT64: true}, Touch: true}})}
	go k.feel()
	return usb.Config{Operations: operation.Machine{Hidraw: k}}.Serve(context.Background(), nc.(*net.UnixConn))
}

// feel takes what the finger does: two bytes, a usage and the modifiers.
func (k *fakeKey) feel() {
	for {
		var stroke [2]byte
		if _, err := io.ReadFull(k.finger, stroke[:]); err != nil {
			return
		}
		if stroke[0] == confirms {
			k.key.Confirm()
			continue
		}
		k.presses <- hid.NewPress(stroke[0], stroke[1])
	}
}

// Keys implements hid.Backend, as the next three do.
func (k *fakeKey) Keys(context.Context) ([]hid.Key, error) {
	return []hid.Key{{Port: "9-9", Vendor: 0x1050, Product: 0x0401, Name: "a key of the benchmark's", OTP: true}}, nil
}

func (k *fakeKey) Keyboard(context.Context, string) (hid.Keyboard, error) {
	_, err := k.finger.Write([]byte{listens})
	return fakeKeyboard{k}, err
}

func (k *fakeKey) Features(context.Context, string) (hid.Features, error) {
	return fakeFeatures{k}, nil
}

func (k *fakeKey) Frames(context.Context, string) (hid.Frames, error) { return nil, hid.ErrNone }

type fakeKeyboard struct{ *fakeKey }

func (k fakeKeyboard) Read(ctx context.Context) (hid.Press, error) {
	select {
	case p := <-k.presses:
		return p, nil
	case <-ctx.Done():
		return hid.Press{}, ctx.Err()
	}
}

func (k fakeKeyboard) Close() error { return nil }

type fakeFeatures struct{ *fakeKey }

func (f fakeFeatures) Get(ctx context.Context) ([hid.FeatureSize]byte, error) {
	r, err := f.key.Get(), ctx.Err()
	if r[hid.FeatureSize-1]&waitsForTouch != 0 { // which factord-usb is told, before anybody touches
		f.blinked.Do(func() { _, err = f.finger.Write([]byte{blinks}) })
	}
	return r, err
}

func (f fakeFeatures) Set(ctx context.Context, report [hid.FeatureSize]byte) error {
	f.key.Set(report)
	return ctx.Err()
}

func (f fakeFeatures) Close() error { return nil }
