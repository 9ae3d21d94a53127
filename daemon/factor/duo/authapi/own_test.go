package authapi

import (
	"context"
	"net"
	"testing"
	"time"
)

// nameServer answers every question with "refused", as a stub resolver does that is
// asked for too much, or not at all.
func nameServer(t *testing.T, silent bool) string {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { c.Close(); <-done })
	go func() {
		defer close(done)
		query := make([]byte, 1500)
		for {
			n, from, err := c.ReadFrom(query)
			if err != nil {
				return
			}
			const header = 12
			end := header
			for end < n && query[end] != 0 { // the labels of the name
				end += int(query[end]) + 1
			}
			if end += 5; silent || end > n { // its end, type and class
				continue
			}
			answer := append([]byte{query[0], query[1], 0x81, 0x85, 0, 1, 0, 0, 0, 0, 0, 0}, query[header:end]...)
			c.WriteTo(answer, from)
		}
	}()
	return c.LocalAddr().String()
}

// Any local user can keep this machine's own name server or proxy busy. Its failure lets
// nobody in, and is remembered like any other so that nobody waits for it twice.
func TestOwnServers(t *testing.T) {
	full := blackHole(t)
	for name, start := range map[string]func(*testing.T) *Client{
		"names refused":     func(t *testing.T) *Client { return askingNames(t, nameServer(t, false)) },
		"names unanswered":  func(t *testing.T) *Client { return askingNames(t, nameServer(t, true)) },
		"proxy refused":     func(t *testing.T) *Client { return through(t, "127.0.0.1:1") },
		"proxy overrun":     func(t *testing.T) *Client { return through(t, full) },
		"proxy unanswering": func(t *testing.T) *Client { return through(t, listen(t, silent)) },
		"proxy without way": func(t *testing.T) *Client {
			return through(t, listen(t, after("HTTP/1.1 503 Service Unavailable\r\n\r\n")))
		},
	} {
		for where, own := range map[string]bool{"here": true, "elsewhere": false} {
			t.Run(name+" "+where, func(t *testing.T) {
				t.Parallel()
				c := start(t)
				c.dialer.isOwn = func(addr string) bool { return own && isLoopback(addr) }
				want := Unreachable
				if own {
					want = Local
				}
				_, err := c.Preauth(t.Context(), PreauthRequest{Person: Person{Username: "alice"}})
				if e := wantKind(t, name, err, want); e.Outage() == own || !c.Health().Down {
					t.Errorf("outage %v, down %v: %v", e.Outage(), c.Health().Down, e)
				}
			})
		}
	}
}

func askingNames(t *testing.T, server string) *Client {
	c := client(t, Config{Host: "duo.example", PreauthTimeout: shortPreauth})
	c.dialer.net.Resolver.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return c.dialer.askNames(ctx, network, server)
	}
	return c
}

func through(t *testing.T, proxy string) *Client {
	return client(t, Config{Host: "duo.example", PreauthTimeout: shortPreauth, Proxy: "http://" + proxy})
}

// Who waits for a turn to connect hears nothing of Duo from those who wait for this
// machine's own servers.
func TestQueueForOwnServers(t *testing.T) {
	var d dials
	a := &attempt{dialer: &dialer{}}
	a.lookup.Store(true)
	a.dialer.stub.Store(true)
	since := time.Now()
	d.begin(a)
	if d.hopeless(since, 0) {
		t.Error("a lookup that hangs here")
	}
	d.end(a, &net.DNSError{Err: "server misbehaving"}, 0)
	if d.hopeless(since, 0) {
		t.Error("a lookup that failed here")
	}
}
