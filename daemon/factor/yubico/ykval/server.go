package ykval

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Sizes of the transport.
const (
	maxHeader = 16 << 10 // bytes
	maxIdle   = 16       // connections kept
	idleTime  = 90 * time.Second
	deadAfter = 4 * time.Second // a silent HTTP/2 connection is asked whether it lives
)

// server is one server and its connections.
type server struct {
	Server
	http *http.Client
}

func newServer(s Server) *server {
	host := ""
	if u, err := url.Parse(s.URL); err == nil { // else no request is made either
		host = u.Hostname()
	}
	d := newDialer(host, s.Roots)
	return &server{Server: s, http: &http.Client{
		// An answer comes from where it was asked for, or not at all.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:            d.dial,
			DialTLSContext:         d.dialTLS,
			ForceAttemptHTTP2:      true,
			DisableCompression:     true,
			MaxIdleConnsPerHost:    maxIdle,
			IdleConnTimeout:        idleTime,
			MaxResponseHeaderBytes: maxHeader,
			HTTP2:                  &http.HTTP2Config{SendPingTimeout: deadAfter, PingTimeout: deadAfter / 2},
		},
	}}
}

// ask sends one request. Errors name the server.
func (s *server) ask(ctx context.Context, otp, nonce string) reply {
	sent := map[string]string{"id": strconv.FormatUint(uint64(s.ClientID), 10), "nonce": nonce, "otp": otp}
	if !s.Uncounted {
		sent["timestamp"] = "1"
	}
	sent["h"] = base64.StdEncoding.EncodeToString(sign(s.APIKey, sent))
	body, err := s.get(ctx, sent)
	if err != nil {
		return reply{err: fmt.Errorf("asking %s: %w", s.URL, brief(err))}
	}
	got, err := parse(body)
	if err != nil {
		return reply{err: fmt.Errorf("reading the answer of %s: %w", s.URL, err)}
	}
	answer, err := judge(s.APIKey, sent, got)
	if err != nil {
		return reply{err: fmt.Errorf("asking %s: %w", s.URL, err)}
	}
	return reply{answer: answer}
}

// get sends the parameters and returns the body of the answer.
func (s *server) get(ctx context.Context, params map[string]string) (string, error) {
	query := url.Values{}
	for key, value := range params {
		query.Set(key, value)
	}
	request, err := http.NewRequestWithContext(withAsker(ctx), http.MethodGet, s.URL+"?"+query.Encode(), nil)
	if err != nil {
		return "", err
	}
	answer, err := s.http.Do(request)
	if err != nil {
		// Its text has the whole address, and with it the OTP.
		if wrapped, ok := err.(*url.Error); ok {
			err = wrapped.Err
		}
		return "", err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("status %d", answer.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxBody+1))
	if err != nil {
		return "", err
	}
	if len(body) > maxBody {
		return "", fmt.Errorf("the answer is longer than %d bytes", maxBody)
	}
	return string(body), nil
}
