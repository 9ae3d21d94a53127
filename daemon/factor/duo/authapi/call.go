package authapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	"unicode/utf8"
)

// maxAnswer bounds what is read of an answer. The longest is Preauth's list of
// devices, a few hundred bytes each.
const maxAnswer = 128 << 10

// request is one call of the API.
type request struct {
	name     string // in errors
	method   string
	path     string
	params   map[string]string
	limit    time.Duration
	unsigned bool
	// repeatable: it does no harm to send it again when a connection breaks that
	// had been idle. Not so for what makes a telephone ring.
	repeatable bool
	// polling: it asks after what has been started, so it is sent even if Duo was
	// down a moment ago, and its failure tells nothing to others.
	polling bool
}

// attempt is one request on its way. It travels in its own context, for the dialer.
type attempt struct {
	ctx       context.Context
	connected atomic.Bool
	step      atomic.Pointer[string] // of making a connection, the last begun
	began     time.Time
}

// begins notes a step, so that a failure by time can be put down to one.
func (a *attempt) begins(step string) { a.step.Store(&step) }

// trace follows an attempt through net/http and net.
func (a *attempt) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		DNSStart:     func(i httptrace.DNSStartInfo) { a.begins("looking up " + i.Host) },
		ConnectStart: func(_, addr string) { a.begins("connecting to " + addr) },
		GotConn:      func(httptrace.GotConnInfo) { a.connected.Store(true) },
	}
}

type attemptKey struct{}

// call sends a request until there is an answer to it, and reads that into answer.
func (c *Client) call(parent context.Context, q request, answer any) error {
	for name, value := range q.params {
		if !utf8.ValidString(value) {
			// JSON can't carry it, and what it is replaced by may be somebody else.
			return &Error{Kind: Refused, Call: q.name, cause: fmt.Errorf("%s is not UTF-8", name)}
		}
	}
	ctx, cancel := context.WithTimeout(parent, q.limit)
	defer cancel()
	for retry := newBackOff(); ; {
		err := c.admitted(ctx, parent, q, answer)
		if err == nil {
			return nil
		}
		if err.Kind != Throttled {
			return err
		}
		if !retry.wait(ctx, err.Wait) {
			if parent.Err() != nil {
				return &Error{Kind: Ended, Call: q.name, cause: parent.Err()}
			}
			return err
		}
	}
}

// admitted sends a request once, if Duo is not known to be down.
func (c *Client) admitted(ctx, parent context.Context, q request, answer any) *Error {
	if q.polling {
		err := c.once(ctx, parent, q, answer)
		if err == nil {
			c.breaker.answered()
		}
		return err
	}
	ticket, refused := c.breaker.admit()
	if refused != nil {
		refused.Call = q.name
		return refused
	}
	err := c.once(ctx, parent, q, answer)
	c.breaker.settle(ticket, err)
	if err != nil && err.down() {
		// Connections that go nowhere look alike until they are used.
		c.transport.CloseIdleConnections()
	}
	return err
}

// once sends a request, signed for this moment.
func (c *Client) once(ctx, parent context.Context, q request, answer any) *Error {
	a := &attempt{began: time.Now()}
	// What is still being dialled when this returns has no one to serve.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a.ctx = ctx
	ctx = context.WithValue(ctx, attemptKey{}, a)
	ctx = httptrace.WithClientTrace(ctx, a.trace())
	req, err := c.request(ctx, q)
	if err != nil {
		return &Error{Kind: Refused, Call: q.name, cause: err}
	}
	// Not http.Client: Duo does not redirect, and has no cookies.
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		return c.failed(a, parent, q, err)
	}
	defer resp.Body.Close()
	failure := &Error{Call: q.name, Status: resp.StatusCode}
	failure.Skew, failure.SkewKnown = c.readClock(resp.Header)
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if ctx.Err() != nil {
		// Also with a whole body: a verdict for one who has gone is nobody's, and the
		// server ends its body when it sees the connection closed.
		return c.failed(a, parent, q, ctx.Err())
	}
	if err != nil {
		// What the first line said still holds: half of a 503 is a 503.
		failure.Kind, failure.cause = kindOf(resp.StatusCode), err
		return failure
	}
	return read(failure, resp.Header, body, answer, c.now().Add(-failure.Skew))
}

// request makes a request of the API's form: parameters in the query, or in a body
// that is JSON for V5 and a form before.
func (c *Client) request(ctx context.Context, q request) (*http.Request, error) {
	params, url := encode(q.params), "https://"+c.authority+q.path
	var body []byte
	kind := ""
	switch {
	case q.method == http.MethodGet && params != "":
		url += "?" + params
	case q.method == http.MethodPost && c.sign.scheme == V5:
		var err error
		if body, err = json.Marshal(q.params); err != nil {
			return nil, err
		}
		kind, params = "application/json", ""
	case q.method == http.MethodPost:
		body, kind = []byte(params), "application/x-www-form-urlencoded"
	}
	req, err := http.NewRequestWithContext(ctx, q.method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "factord")
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	if q.repeatable {
		// net/http's mark for a request that may be sent again; it is not sent.
		req.Header["Idempotency-Key"] = []string{}
	}
	if !q.unsigned {
		now := date(c.now())
		req.Header.Set("Date", now)
		req.Header.Set("Authorization", c.sign.authorization(c.sign.canonical(now, q.method, q.path, params, body)))
	}
	return req, nil
}

// fairTime is how long a connection must have been tried before its failing by a
// deadline of the caller's is put down to Duo. Without it a login drawn out to its
// last milliseconds would pass for an outage.
const fairTime = time.Second

// failed classifies a request that got no answer.
func (c *Client) failed(a *attempt, parent context.Context, q request, err error) *Error {
	if step := a.step.Load(); step != nil && !a.connected.Load() && errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%s: %w", *step, err)
	}
	e := &Error{Kind: Unreachable, Call: q.name, cause: err}
	fair := min(c.preauth, q.limit, fairTime) * 9 / 10 // the caller's timer may have started a little before ours
	expired := errors.Is(parent.Err(), context.DeadlineExceeded)
	switch {
	case errors.Is(parent.Err(), context.Canceled):
		e.Kind, e.cause = Ended, parent.Err()
	case a.connected.Load() && expired:
		e.Kind, e.cause = Ended, parent.Err()
	case a.connected.Load() && a.ctx.Err() != nil:
		e.Kind = Silent
	case expired && time.Since(a.began) < fair:
		e.Kind, e.cause = Ended, parent.Err()
	case errors.Is(err, errTLS):
		e.Kind = Untrusted
	case errors.Is(err, errProxyRefused):
		e.Kind = Refused
	case a.connected.Load() && !isNetwork(err):
		e.Kind = Garbled // what came is not HTTP
	}
	return e
}

// isNetwork reports whether an error of an established connection is the network's,
// or of a server that went away. Two of them net/http gives no name to.
func isNetwork(err error) bool {
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || isSystem(err) ||
		strings.Contains(err.Error(), "server closed idle connection") || strings.Contains(err.Error(), "client connection lost")
}

// isSystem reports whether an error is the kernel's: refused, reset, no route.
func isSystem(err error) bool {
	var number syscall.Errno
	return errors.As(err, &number)
}
