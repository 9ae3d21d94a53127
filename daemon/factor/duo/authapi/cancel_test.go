package authapi

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// prompt is how soon a call ends when its context does.
const prompt = 200 * time.Millisecond

// own returns the stacks of goroutines that run code of this package or of net/http,
// the test's servers aside.
func own() (stacks []string) {
	buf := make([]byte, 4<<20)
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(stack, "authapi.(*dialer)") || strings.Contains(stack, "authapi.(*Client)") ||
			strings.Contains(stack, "http.(*persistConn)") || strings.Contains(stack, "http2ClientConn") || strings.Contains(stack, "http2clientStream") {
			stacks = append(stacks, stack)
		}
	}
	return stacks
}

// wantNothingLeft waits until nothing of the client runs any more.
func wantNothingLeft(t *testing.T, c *Client) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for time.Now().Before(deadline) {
		c.Close() // of connections that became idle
		if len(own()) == 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("still running:\n%s", strings.Join(own(), "\n\n"))
}

// Wherever a call waits, it ends with its context, and what it began ends too.
func TestCancel(t *testing.T) {
	hang := func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	trickle := func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"stat":"OK",`)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	served := func(two bool, h http.HandlerFunc) func(*testing.T) *Client {
		return func(t *testing.T) *Client { return clientOf(t, serve(t, two, h)) }
	}
	tests := []struct {
		name  string
		start func(*testing.T) *Client
	}{
		{"name that is not resolved", func(t *testing.T) *Client {
			c := client(t, Config{Host: "api.example.com"})
			c.dialer.net.Resolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}}
			return c
		}},
		{"name server that is silent", func(t *testing.T) *Client {
			c := client(t, Config{Host: "api.example.com"})
			server := listen(t, silent)
			c.dialer.net.Resolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "tcp", server)
			}}
			return c
		}},
		{"black hole", func(t *testing.T) *Client { return client(t, Config{Host: blackHole(t)}) }},
		{"TLS is silent", func(t *testing.T) *Client { return client(t, Config{Host: listen(t, silent)}) }},
		{"proxy is silent", func(t *testing.T) *Client {
			return client(t, Config{Host: "api.example.com", Proxy: "http://" + listen(t, silent)})
		}},
		{"header of HTTP/1.1", served(false, hang)},
		{"header of HTTP/2", served(true, hang)},
		{"body of HTTP/1.1", served(false, trickle)},
		{"body of HTTP/2", served(true, trickle)},
		{"wait of a 429", served(true, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "30")
			failing(429, "42901", "Too Many Requests")(w, r)
		})},
		{"pause between polls", served(true, failing(400, "40002", "x"))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := tt.start(t)
			var slowest time.Duration
			for range 5 { // a machine that is busy may be late once
				if slowest = cancelled(t, c); slowest <= prompt {
					break
				}
			}
			if slowest > prompt {
				t.Errorf("ended %v after its context", slowest)
			}
			if c.Health().Down {
				t.Error("who goes away has not found Duo down")
			}
			wantNothingLeft(t, c)
		})
	}
}

// cancelled polls, ends that on the way, and returns how long it went on.
func cancelled(t *testing.T, c *Client) time.Duration {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := c.Await(ctx, "T", nil)
		ended <- err
	}()
	select {
	case err := <-ended:
		t.Fatalf("ended too early: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	cancel()
	began := time.Now()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("%v is not the context's end", err)
	}
	return time.Since(began)
}

// A call that is over leaves no dialling behind, though net/http would let it go on.
func TestNoDiallingOn(t *testing.T) {
	c := client(t, Config{Host: listen(t, silent), PreauthTimeout: time.Minute})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	c.Check(ctx)
	wantNothingLeft(t, c)
}
