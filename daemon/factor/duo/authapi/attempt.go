package authapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// attempt is one request on its way. It travels in its own context, for the dialer.
type attempt struct {
	parent    context.Context // the caller's
	ctx       context.Context
	cancel    context.CancelFunc // where there is patience
	connected atomic.Bool
	patience  time.Duration // with a connection that was used before; 0: as with any
	stale     atomic.Bool   // it ran out
	timer     atomic.Pointer[time.Timer]
	step      atomic.Pointer[string] // of making a connection, the last begun
	queued    atomic.Bool            // for its turn to connect
	local     atomic.Pointer[error]  // of this machine's, at one of the host's addresses
	began     time.Time
}

// begins notes a step, so that a failure by time can be put down to one.
func (a *attempt) begins(step string) { a.step.Store(&step) }

// trace follows an attempt through net/http and net.
func (a *attempt) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn:      func(string) { a.connected.Store(false) },
		DNSStart:     func(i httptrace.DNSStartInfo) { a.begins("looking up " + i.Host) },
		ConnectStart: func(_, addr string) { a.begins("connecting to " + addr) },
		ConnectDone:  a.tried,
		GotConn:      a.got,
	}
}

// tried keeps what is this machine's own: of a host with several addresses package net
// returns only one error, which may hide it.
func (a *attempt) tried(_, addr string, err error) {
	if err != nil && isSystem(err) && !isNetwork(err) && !unaddressed(err, addr) {
		a.local.Store(&err)
	}
}

// unaddressed reports whether this machine has no address of its own from which it could
// reach another, as without IPv6. To have no port left is the same error, and not the
// same thing; a datagram, of which none is sent, needs none of those ports.
func unaddressed(err error, addr string) bool {
	if !errors.Is(err, syscall.EADDRNOTAVAIL) {
		return false
	}
	c, err := net.Dial("udp", addr)
	if err == nil {
		c.Close()
	}
	return errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.ENETUNREACH)
}

// got has a connection. One that was used before may lead nowhere by now, and nothing
// tells: a laptop that slept, a firewall that forgot.
func (a *attempt) got(info httptrace.GotConnInfo) {
	a.connected.Store(true)
	if info.Reused && a.patience > 0 {
		a.timer.Store(time.AfterFunc(a.patience, func() {
			a.stale.Store(true)
			a.cancel()
		}))
	}
}

func (a *attempt) end() {
	if timer := a.timer.Load(); timer != nil {
		timer.Stop()
	}
	a.cancel()
}

type attemptKey struct{}

// failed classifies a request that got no answer. A connection that a deadline of the
// caller's cut off is put down to Duo only if it had (nearly, since the caller's timer
// started first) all of the time that a connection gets: else a login drawn out to its
// last seconds would pass for an outage. A wait for our own other connections says
// nothing of Duo, since anybody can make the queue long, unless those came to nothing.
func (c *Client) failed(a *attempt, q request, err error) *Error {
	parent := a.parent
	if step := a.step.Load(); step != nil && !a.connected.Load() && errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%s: %w", *step, err)
	}
	e := &Error{Kind: Unreachable, Call: q.name, cause: err}
	fair := c.preauth * 9 / 10
	expired := errors.Is(parent.Err(), context.DeadlineExceeded)
	switch {
	case errors.Is(parent.Err(), context.Canceled):
		e.Kind, e.cause = Ended, parent.Err()
	case a.connected.Load() && expired:
		e.Kind, e.cause = Ended, parent.Err()
	case a.connected.Load() && a.ctx.Err() != nil:
		e.Kind, e.stale = Silent, a.stale.Load()
	case expired && time.Since(a.began) < fair:
		e.Kind, e.cause = Ended, parent.Err()
	case a.queued.Load() && errors.Is(err, context.DeadlineExceeded):
		if !c.dialer.record.hopeless(a.began, fair) {
			e.Kind = Ended
		}
	case errors.Is(err, errTLS):
		e.Kind = Untrusted
	case errors.Is(err, errProxyRefused):
		e.Kind = Refused
	case !a.connected.Load() && a.local.Load() != nil:
		e.Kind, e.cause = Local, *a.local.Load()
	case isNetwork(err):
	case isLocal(err):
		e.Kind = Local
	default:
		e.Kind = Garbled // what came is not HTTP
	}
	return e
}

// networkErrors are those of the kernel's that are the network's or the other side's.
// All others are of this machine, where any user can use up ports, descriptors and
// memory, or a filter may stand in the way: none of those may let anybody in.
var networkErrors = []syscall.Errno{
	syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE, syscall.ETIMEDOUT,
	syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.ENETDOWN,
}

// isNetwork reports whether an error is the network's, or of a server that went away.
// Two of them net/http gives no name to.
func isNetwork(err error) bool {
	var (
		number  syscall.Errno
		lookup  *net.DNSError
		network net.Error
	)
	switch {
	case errors.As(err, &number): // before timeouts: EAGAIN says that it is one
		return slices.Contains(networkErrors, number)
	case errors.As(err, &lookup):
		return lookup.IsNotFound || lookup.IsTimeout || isNameServers(lookup.Err)
	case errors.As(err, &network) && network.Timeout():
		return true
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errProxyFailed) ||
		strings.Contains(err.Error(), "server closed idle connection") || strings.Contains(err.Error(), "client connection lost")
}

// isNameServers reports whether a failed lookup is of the network or of the server
// asked. Of the kernel's error package net leaves nothing but the text.
func isNameServers(text string) bool {
	return strings.HasSuffix(text, "server misbehaving") ||
		slices.ContainsFunc(networkErrors, func(n syscall.Errno) bool { return strings.HasSuffix(text, n.Error()) })
}

// isLocal reports whether an error that is not the network's is this machine's.
func isLocal(err error) bool {
	var lookup *net.DNSError
	return isSystem(err) || errors.As(err, &lookup)
}

// isSystem reports whether an error is the kernel's: refused, reset, no port left.
func isSystem(err error) bool {
	var number syscall.Errno
	return errors.As(err, &number)
}
