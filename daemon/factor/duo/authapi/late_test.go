package authapi

import (
	"context"
	"net/http"
	"testing"
	"time"
)

var aPush = AuthRequest{Person: Person{Username: "alice"}, Method: Push}

// leaves asks for a push, and goes away when the server has the request.
func leaves(t *testing.T, c *Client, arrived chan struct{}) *Late {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { _, err := c.Auth(ctx, aPush); ended <- err }()
	<-arrived
	cancel()
	begun := time.Now()
	e := wantKind(t, "auth", <-ended, Ended)
	if took := time.Since(begun); took > prompt {
		t.Errorf("ended %v after its context", took)
	}
	return e.Late
}

// holding is a server that names pushes when it is told to.
func holding(t *testing.T) (c *Client, arrived, answer chan struct{}) {
	arrived, answer = make(chan struct{}, 2*maxLate), make(chan struct{})
	s := serve(t, true, func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		select {
		case <-answer:
			okay(`{"txid":"T1"}`)(w, r)
		case <-r.Context().Done():
		}
	})
	return clientOf(t, s), arrived, answer
}

// The request of who has gone goes on for its txid, and then leaves nothing behind.
func TestLate(t *testing.T) {
	c, arrived, answer := holding(t)
	l := leaves(t, c, arrived)
	if l == nil {
		t.Fatal("nothing goes on")
	}
	gone, cancel := context.WithCancel(t.Context())
	if cancel(); l.TxID(gone) != "" {
		t.Error("named before it is")
	}
	close(answer)
	if txid := l.TxID(t.Context()); txid != "T1" {
		t.Errorf("named %q", txid)
	}
	if c.Health().Down {
		t.Error("who goes away has not found Duo down")
	}
	wantNothingLeft(t, c)
}

// It goes on for a moment only, not longer than its client, and not in any number.
func TestLateIsBounded(t *testing.T) {
	c, arrived, _ := holding(t)
	begun := time.Now()
	if txid := leaves(t, c, arrived).TxID(t.Context()); txid != "" || time.Since(begun) > 2*lateTime {
		t.Errorf("%q after %v", txid, time.Since(begun))
	}
	wantNothingLeft(t, c)

	c, arrived, _ = holding(t)
	var all []*Late
	for range maxLate {
		c.late <- struct{}{}
	}
	if leaves(t, c, arrived) != nil {
		t.Error("one too many")
	}
	for range maxLate {
		<-c.late
	}
	for range 3 {
		all = append(all, leaves(t, c, arrived))
	}
	c.Close()
	begun = time.Now()
	for _, l := range all {
		if txid := l.TxID(t.Context()); txid != "" || time.Since(begun) > lateTime/2 {
			t.Errorf("%q, %v after Close", txid, time.Since(begun))
		}
	}
	wantNothingLeft(t, c)
}

// What was not sent when its caller went away is never sent.
func TestLateWithoutConnection(t *testing.T) {
	c := client(t, Config{Host: blackHole(t)})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := c.Auth(ctx, aPush)
	if e := wantKind(t, "auth", err, Ended); e.Late != nil {
		t.Error("it goes on")
	}
	wantNothingLeft(t, c)
}
