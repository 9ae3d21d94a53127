package ykval_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor/yubico/ykval"
	"github.com/factord/factord/daemon/factordtest/yksim"
)

// A server that takes connections and says nothing, not even in TLS: with the login
// its connection ends too.
func TestCancelledConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := make(chan net.Conn, 1)
	go func() {
		if c, err := l.Accept(); err == nil {
			taken <- c
		}
	}()
	c := ykval.New(ykval.Config{Servers: []ykval.Server{{URL: "https://" + l.Addr().String() + yksim.Path, ClientID: 1, APIKey: []byte("x")}}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := c.Verify(ctx, yksim.NewKey(publicID).Touch())
		done <- err
	}()
	conn := <-taken
	defer conn.Close()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	for buf := make([]byte, 4096); err == nil; {
		_, err = conn.Read(buf)
	}
	var slow net.Error
	if errors.As(err, &slow) && slow.Timeout() {
		t.Error("the connection is there after the login")
	}
}

// A client that is not needed any more keeps no connection.
func TestClose(t *testing.T) {
	k := yksim.NewKey(publicID)
	s := yksim.NewServer(k)
	closed := make(chan struct{}, 1)
	web := httptest.NewUnstartedServer(s)
	web.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			closed <- struct{}{}
		}
	}
	web.Start()
	defer web.Close()
	c := ykval.New(ykval.Config{Servers: []ykval.Server{{URL: web.URL + yksim.Path, ClientID: yksim.ClientID, APIKey: s.APIKey}}})
	if got, err := c.Verify(t.Context(), k.Touch()); err != nil || got.Outcome != ykval.Accepted {
		t.Fatalf("%+v, %v", got, err)
	}
	c.Close()
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Error("the connection is kept")
	}
}
