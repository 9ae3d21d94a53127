package authapi

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strings"
	"time"
)

// Signature is a way to sign requests: https://duo.com/docs/authapi#authentication
type Signature string

// Signatures. All have an HMAC of the date, so that none can be used later.
const (
	V5       Signature = "v5"        // HMAC-SHA-512; JSON bodies
	V2SHA512 Signature = "v2-sha512" // form bodies
	V2SHA1   Signature = "v2-sha1"   // as the API's first documentation had it
)

func (s Signature) valid() (Signature, error) {
	switch s {
	case "":
		return V5, nil
	case V5, V2SHA512, V2SHA1:
		return s, nil
	}
	return "", fmt.Errorf("duo: unknown signature %q\nhint: write one of %q, %q, %q", s, V5, V2SHA512, V2SHA1)
}

// signer makes the Authorization header. The host it signs is the API hostname
// without a port. That is what the documentation asks for and Duo's Python client
// and duo_unix do (its Go and Node clients add the port); and with a forwarder on
// another port in between, Duo knows only its own name.
type signer struct {
	scheme Signature
	ikey   string
	skey   []byte
	host   string
}

// emptySum is the hex SHA-512 of nothing: the last line of V5 stands for headers
// that begin with X-Duo-, of which this client sends none.
var emptySum = hexSum(nil)

func hexSum(b []byte) string {
	sum := sha512.Sum512(b)
	return hex.EncodeToString(sum[:])
}

// canonical is the text that is signed. params are those of the query, and of the
// body if that is a form; body is what V5 hashes.
func (s *signer) canonical(date, method, path, params string, body []byte) string {
	lines := []string{date, strings.ToUpper(method), strings.ToLower(s.host), path, params}
	if s.scheme == V5 {
		lines = append(lines, hexSum(body), emptySum)
	}
	return strings.Join(lines, "\n")
}

func (s *signer) authorization(canonical string) string {
	algorithm := func() hash.Hash { return sha512.New() }
	if s.scheme == V2SHA1 {
		algorithm = func() hash.Hash { return sha1.New() }
	}
	mac := hmac.New(algorithm, s.skey)
	mac.Write([]byte(canonical))
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(s.ikey+":"+hex.EncodeToString(mac.Sum(nil))))
}

// date is a time as the Date header has it: RFC 2822, which Duo signs verbatim.
func date(t time.Time) string { return t.UTC().Format(time.RFC1123Z) }

// encode joins parameters sorted by their encoded names. All are of one value.
func encode(params map[string]string) string {
	escaped := make(map[string]string, len(params))
	for name, value := range params {
		escaped[escape(name)] = escape(value)
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(escaped)) {
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(name + "=" + escaped[name])
	}
	return b.String()
}

// escape is the percent-encoding of RFC 3986 with its unreserved characters left
// alone. url.QueryEscape makes a space "+", which Duo signs otherwise.
func escape(s string) string {
	const upperHex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', strings.IndexByte("-_.~", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(upperHex[c>>4])
			b.WriteByte(upperHex[c&15])
		}
	}
	return b.String()
}
