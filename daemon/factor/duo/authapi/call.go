package authapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
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
	// general: it asks the same of Duo whoever it is for, so that a server that fails at
	// it fails all. At others, it may stumble over what one user had it say.
	general bool
	// anew: it is sent even if Duo was down a moment ago, and tells others what it finds.
	anew bool
	// rings: a person hears of it, whose answer has a txid.
	rings bool
}

// call sends a request until there is an answer to it, and reads that into answer.
func (c *Client) call(parent context.Context, q request, answer any) error {
	for name, value := range q.params {
		if !utf8.ValidString(value) {
			// JSON can't carry it, and what it is replaced by may be somebody else.
			return &Error{Kind: Refused, Call: q.name, cause: fmt.Errorf("%s is not UTF-8", name)}
		}
	}
	ctx, cancel := within(parent, q.limit)
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

// within is context.WithTimeout, but that a context which ends sooner does as it is: of
// those whose pushes wait each one costs memory.
func within(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if end, ok := ctx.Deadline(); ok && time.Until(end) < limit {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, limit)
}

// admitted sends a request once, if Duo is not known to be down.
func (c *Client) admitted(ctx, parent context.Context, q request, answer any) *Error {
	if q.polling {
		err := c.once(ctx, parent, q, 0, answer)
		if err == nil {
			c.breaker.answered()
		}
		return err
	}
	admit := c.breaker.admit
	if q.anew {
		admit = c.breaker.anew
	}
	ticket, refused := admit()
	if refused != nil {
		refused.Call = q.name
		return refused
	}
	err := &Error{Kind: Ended} // a panic tells nothing of Duo
	defer func() { c.breaker.settle(ticket, err) }()
	patience := time.Duration(0)
	if q.repeatable {
		patience = c.preauth / 2
	}
	if v, ok := answer.(*verdict); ok && q.rings {
		err = c.lasting(ctx, parent, q, v)
	} else {
		err = c.once(ctx, parent, q, patience, answer)
	}
	if err != nil && err.stale {
		c.transport.CloseIdleConnections()
		err = c.once(ctx, parent, q, 0, answer)
	}
	if err != nil && (err.Kind == Silent || err.Kind == Unreachable) {
		// Connections that go nowhere look alike until they are used.
		c.transport.CloseIdleConnections()
	}
	if err != nil {
		err.alone = !q.general && (err.Kind == Broken || err.Kind == Silent)
	}
	return err
}

// once sends a request, signed for this moment.
func (c *Client) once(ctx, parent context.Context, q request, patience time.Duration, answer any) *Error {
	return c.carry(ctx, &attempt{parent: parent, began: time.Now(), patience: patience}, q, answer)
}

// carry sends a request as an attempt.
func (c *Client) carry(ctx context.Context, a *attempt, q request, answer any) *Error {
	a.ctx = ctx
	if a.patience > 0 {
		a.ctx, a.cancel = context.WithCancel(ctx)
		defer a.end()
	}
	ctx = context.WithValue(a.ctx, attemptKey{}, a)
	ctx = httptrace.WithClientTrace(ctx, a.trace())
	req, err := c.request(ctx, q)
	if err != nil {
		return &Error{Kind: Refused, Call: q.name, cause: err}
	}
	// Not http.Client: Duo does not redirect, and has no cookies.
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		return c.failed(a, q, err)
	}
	defer resp.Body.Close()
	failure := &Error{Call: q.name, Status: resp.StatusCode}
	failure.Skew, failure.SkewKnown = c.readClock(resp.Header)
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if ctx.Err() != nil {
		// Also with a whole body: a verdict for one who has gone is nobody's, and the
		// server ends its body when it sees the connection closed.
		return c.failed(a, q, ctx.Err())
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
