package authapi

import (
	"context"
	"net/http"
	"time"
)

// moment is the response of Ping and Check.
type moment struct {
	Time text `json:"time"` // seconds since 1970
}

// Ping asks whether Duo is there, and its time. It needs no key:
// https://duo.com/docs/authapi#/ping
func (c *Client) Ping(ctx context.Context) (time.Time, error) {
	var m moment
	err := c.call(ctx, request{name: "ping", method: http.MethodGet, path: "/auth/v2/ping", limit: c.preauth, unsigned: true, repeatable: true, general: true}, &m)
	return at(m.Time), err
}

// CallCheck is Error.Call of Check.
const CallCheck = "check"

// Check asks whether Duo accepts the keys and this machine's clock, also while Duo is
// taken to be down:
// https://duo.com/docs/authapi#/check
func (c *Client) Check(ctx context.Context) (time.Time, error) {
	var m moment
	err := c.call(ctx, request{name: CallCheck, method: http.MethodGet, path: "/auth/v2/check", limit: c.preauth, repeatable: true, general: true, anew: true}, &m)
	return at(m.Time), err
}

// at reads seconds since 1970; what is none is the zero time.
func at(seconds text) time.Time {
	if n := seconds.number(); n > 0 {
		return time.Unix(n, 0)
	}
	return time.Time{}
}
