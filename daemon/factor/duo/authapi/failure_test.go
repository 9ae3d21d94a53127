package authapi

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"
	"unicode"
)

// Whoever is in the middle has names of any length, of any characters.
func TestErrorOfAForeignCertificate(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for range 50 {
		names = append(names, "\x1b]0;pwned\a"+strings.Repeat("a", 1000))
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: names, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	_, port, _ := net.SplitHostPort(listen(t, func(c net.Conn) { tls.Server(c, config).Handshake(); c.Close() }))
	c := client(t, Config{Host: "localhost:" + port})
	_, err = c.Preauth(t.Context(), PreauthRequest{Person: Person{Username: "alice"}})
	wantLine(t, wantKind(t, "certificate", err, Untrusted))
}

// So has a proxy.
func TestErrorOfAProxy(t *testing.T) {
	c := client(t, Config{Host: "example.com", Proxy: "http://" + listen(t, after("HTTP/1.1 200 OK\r\n\x1b[2Jevil"+strings.Repeat("\u00e4", 1500)+"\r\n\r\n"))})
	_, err := c.Preauth(t.Context(), PreauthRequest{Person: Person{Username: "alice"}})
	wantLine(t, wantKind(t, "proxy", err, Unreachable))
}

func wantLine(t *testing.T, e *Error) {
	t.Helper()
	if text := e.Error(); len(text) > 2*maxCause || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("%d bytes: %q", len(text), text)
	}
}
