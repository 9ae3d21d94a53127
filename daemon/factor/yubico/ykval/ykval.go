// Package ykval asks validation servers about the OTPs of YubiKeys: the client of
// Yubico's validation protocol 2.0.
//
// TLS says which server answers, and the signature that the answer is meant for us;
// that it is about this OTP, and not an older answer sent again, only the echo of the
// OTP and of a number used once says. All of it must hold before an OK is believed.
package ykval

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// Outcome is what the servers say of an OTP. The zero value is Wrong.
type Outcome uint8

// Outcomes.
const (
	Wrong Outcome = iota
	Replayed
	Accepted
)

// Answer is a decision of the servers.
type Answer struct {
	Outcome Outcome
	// Counted: the server tells the counters of the OTP: how often the key got
	// power, and how many OTPs it has made since.
	Counted bool
	Use     uint16
	Session uint8
	Log     string // for root: what the server said
}

// Errors for which a person can do something, and others for the log.
var (
	// ErrConsumed: the servers have used the OTP up without a clear answer.
	ErrConsumed = errors.New("the OTP is used up, and not accepted")

	errUnsigned = errors.New("the answer is not signed with our API key")
	errOther    = errors.New("the answer is to something else")
	errDisagree = errors.New("the servers disagree about the counter of the OTP")
)

const (
	defaultDeadline = 8 * time.Second
	defaultGrace    = 500 * time.Millisecond
	nonceSize       = 16 // bytes; the protocol wants 16 to 40 letters and digits
)

// Server is where an OTP can be verified.
type Server struct {
	URL      string // without parameters
	ClientID uint32
	APIKey   []byte
	// Roots are whom to trust for TLS; nil: whom the system trusts.
	Roots *x509.CertPool
	// Uncounted servers are not asked for the counters of an OTP. Debian's
	// yubiserver leaves them out of its signature.
	Uncounted bool
}

// Config of a client. Zero times are replaced by defaults.
type Config struct {
	Servers []Server
	// Deadline is for everything: DNS, TCP, TLS, the answer.
	Deadline time.Duration
	// Grace is how long, after an OK, the other servers may still say no.
	Grace time.Duration
}

// Client asks all servers at once. Its connections are kept and used again.
type Client struct {
	servers         []*server
	deadline, grace time.Duration
}

// New makes a client.
func New(c Config) *Client {
	client := &Client{deadline: c.Deadline, grace: c.Grace}
	if client.deadline == 0 {
		client.deadline = defaultDeadline
	}
	if client.grace == 0 {
		client.grace = defaultGrace
	}
	for _, s := range c.Servers {
		client.servers = append(client.servers, newServer(s))
	}
	return client
}

// Verify asks about an OTP in modhex. The first no decides; a yes does when no other
// server has said no by then, or for a short while after. An error is that nothing is
// decided, and never the fault of who typed the OTP.
func (c *Client) Verify(ctx context.Context, otp string) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.deadline)
	defer cancel() // what the slower ones say is not waited for
	var random [nonceSize]byte
	rand.Read(random[:])
	nonce := hex.EncodeToString(random[:])
	replies := make(chan reply, len(c.servers))
	for _, s := range c.servers {
		go func() { replies <- s.ask(ctx, otp, nonce) }()
	}
	return c.collect(ctx, replies)
}

// reply is what came of asking one server.
type reply struct {
	answer Answer
	err    error
}

func (c *Client) collect(ctx context.Context, replies <-chan reply) (Answer, error) {
	var yes *Answer
	var grace <-chan time.Time
	failed := errors.New("no validation server has decided")
	for range c.servers {
		r, ok := next(ctx, replies, grace)
		switch {
		case !ok && yes == nil:
			return Answer{}, fmt.Errorf("%w; %w", failed, context.Cause(ctx))
		case !ok:
			return *yes, nil
		case r.err != nil:
			failed = fmt.Errorf("%w; %w", failed, r.err)
		case r.answer.Outcome != Accepted:
			return r.answer, nil
		case yes == nil:
			yes = &r.answer
			grace = time.After(c.grace)
		case !yes.Counted:
			yes = &r.answer // which may tell more
		case r.answer.Counted && *yes != r.answer:
			return Answer{}, errDisagree
		}
	}
	if yes == nil {
		return Answer{}, failed
	}
	return *yes, nil
}

// next waits for a reply, until the context or the grace ends. One that is there by
// then is taken all the same: it may be a no.
func next(ctx context.Context, replies <-chan reply, grace <-chan time.Time) (r reply, ok bool) {
	select {
	case r = <-replies:
		return r, true
	case <-grace:
	case <-ctx.Done():
	}
	select {
	case r = <-replies:
		return r, true
	default:
		return r, false
	}
}

// Close lets go of idle connections. Questions that are under way go on.
func (c *Client) Close() {
	for _, s := range c.servers {
		s.http.CloseIdleConnections()
	}
}
