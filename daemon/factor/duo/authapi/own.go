package authapi

import (
	"context"
	"net"
	"net/netip"
)

// A name server or a proxy at a loopback address serves all users of this machine, and
// any of them can ask it for more than it can do. That it fails says nothing of Duo, and
// must let nobody in.

// own reports whether what an attempt waits for, or failed at, is such a server.
func (a *attempt) own() bool {
	return a.proxying.Load() || a.lookup.Load() && a.dialer != nil && a.dialer.stub.Load()
}

// connects notes whom an attempt begins to connect to.
func (a *attempt) connects(addr string) {
	a.lookup.Store(false)
	if d := a.dialer; d != nil && d.proxy != "" && d.isOwn(addr) {
		a.proxying.Store(true)
	}
}

// askNames connects to a name server. Of several, one at a loopback address is enough to
// make all failures this machine's, for as long as factord runs: which of them failed is
// not always told.
func (d *dialer) askNames(ctx context.Context, network, addr string) (net.Conn, error) {
	if d.isOwn(addr) {
		d.stub.Store(true)
	}
	return new(net.Dialer).DialContext(ctx, network, addr)
}

func isLoopback(addr string) bool {
	a, err := netip.ParseAddrPort(addr)
	return err == nil && a.Addr().Unmap().IsLoopback()
}
