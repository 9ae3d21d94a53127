package authapi

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// Sizes of the transport. Each pending push is a request that waits for up to a
// minute. With HTTP/2 they share connections, and cost some 17 kB each; with HTTP/1.1
// each has a connection of its own and costs up to 40 kB (BenchmarkPending).
const (
	bufferSize      = 1 << 10 // each way; requests and answers are of a few hundred bytes
	maxHeader       = 16 << 10
	maxIdle         = 256 // connections kept when a storm is over
	idleTime        = 90 * time.Second
	maxProxyAnswer  = 4 << 10
	deadAfter       = 10 * time.Second // a silent HTTP/2 connection is asked whether it lives
	keepAliveProbes = 3
	maxDials        = 64 // at a time
)

// newTransport returns one that opens as many connections as there are requests:
// with a limit, a passcode would queue behind other people's pending pushes.
func newTransport(d *dialer) *http.Transport {
	return &http.Transport{
		DialTLSContext:         d.dialTLS, // which also goes through the proxy
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    maxIdle,
		IdleConnTimeout:        idleTime,
		ReadBufferSize:         bufferSize,
		WriteBufferSize:        bufferSize,
		MaxResponseHeaderBytes: maxHeader,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: deadAfter, PingTimeout: deadAfter / 2},
	}
}

// dialer makes connections: name, TCP, proxy and TLS within one limit.
type dialer struct {
	host  string // as the certificate must have it
	proxy string // host:port; "": none
	limit time.Duration
	net   net.Dialer
	tls   *tls.Config
	gate  chan struct{} // of maxDials

	record dials

	certificateEnd atomic.Pointer[time.Time]
}

func (d *dialer) configure(roots *x509.CertPool) {
	d.gate = make(chan struct{}, maxDials)
	d.net = net.Dialer{
		// The C library's resolver does not end with a context.
		Resolver: &net.Resolver{PreferGo: true},
		KeepAliveConfig: net.KeepAliveConfig{
			Enable: true, Idle: deadAfter, Interval: deadAfter / 2, Count: keepAliveProbes,
		},
	}
	d.tls = &tls.Config{ServerName: d.host, RootCAs: roots, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
}

// Causes that classify tells apart.
var (
	errProxyRefused = errors.New("the proxy refused")
	errProxyFailed  = errors.New("the proxy failed")
	errTLS          = errors.New("TLS failed")
	errServed       = errors.New("another connection was free before")
)

// dialTLS is called with a context that outlives the request's, since the connection
// can serve the next one, of this login or another. But it ends with the login: the
// attempt among the values knows its caller's context.
func (d *dialer) dialTLS(ctx context.Context, network, addr string) (_ net.Conn, err error) {
	ctx, cancel := context.WithTimeout(ctx, d.limit)
	defer cancel()
	a, ok := ctx.Value(attemptKey{}).(*attempt)
	if !ok {
		return nil, errors.New("a connection that nobody asked for")
	}
	defer context.AfterFunc(a.parent, cancel)()
	// Of a crowd that comes at once every one dials, though the first connections may
	// serve them all: who waits here may have been served before it is their turn.
	a.begins("waiting for others to connect to " + addr)
	a.queued.Store(true)
	asked := time.Now()
	select {
	case d.gate <- struct{}{}:
		defer func() { <-d.gate }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	a.queued.Store(time.Since(asked) > d.limit/10) // what is left then is not a fair time
	if a.connected.Load() {
		return nil, errServed
	}
	d.record.begin(a)
	defer func() { d.record.end(a, err, d.limit*9/10) }()
	conn, err := d.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	a.begins("waiting for TLS of " + addr)
	secure := tls.Client(conn, d.tls)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, handshakeError(err)
	}
	end := secure.ConnectionState().PeerCertificates[0].NotAfter
	d.certificateEnd.Store(&end)
	return secure, nil
}

func (d *dialer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if d.proxy == "" {
		return d.net.DialContext(ctx, network, addr)
	}
	conn, err := d.net.DialContext(ctx, network, d.proxy)
	if err != nil {
		return nil, fmt.Errorf("asking the proxy: %w", err)
	}
	if err := tunnel(ctx, conn, addr); err != nil {
		conn.Close()
		return nil, fmt.Errorf("asking the proxy: %w", err)
	}
	return conn, nil
}

// tunnel asks a proxy for a connection to addr: RFC 9110, 9.3.6.
func tunnel(ctx context.Context, conn net.Conn, addr string) error {
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	if _, err := fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", addr, addr); err != nil {
		return err
	}
	r := bufio.NewReader(io.LimitReader(conn, maxProxyAnswer))
	answer, err := http.ReadResponse(r, &http.Request{Method: http.MethodConnect})
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", errProxyFailed, err)
	case answer.StatusCode/100 == 5: // it has no way to the host either
		return fmt.Errorf("%w: it answers %d", errProxyFailed, answer.StatusCode)
	case answer.StatusCode/100 != 2:
		return fmt.Errorf("%w: it answers %d", errProxyRefused, answer.StatusCode)
	case r.Buffered() > 0: // in TLS the client speaks first
		return fmt.Errorf("%w: it goes on talking", errProxyRefused)
	case !stop():
		return ctx.Err()
	}
	return nil
}

// handshakeError marks what is not a failure of the network: an answer was there,
// and was not TLS that can be trusted.
func handshakeError(err error) error {
	var network net.Error
	if errors.As(err, &network) && network.Timeout() || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, context.Canceled) || isSystem(err) {
		return fmt.Errorf("TLS: %w", err)
	}
	return fmt.Errorf("%w: %w", errTLS, err)
}
