package authapi

import (
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor"
)

const (
	ikey = "DIWJ8X6AEYOR5OMC6TQ1"
	skey = "Zh5eGmUq9zpfQnyUIu5OL9iWoMMv5ZNmk3zLJ4Ep"
)

// seen is a request as the server got it.
type seen struct {
	method, path, date, authorization, kind, body string
	proto                                         int
	params                                        url.Values
}

// server is a Duo that answers as a test wants.
type server struct {
	*httptest.Server
	mu   sync.Mutex
	seen []seen
}

// streams is how many requests one connection of HTTP/2 takes.
const streams = 20

// serve starts one. HTTP/2 is spoken if two says so.
func serve(t testing.TB, two bool, handler http.HandlerFunc) *server {
	t.Helper()
	s := new(server)
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got := seen{method: r.Method, path: r.URL.Path, date: r.Header.Get("Date"), authorization: r.Header.Get("Authorization"),
			kind: r.Header.Get("Content-Type"), body: string(body), proto: r.ProtoMajor, params: r.URL.Query()}
		if got.kind == "application/x-www-form-urlencoded" {
			got.params, _ = url.ParseQuery(got.body)
		}
		if got.kind == "application/json" {
			params := map[string]string{}
			if err := json.Unmarshal(body, &params); err != nil {
				t.Errorf("%s: %q is not JSON", got.path, body)
			}
			for k, v := range params {
				got.params.Set(k, v)
			}
		}
		s.mu.Lock()
		s.seen = append(s.seen, got)
		s.mu.Unlock()
		handler(w, r)
	}))
	s.EnableHTTP2 = two
	s.Config.ErrorLog, s.Config.HTTP2 = quiet, &http.HTTP2Config{MaxConcurrentStreams: streams}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s *server) requests() []seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]seen(nil), s.seen...)
}

// caFile has the certificate of a server, which net/http/httptest signs itself.
func caFile(t testing.TB, s *httptest.Server) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(file, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// client returns one for host, which change may alter.
func client(t testing.TB, c Config) *Client {
	t.Helper()
	c.Ikey, c.Skey = ikey, factor.Secret(skey)
	client, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// clientOf returns a client of a server.
func clientOf(t testing.TB, s *server) *Client {
	t.Helper()
	return client(t, Config{Host: s.Listener.Addr().String(), CAFile: caFile(t, s.Server)})
}

// answers sends the same JSON to every request.
func answers(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// okay wraps a response.
func okay(response string) http.HandlerFunc {
	return answers(http.StatusOK, `{"stat":"OK","response":`+response+`}`)
}

func failing(status int, code, message string) http.HandlerFunc {
	return answers(status, `{"stat":"FAIL","code":`+code+`,"message":"`+message+`"}`)
}

// listen accepts connections and gives each to serve in a goroutine that ends with the test.
func listen(t testing.TB, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var open []net.Conn
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
			all.Go(func() { serve(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return l.Addr().String()
}

// blackHole is an address whose queue of connections is full: the kernel drops what
// comes, as a firewall does.
func blackHole(t testing.TB) string {
	t.Helper()
	l, err := fullListener()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	addr := l.Addr().String()
	for range 16 {
		conn, err := net.DialTimeout("tcp", addr, 300*time.Millisecond)
		if err != nil {
			return addr
		}
		t.Cleanup(func() { conn.Close() })
	}
	t.Fatal("the kernel takes every connection")
	return ""
}

// certified is the certificate of httptest, for servers that are none.
func certified(t testing.TB) (*tls.Config, string) {
	t.Helper()
	s := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(s.Close)
	return &tls.Config{Certificates: s.TLS.Certificates}, caFile(t, s)
}
