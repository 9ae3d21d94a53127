// Package usbtest is keys for tests: what operations come to is the test's to say.
package usbtest

import (
	"context"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/factord/factord/daemon/wire/agent"
	"github.com/factord/factord/usb"
)

// Keys does the operations as its functions say; what is nil can't be done.
type Keys struct {
	OnKeys    func(context.Context, agent.KeysRequest, usb.Talk) (agent.KeysReply, error)
	OnCapture func(context.Context, agent.CaptureRequest, usb.Talk) (agent.CaptureReply, error)
	OnHMAC    func(context.Context, agent.HMACRequest, usb.Talk) (agent.HMACReply, error)
	OnCard    func(context.Context, agent.CardRequest, usb.Talk) (agent.CardReply, error)
	OnSign    func(context.Context, agent.SignRequest, usb.Talk) (agent.SignReply, error)
	OnCreate  func(context.Context, agent.CreateRequest, usb.Talk) (agent.CreateReply, error)
	OnAssert  func(context.Context, agent.AssertRequest, usb.Talk) (agent.AssertReply, error)
}

func call[Q, R any](on func(context.Context, Q, usb.Talk) (R, error), ctx context.Context, q Q, t usb.Talk) (r R, err error) {
	if on == nil {
		return r, &agent.Error{Code: agent.Unsupported, Text: "no such test"}
	}
	return on(ctx, q, t)
}

// Keys implements usb.Operations.
func (k Keys) Keys(ctx context.Context, q agent.KeysRequest, t usb.Talk) (agent.KeysReply, error) {
	return call(k.OnKeys, ctx, q, t)
}

// Capture implements usb.Operations.
func (k Keys) Capture(ctx context.Context, q agent.CaptureRequest, t usb.Talk) (agent.CaptureReply, error) {
	return call(k.OnCapture, ctx, q, t)
}

// HMAC implements usb.Operations.
func (k Keys) HMAC(ctx context.Context, q agent.HMACRequest, t usb.Talk) (agent.HMACReply, error) {
	return call(k.OnHMAC, ctx, q, t)
}

// Card implements usb.Operations.
func (k Keys) Card(ctx context.Context, q agent.CardRequest, t usb.Talk) (agent.CardReply, error) {
	return call(k.OnCard, ctx, q, t)
}

// Sign implements usb.Operations.
func (k Keys) Sign(ctx context.Context, q agent.SignRequest, t usb.Talk) (agent.SignReply, error) {
	return call(k.OnSign, ctx, q, t)
}

// Create implements usb.Operations.
func (k Keys) Create(ctx context.Context, q agent.CreateRequest, t usb.Talk) (agent.CreateReply, error) {
	return call(k.OnCreate, ctx, q, t)
}

// Assert implements usb.Operations.
func (k Keys) Assert(ctx context.Context, q agent.AssertRequest, t usb.Talk) (agent.AssertReply, error) {
	return call(k.OnAssert, ctx, q, t)
}

// Pair returns the two ends of a connection.
func Pair(t testing.TB) (a, b *net.UnixConn) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]*net.UnixConn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "pair")
		c, err := net.FileConn(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		ends[i] = c.(*net.UnixConn)
		t.Cleanup(func() { c.Close() })
	}
	return ends[0], ends[1]
}

// Listen serves connections at a new socket until the test ends.
func Listen(t testing.TB, path string, c usb.Config) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			nc, err := l.AcceptUnix()
			if err != nil {
				return
			}
			go c.Serve(ctx, nc)
		}
	}()
	t.Cleanup(func() { l.Close(); cancel(); <-done })
}
