package authapi

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// tunnelTo is a proxy that connects everybody to one address.
func tunnelTo(t *testing.T, addr string, asked *atomic.Pointer[string]) string {
	return listen(t, func(conn net.Conn) {
		defer conn.Close()
		r, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		line := r.Method + " " + r.RequestURI + " " + r.Host
		asked.Store(&line)
		to, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		defer to.Close()
		io.WriteString(conn, "HTTP/1.1 200 Connection established\r\nX: y\r\n\r\n")
		go func() { io.Copy(to, conn); to.Close() }()
		io.Copy(conn, to)
	})
}

// The proxy of the configuration is gone through, that of the environment never.
func TestProxy(t *testing.T) {
	for _, two := range []bool{false, true} {
		s := serve(t, two, okay(`{"time":1}`))
		var asked atomic.Pointer[string]
		// example.com is in the certificate of net/http/httptest.
		c := client(t, Config{Host: "example.com", CAFile: caFile(t, s.Server), Proxy: "http://" + tunnelTo(t, s.Listener.Addr().String(), &asked)})
		if _, err := c.Check(t.Context()); err != nil {
			t.Error(err)
		}
		if line := asked.Load(); line == nil || *line != "CONNECT example.com:443 example.com:443" {
			t.Errorf("asked %v", line)
		}
		c.Close()
	}
	var asked atomic.Pointer[string]
	s := serve(t, true, okay(`{"time":1}`))
	t.Setenv("HTTPS_PROXY", "http://"+tunnelTo(t, s.Listener.Addr().String(), &asked))
	if _, err := clientOf(t, s).Check(t.Context()); err != nil || asked.Load() != nil {
		t.Errorf("%v, asked %v", err, asked.Load())
	}
}

func TestProxyRefuses(t *testing.T) {
	for _, tt := range []struct {
		answer string
		kind   Kind
	}{
		{"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", Refused},
		{"HTTP/1.1 403 Forbidden\r\n\r\n", Refused},
		{"HTTP/1.1 502 Bad Gateway\r\n\r\n", Unreachable},
		{"HTTP/1.1 200 OK\r\n\r\nHello", Refused},
		{"SSH-2.0-OpenSSH\r\n", Unreachable},
		{"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 2*maxProxyAnswer) + "\r\n\r\n", Unreachable},
		{"", Unreachable},
	} {
		c := client(t, Config{Host: "example.com", Proxy: "http://" + listen(t, after(tt.answer))})
		_, err := c.Check(t.Context())
		if e := wantKind(t, fmt.Sprintf("%.30q", tt.answer), err, tt.kind); !strings.Contains(e.Error(), "proxy") {
			t.Error(e)
		}
	}
}
