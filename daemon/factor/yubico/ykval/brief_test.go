package ykval_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/factord/factord/daemon/factor/yubico/ykval"
	"github.com/factord/factord/daemon/factordtest/yksim"
)

// escape is what a terminal obeys.
const escape = "\x1b]0;x\a\r\n\u202e"

// wantBrief asks a server that does everything wrong.
func wantBrief(t *testing.T, what, url string) {
	t.Helper()
	c := ykval.New(ykval.Config{Servers: []ykval.Server{{URL: url, ClientID: yksim.ClientID, APIKey: []byte("twenty bytes of key!")}}})
	_, err := c.Verify(t.Context(), yksim.NewKey(publicID).Touch())
	if err == nil {
		t.Errorf("%s: no error", what)
		return
	}
	text := err.Error()
	if len(text) > 450 { // 300 and our own words, the address among them
		t.Errorf("%s: %d bytes: %.100q", what, len(text), text)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("%s: not printable: %.200q", what, text)
	}
}

// serveTLS serves with a certificate that nobody vouches for.
func serveTLS(t *testing.T, names ...string) (url string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewUnstartedServer(http.NotFoundHandler())
	web.Config.ErrorLog = log.New(io.Discard, "", 0)
	web.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	web.StartTLS()
	t.Cleanup(web.Close)
	return web.URL + yksim.Path
}

// What a certificate says that nobody vouches for is in no log as it stands.
func TestCertificateIsQuotedInBrief(t *testing.T) {
	var names []string
	for n := range 99 {
		names = append(names, fmt.Sprintf("%s%s%d", escape[:8], strings.Repeat("a", 300), n))
	}
	wantBrief(t, "names", strings.Replace(serveTLS(t, names...), "127.0.0.1", "localhost", 1))
}

// Nor is what comes instead of an answer.
func TestAnswersAreQuotedInBrief(t *testing.T) {
	for what, sent := range map[string]string{
		"status line": strings.Repeat(escape, 500) + "\r\n",
		"header":      "HTTP/1.1 200 OK\r\n" + strings.Repeat(escape, 500) + "\r\n\r\n",
		"length":      "HTTP/1.1 200 OK\r\nContent-Length: " + strings.Repeat("\x1b[2J", 3000) + "\r\n\r\n",
		"coding":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + strings.Repeat("a", 12000) + "\r\n\r\n",
		"twice":       body(strings.Repeat("a", 3000) + "=1\n" + strings.Repeat("a", 3000) + "=2\n"),
		"status":      body("status=" + strings.Repeat("\U0010ffff\x1b", 1000)),
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				c.Read(make([]byte, 4096))
				io.WriteString(c, sent)
				c.Close()
			}
		}()
		wantBrief(t, what, "http://"+l.Addr().String()+yksim.Path)
	}
}

func body(text string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
}

// A brief error is still the one that it was.
func TestBriefErrorsAreKnown(t *testing.T) {
	s := newSite(t)
	s.server.Send = hang
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(io.ErrNoProgress)
	if _, err := s.client.Verify(ctx, s.key.Touch()); !errors.Is(err, context.Canceled) && !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("%v", err)
	}
}
