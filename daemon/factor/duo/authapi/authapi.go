// Package authapi is a client of Duo's Auth API v2: https://duo.com/docs/authapi
//
// Duo's own Go client has no contexts, and what it repeats after a 429 has an
// empty body under an old signature. This one signs every request afresh, ends
// every call with its context, never repeats what could send a second push, and
// says which of the many ways to fail it was, since what a login may do then
// depends on it.
//
// It knows nothing of rules, budgets or prompts. Text from Duo is returned as it
// came: whoever shows it strips control characters first.
package authapi

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/factord/factord/daemon/factor"
)

// Config is what [duo] says.
type Config struct {
	Ikey string // integration key
	Skey factor.Secret
	Host string // API hostname, with a port if it is not 443
	// Signature is V5 when empty.
	Signature Signature
	// CAFile has the only certificates to trust, in PEM; "": those of the system.
	CAFile string
	// Proxy is http://host:port. The environment is never asked: it belongs to
	// whoever starts the program (Duo's advisory PSA-2017-002).
	Proxy string
	// PreauthTimeout bounds what is done before anything is asked: making a
	// connection, Ping, Check and Preauth. Deadline bounds every call.
	PreauthTimeout, Deadline time.Duration
	// Now is the clock; nil: this machine's.
	Now func() time.Time
}

// Defaults of Config.
const (
	DefaultPreauthTimeout = 5 * time.Second
	DefaultDeadline       = 50 * time.Second
)

// maxCAFile bounds what is read of the trusted certificates: a whole system's
// bundle is a quarter of it.
const maxCAFile = 1 << 20

// Client talks to one Duo application. It is safe for concurrent use.
type Client struct {
	sign      signer
	host      string // as dialled: host:port
	authority string // as in the URL
	deadline  time.Duration
	preauth   time.Duration
	now       func() time.Time
	dialer    *dialer
	transport *http.Transport
	breaker   *breaker
	heard     atomic.Pointer[clockReading] // the last one
	pollPause time.Duration
	life      context.Context // until Close
	end       context.CancelFunc
	late      chan struct{} // of maxLate
}

// New checks a configuration and returns its client. Nothing is sent yet.
func New(c Config) (*Client, error) {
	if c.Ikey == "" || len(c.Skey) == 0 {
		return nil, errors.New("duo: no integration key or no secret key\nhint: [duo] needs ikey, host, and skey_file")
	}
	host, port, err := splitHost(c.Host)
	if err != nil {
		return nil, err
	}
	if c.Signature, err = c.Signature.valid(); err != nil {
		return nil, err
	}
	if c.Deadline <= 0 {
		c.Deadline = DefaultDeadline
	}
	if c.PreauthTimeout <= 0 {
		c.PreauthTimeout = DefaultPreauthTimeout
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	d := &dialer{host: host, limit: min(c.PreauthTimeout, c.Deadline)}
	if d.proxy, err = splitProxy(c.Proxy); err != nil {
		return nil, err
	}
	roots, err := readRoots(c.CAFile)
	if err != nil {
		return nil, err
	}
	d.configure(roots)
	authority := c.Host
	if port == "443" {
		authority = strings.TrimSuffix(authority, ":443")
	}
	life, end := context.WithCancel(context.Background())
	return &Client{
		sign: signer{scheme: c.Signature, ikey: c.Ikey, skey: append([]byte(nil), c.Skey...), host: host},
		host: net.JoinHostPort(host, port), authority: strings.ToLower(authority),
		deadline: c.Deadline, preauth: d.limit, now: c.Now,
		dialer: d, transport: newTransport(d), breaker: newBreaker(c.Now), pollPause: pollPause,
		life: life, end: end, late: make(chan struct{}, maxLate),
	}, nil
}

// Deadline is what a whole login may take.
func (c *Client) Deadline() time.Duration { return c.deadline }

// Close lets go of idle connections, and ends pushes and calls that are not sent yet.
// Other calls that are under way go on.
func (c *Client) Close() {
	c.end()
	c.transport.CloseIdleConnections()
}

// splitHost takes host, host:port or [address]:port.
func splitHost(s string) (host, port string, err error) {
	if host, port, err = net.SplitHostPort(s); err != nil {
		host, port = strings.Trim(s, "[]"), "443"
	}
	if _, badPort := strconv.ParseUint(port, 10, 16); badPort != nil || host == "" || strings.ContainsAny(host, "/ @?#[]") {
		return "", "", fmt.Errorf("duo: %q is not an API hostname\nhint: host is like \"api-XXXXXXXX.duosecurity.com\", without https://", s)
	}
	return strings.ToLower(host), port, nil
}

// splitProxy returns host:port of an http:// address, or "" for none.
func splitProxy(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" || u.Hostname() == "" || u.Port() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return "", errors.New("duo: the proxy is not one\nhint: write it as \"http://host:port\"")
	}
	return u.Host, nil
}

// readRoots returns nil for those of the system.
func readRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("duo: reading ca_file: %w", err)
	}
	defer f.Close()
	pem, err := io.ReadAll(io.LimitReader(f, maxCAFile+1))
	if err != nil {
		return nil, fmt.Errorf("duo: reading ca_file: %w", err)
	}
	roots := x509.NewCertPool()
	if len(pem) > maxCAFile || !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("duo: %s has no certificate in PEM, or more than %d bytes\nhint: leave ca_file out to trust what the system trusts", file, maxCAFile)
	}
	return roots, nil
}
