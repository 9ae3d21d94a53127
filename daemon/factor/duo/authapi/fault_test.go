package authapi

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The patience of the tests' clients: enough for TLS on a machine that is busy.
const (
	shortPreauth  = 1500 * time.Millisecond
	shortDeadline = 3 * time.Second
)

func wantKind(t *testing.T, what string, err error, want Kind) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Errorf("%s: %v is not an Error", what, err)
		return &Error{}
	}
	if e.Kind != want {
		t.Errorf("%s: kind %d, want %d: %v", what, e.Kind, want, err)
	}
	for _, secret := range []string{skey, "123456", "Basic "} {
		if strings.Contains(e.Error()+e.Person(), secret) {
			t.Errorf("%s: a secret is in %v", what, e)
		}
	}
	if strings.ContainsAny(e.Error(), "\n\x1b") || strings.ContainsAny(e.Person(), "\n\x1b:") {
		t.Errorf("%s: not one safe line: %q, %q", what, e.Error(), e.Person())
	}
	return e
}

// secure serves TLS by hand.
func secure(t *testing.T, serve func(net.Conn)) Config {
	config, ca := certified(t)
	return Config{Host: listen(t, func(conn net.Conn) { serve(tls.Server(conn, config)) }), CAFile: ca}
}

// after reads a request and then writes what a test wants.
func after(answer string) func(net.Conn) {
	return func(conn net.Conn) {
		conn.Read(make([]byte, 4096))
		io.WriteString(conn, answer)
		conn.Close()
	}
}

func silent(conn net.Conn) { io.Copy(io.Discard, conn) }

// Every fault by name: its kind, whether a rule may let in for it, and that it takes
// no longer than it may.
func TestFaults(t *testing.T) {
	served := func(h http.HandlerFunc) func(*testing.T) Config {
		return func(t *testing.T) Config {
			s := serve(t, true, h)
			return Config{Host: s.Listener.Addr().String(), CAFile: caFile(t, s.Server)}
		}
	}
	raw := func(f func(net.Conn)) func(*testing.T) Config {
		return func(t *testing.T) Config { return secure(t, f) }
	}
	plain := func(f func(net.Conn)) func(*testing.T) Config {
		return func(t *testing.T) Config { return Config{Host: listen(t, f)} }
	}
	const html = "<html><body>Sign in to Hotel WiFi</body></html>"
	tests := []struct {
		name   string
		start  func(*testing.T) Config
		kind   Kind
		outage bool
		text   string // in the log
	}{
		{"refused connection", func(t *testing.T) Config {
			l, _ := net.Listen("tcp", "127.0.0.1:0")
			defer l.Close()
			return Config{Host: l.Addr().String()}
		}, Unreachable, true, "no connection"},
		{"no such host", func(t *testing.T) Config { return Config{Host: "no-such-host.invalid"} }, Unreachable, true, "lookup"},
		{"black hole", func(t *testing.T) Config { return Config{Host: blackHole(t)} }, Unreachable, true, "no connection: connecting to 127.0.0.1:"},
		{"TLS never answers", plain(silent), Unreachable, true, "no connection: waiting for TLS of 127.0.0.1:"},
		{"closed before TLS", plain(func(c net.Conn) { c.Close() }), Unreachable, true, "TLS"},
		{"not TLS", plain(after("HTTP/1.1 400 Bad Request\r\n\r\n")), Untrusted, false, "not trusted"},
		{"certificate of a stranger", func(t *testing.T) Config {
			s := serve(t, true, okay(`{}`))
			return Config{Host: s.Listener.Addr().String()}
		}, Untrusted, false, "certificate signed by unknown authority"},
		{"certificate of another name", func(t *testing.T) Config {
			s := serve(t, true, okay(`{}`))
			_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
			return Config{Host: "localhost:" + port, CAFile: caFile(t, s.Server)}
		}, Untrusted, false, "localhost"},
		{"TLS 1.1 only", func(t *testing.T) Config {
			config, ca := certified(t)
			config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
			return Config{Host: listen(t, func(c net.Conn) { tls.Server(c, config).Handshake(); c.Close() }), CAFile: ca}
		}, Untrusted, false, "protocol version"},
		{"no answer", raw(silent), Silent, false, "no answer in time"},
		{"closed without an answer", raw(after("")), Unreachable, true, "EOF"},
		{"not HTTP", raw(after("SSH-2.0-OpenSSH_9.2\r\n")), Garbled, false, "makes no sense"},
		{"endless header", raw(after("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", maxHeader*2))), Garbled, false, "makes no sense"},
		{"half a body", raw(after("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"stat\"")), Garbled, false, "makes no sense"},
		{"body that stops", raw(func(c net.Conn) {
			after("")(nopCloser{c})
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
			silent(c)
		}), Silent, false, "no answer in time"},
		{"endless body", served(func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, `{"x":"`+strings.Repeat("x", 2*maxAnswer))
		}), Garbled, false, "longer"},
		{"HTML", served(answers(200, html)), Garbled, false, "not Duo's JSON"},
		{"redirect", served(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://127.0.0.1:1/", http.StatusFound)
		}), Garbled, false, "HTTP 302"},
		{"empty", served(answers(200, "")), Garbled, false, "not Duo's JSON"},
		{"OK misspelt", served(answers(200, `{"stat":"Ok","response":{"result":"allow"}}`)), Garbled, false, "neither OK nor FAIL"},
		{"500", served(failing(500, "50001", "Internal")), Broken, true, "HTTP 500, code 50001"},
		{"503 in HTML", served(answers(503, html)), Broken, true, "HTTP 503"},
		{"half a 503", raw(after("HTTP/1.1 503 X\r\nContent-Length: 100\r\n\r\n{")), Broken, true, "HTTP 503"},
		{"500 in an envelope", served(failing(200, "50001", "Internal")), Broken, true, "code 50001"},
		{"400", served(failing(400, "40002", "Invalid request parameters")), Refused, false, "code 40002"},
		{"code as text", served(failing(400, `"40002"`, "x")), Refused, false, "code 40002"},
		{"code empty", served(failing(400, `""`, "x")), Refused, false, "HTTP 400"},
		{"code of no kind", served(failing(403, `{}`, "x")), Refused, false, "HTTP 403"},
		{"refused with 200", served(failing(200, `""`, "x")), Refused, false, "refused"},
		{"403 in HTML", served(answers(403, html)), Refused, false, "HTTP 403"},
		{"404", served(failing(404, "40401", "Resource not found")), Refused, false, "code 40401"},
		{"key changed", served(failing(401, "40103", "Invalid signature in request credentials")), BadKey, false, "signature is not accepted"},
		{"unknown ikey", served(failing(401, "40102", "Invalid integration key")), BadKey, false, "code 40102"},
		{"timestamp", served(failing(401, "40105", "Bad request timestamp")), Skewed, false, "the date is not accepted"},
		{"escape sequences", served(failing(400, "40002", `\u001b[2J\n`)), Refused, false, `"\x1b[2J\n"`},
		{"429 with a long wait", served(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "3600")
			failing(429, "42901", "Too Many Requests")(w, r)
		}), Throttled, false, "to be asked again in 1h0m0s"},
		{"429 for ever", served(failing(429, "42901", "Too Many Requests")), Throttled, false, "too many requests"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			config := tt.start(t)
			config.PreauthTimeout, config.Deadline = shortPreauth, shortDeadline
			c := client(t, config)
			began := time.Now()
			_, err := c.Preauth(t.Context(), PreauthRequest{Person: Person{Username: "alice"}})
			if took := time.Since(began); took > shortDeadline+time.Second {
				t.Errorf("took %v", took)
			}
			e := wantKind(t, tt.name, err, tt.kind)
			if e.Outage() != tt.outage {
				t.Errorf("outage: %v", e.Outage())
			}
			if !strings.Contains(e.Error(), tt.text) || e.Call != "preauth" {
				t.Errorf("%q has no %q", e.Error(), tt.text)
			}
			if tt.kind == Broken { // of which one is not enough
				if c.Health().Down {
					t.Error("one 5xx opens the breaker")
				}
				c.Preauth(t.Context(), PreauthRequest{Person: Person{Username: "alice"}})
			}
			if c.Health().Down != e.down() {
				t.Errorf("the breaker is open: %v", c.Health().Down)
			}
		})
	}
}

// nopCloser leaves a connection open.
type nopCloser struct{ net.Conn }

func (nopCloser) Close() error { return nil }

// A login that was drawn out to its last moment is no outage, whatever it broke off;
// one whose whole time went by without a connection is.
func TestDeadlineOfTheCaller(t *testing.T) {
	t.Parallel()
	c := client(t, Config{Host: blackHole(t), PreauthTimeout: 2 * time.Second})
	passcode := AuthRequest{Person: Person{Username: "alice"}, Method: Passcode}
	short, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := c.Auth(short, passcode)
	if e := wantKind(t, "short", err, Ended); e.Outage() || !errors.Is(err, context.DeadlineExceeded) || c.Health().Down {
		t.Errorf("%v", err)
	}
	long, cancel := context.WithTimeout(t.Context(), 1950*time.Millisecond)
	defer cancel()
	_, err = c.Auth(long, passcode)
	if e := wantKind(t, "long", err, Unreachable); !e.Outage() || !c.Health().Down {
		t.Errorf("%v", err)
	}
}

// A pending push that nobody answers is no outage either.
func TestUnansweredPush(t *testing.T) {
	s := serve(t, true, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	c := clientOf(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := c.Await(ctx, "T", nil)
	if e := wantKind(t, "await", err, Ended); e.Outage() || c.Health().Down {
		t.Error(err)
	}
}

// Whoever waits longer than Config.Deadline still hears by then that nobody can be reached.
func TestStatusIsBounded(t *testing.T) {
	t.Parallel()
	const deadline = 500 * time.Millisecond
	c := client(t, Config{Host: blackHole(t), PreauthTimeout: 200 * time.Millisecond, Deadline: deadline})
	c.pollPause = 20 * time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), 40*deadline)
	defer cancel()
	if _, err := c.AuthStatus(ctx, "T"); err == nil || ctx.Err() != nil {
		t.Errorf("%v, and the caller's time: %v", err, ctx.Err())
	}
}
