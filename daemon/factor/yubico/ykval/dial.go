package ykval

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
)

// dialer makes connections that end with whoever asked for them, as long as they are
// not there yet: net/http gives a dial a context that outlives the request's, since
// the connection could serve the next one. A server that never answers would keep one
// of each login.
type dialer struct {
	net net.Dialer
	tls *tls.Config
}

func newDialer(host string, roots *x509.CertPool) *dialer {
	return &dialer{
		// The C library's resolver does not end with a context.
		net: net.Dialer{Resolver: &net.Resolver{PreferGo: true}},
		tls: &tls.Config{ServerName: host, RootCAs: roots, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}},
	}
}

// asker is the key of a request's own context among the values of its dial's.
type asker struct{}

// withAsker lets dials for requests of ctx end with it.
func withAsker(ctx context.Context) context.Context { return context.WithValue(ctx, asker{}, ctx) }

// untilAsker is ctx until that of the request ends, which has a deadline.
func untilAsker(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	from, ok := ctx.Value(asker{}).(context.Context)
	if !ok { // a connection that nobody asked for
		cancel()
		return ctx, cancel
	}
	stop := context.AfterFunc(from, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

func (d *dialer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, done := untilAsker(ctx)
	defer done()
	return d.net.DialContext(ctx, network, addr)
}

func (d *dialer) dialTLS(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, done := untilAsker(ctx)
	defer done()
	conn, err := d.net.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	secure := tls.Client(conn, d.tls)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}
