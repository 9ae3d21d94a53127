package duosim

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"sync"
	"testing"
)

// Three thousand people look at their phones. What a push costs is a map entry
// and a timer; a poll costs its connection, so only some of them have one here.
func TestCrowd(t *testing.T) {
	const users, overTheLine = 3000, 10 // every tenth
	s := Start(t, Config{})
	for i := range users {
		s.AddUser(User{Name: fmt.Sprint("u", i), Devices: []Device{Phone("p", "")}})
	}
	before := runtime.NumGoroutine()
	txids := make([]string, users)
	for i := range txids {
		out, f := s.auth(context.Background(), call{params: map[string]string{"username": fmt.Sprint("u", i), "factor": "push", "device": "auto", "async": "1"}})
		if f != nil {
			t.Fatal(f)
		}
		txids[i] = out.(fields)["txid"].(string)
		if out, f := s.authStatus(context.Background(), call{params: map[string]string{"txid": txids[i]}}); f != nil || out.(fields)["status"] != "pushed" {
			t.Fatal(out, f)
		}
	}
	if n := runtime.NumGoroutine(); n > before+5 {
		t.Errorf("%d goroutines for pushes that nobody polls", n-before)
	}
	c := newClient(t, s)
	var all sync.WaitGroup
	results := make([]any, users)
	for i, txid := range txids {
		all.Go(func() {
			if i%overTheLine == 0 {
				a, err := c.send(c.request("v5", http.MethodGet, "auth_status", url.Values{"txid": {txid}}))
				if results[i] = a.field("result"); err != nil {
					results[i] = err
				}
				return
			}
			if out, f := s.authStatus(context.Background(), call{params: map[string]string{"txid": txid}}); f == nil {
				results[i] = out.(fields)["result"]
			}
		})
	}
	until(t, "all poll", func() bool { return s.Waiting() == users })
	if n := len(s.Pending("")); n != users {
		t.Errorf("%d pending", n)
	}
	ctx := soon(t)
	for range users {
		p, err := s.NextPush(ctx, "")
		if err == nil {
			err = s.Approve(p.User)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	all.Wait()
	for i, r := range results {
		if r != "allow" {
			t.Fatalf("u%d: %v", i, r)
		}
	}
}
