package authapi

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A 429 is waited out, and what is sent then is whole and signed anew.
func TestThrottled(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	s := serve(t, true, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) < 3 {
			w.Header().Set("X-Retry-After", "1")
			failing(429, "42901", "Too Many Requests")(w, r)
			return
		}
		okay(`{"txid":"T"}`)(w, r)
	})
	c := clientOf(t, s)
	v, err := c.Auth(t.Context(), AuthRequest{Person: Person{Username: "alice"}, Method: Push})
	if err != nil || v.TxID != "T" {
		t.Fatalf("%+v, %v", v, err)
	}
	all := s.requests()
	if len(all) != 3 {
		t.Fatalf("%d requests", len(all))
	}
	dates := map[string]bool{}
	for _, r := range all {
		dates[r.date] = true
		if r.body != all[0].body || r.params.Get("username") != "alice" {
			t.Errorf("body %q", r.body)
		}
		if want := c.sign.authorization(c.sign.canonical(r.date, r.method, r.path, "", []byte(r.body))); r.authorization != want {
			t.Error("the signature is not of this date")
		}
	}
	if len(dates) != 3 {
		t.Errorf("dates: %v", dates)
	}
	if c.Health().Down {
		t.Error("a 429 opened the breaker")
	}
}

// A wait that the login can't last for is not begun.
func TestThrottledTooLong(t *testing.T) {
	s := serve(t, true, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		failing(429, "42901", "Too Many Requests")(w, r)
	})
	c := clientOf(t, s)
	began := time.Now()
	_, err := c.Preauth(t.Context(), PreauthRequest{Person: Person{Username: "alice"}})
	e := wantKind(t, "preauth", err, Throttled)
	if e.Wait < 59*time.Minute || e.Wait > 61*time.Minute || time.Since(began) > DefaultPreauthTimeout/2 {
		t.Errorf("%v after %v", e, time.Since(began))
	}
	if n := len(s.requests()); n != 1 {
		t.Errorf("%d requests", n)
	}
}

// What may have made a telephone ring is never sent twice.
func TestNoSecondPush(t *testing.T) {
	for _, method := range []Method{Push, Phone, SMS, Passcode} {
		for name, answer := range map[string]string{"no answer": "", "half an answer": "HTTP/1.1 200 OK\r\nContent-Le", "500": "HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"} {
			var pushes atomic.Int32
			config := secure(t, func(conn net.Conn) {
				// The first request on each connection is a ping that is answered,
				// so that the connection has been idle when the push comes.
				if !readRequest(conn) {
					return
				}
				io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 37\r\n\r\n{\"stat\":\"OK\",\"response\":{\"time\":123}}")
				if readRequest(conn) {
					pushes.Add(1)
					io.WriteString(conn, answer)
				}
				conn.Close()
			})
			c := client(t, config)
			if _, err := c.Ping(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Auth(t.Context(), AuthRequest{Person: Person{Username: "alice"}, Method: method}); err == nil {
				t.Errorf("%s, %s: no error", method, name)
			}
			if n := pushes.Load(); n != 1 {
				t.Errorf("%s, %s: sent %d times", method, name, n)
			}
		}
	}
}

// readRequest reads to the end of a request's body, all of which comes at once.
func readRequest(conn net.Conn) bool {
	n, err := conn.Read(make([]byte, 8192))
	return err == nil && n > 0
}

// A connection that the server closed while it was idle costs nobody a login.
func TestStaleConnection(t *testing.T) {
	const body = `{"stat":"OK","response":{"result":"allow"}}`
	var connections, requests atomic.Int32
	config := secure(t, func(conn net.Conn) {
		connections.Add(1)
		for served := 0; readRequest(conn); served++ {
			requests.Add(1)
			if served == 1 { // the second is met by a close, as when both sides act at once
				break
			}
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 43\r\n\r\n"+body)
		}
		conn.Close()
	})
	c := client(t, config)
	for range 2 {
		if p, err := c.Preauth(t.Context(), PreauthRequest{Person: Person{Username: "alice"}}); err != nil || p.Decision != DecisionAllow {
			t.Fatalf("%+v, %v", p, err)
		}
	}
	if connections.Load() != 2 || requests.Load() != 3 {
		t.Errorf("%d connections, %d requests", connections.Load(), requests.Load())
	}
}

// Nor does one that leads nowhere, as after a laptop's sleep.
func TestDeadConnection(t *testing.T) {
	t.Parallel()
	const answer = "HTTP/1.1 200 OK\r\nContent-Length: 43\r\n\r\n" + `{"stat":"OK","response":{"result":"allow"}}`
	config := secure(t, func(conn net.Conn) {
		if readRequest(conn) {
			io.WriteString(conn, answer)
			silent(conn)
		}
	})
	config.PreauthTimeout = 3 * time.Second
	c := client(t, config)
	for range 2 {
		if p, err := c.Preauth(t.Context(), PreauthRequest{Person: Person{Username: "alice"}}); err != nil || p.Decision != DecisionAllow {
			t.Fatalf("%+v, %v", p, err)
		}
	}
	if c.Health().Down {
		t.Error("a dead connection opened the breaker")
	}
}

// One connection serves one login after the other.
func TestKeepAlive(t *testing.T) {
	for _, two := range []bool{false, true} {
		var connections atomic.Int32
		s := serve(t, two, okay(`{"time":1}`))
		c := clientOf(t, s)
		dial := c.transport.DialTLSContext
		c.transport.DialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			connections.Add(1)
			return dial(ctx, network, addr)
		}
		for range 5 {
			if _, err := c.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if n := connections.Load(); n != 1 {
			t.Errorf("HTTP/2 %v: %d connections", two, n)
		}
		if proto := s.requests()[0].proto; (proto == 2) != two {
			t.Errorf("HTTP/%d", proto)
		}
	}
}

// A crowd that comes at once does not make a connection each, where one serves many.
func TestCrowd(t *testing.T) {
	s := serve(t, true, okay(`{"time":1}`))
	c := clientOf(t, s)
	var connections atomic.Int32
	c.dialer.net.Control = func(string, string, syscall.RawConn) error { connections.Add(1); return nil }
	var all sync.WaitGroup
	for range 8 * maxDials {
		all.Go(func() {
			if _, err := c.Check(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	if all.Wait(); connections.Load() > 4*maxDials {
		t.Errorf("%d connections for %d calls", connections.Load(), 8*maxDials)
	}
}

// Pending pushes take no place from a passcode, even when they are many.
func TestPollsDoNotBlock(t *testing.T) {
	for _, two := range []bool{false, true} {
		s := serve(t, two, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/auth/v2/auth_status" {
				<-r.Context().Done()
				return
			}
			okay(`{"time":1}`)(w, r)
		})
		c := clientOf(t, s)
		ctx, cancel := context.WithCancel(t.Context())
		const many = 3 * streams
		for range many {
			go c.AuthStatus(ctx, "T")
		}
		for len(s.requests()) < many {
			time.Sleep(time.Millisecond)
		}
		if _, err := c.Check(t.Context()); err != nil {
			t.Errorf("HTTP/2 %v: %v", two, err)
		}
		cancel()
		wantNothingLeft(t, c)
	}
}

// A poll that Duo gave up, or whose connection broke, is repeated; not without end.
func TestPollIsRepeated(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	s := serve(t, true, func(w http.ResponseWriter, r *http.Request) {
		switch n.Add(1) {
		case 1:
			failing(400, "40002", "Invalid request parameters")(w, r)
		case 2:
			answers(504, "Gateway Timeout")(w, r)
		case 3:
			okay(`{"result":"waiting","status":"pushed"}`)(w, r)
		default:
			okay(`{"result":"allow","status":"allow"}`)(w, r)
		}
	})
	var states []string
	v, err := clientOf(t, s).Await(t.Context(), "T", func(v Verdict) { states = append(states, v.Status) })
	if err != nil || v.Outcome != OutcomeAllow || len(states) != 1 || states[0] != "pushed" {
		t.Errorf("%+v, %v, %q", v, err, states)
	}
}

func TestPollIsBounded(t *testing.T) {
	t.Parallel()
	s := serve(t, true, failing(400, "40002", "Invalid request parameters"))
	c := clientOf(t, s)
	c.pollPause = 50 * time.Millisecond
	_, err := c.Await(t.Context(), "T", nil)
	wantKind(t, "await", err, Refused)
	if n := len(s.requests()); n <= maxRepeats || n > 3*maxRepeats { // a slow one is taken to have been held
		t.Errorf("%d requests", n)
	}
}
