package duosim

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// signed is what a signature covers.
type signed struct {
	date, method, path string
	host               string // as the client named it, with or without port
	params             url.Values
	body               []byte
	headers            http.Header
	json               bool // the parameters are in a JSON body
}

// scheme is one of Duo's ways to sign.
type scheme struct {
	name string
	hash func() hash.Hash
	// body: the canonical text has a line with the body's hash (v4), and headers:
	// another with that of the X-Duo- headers (v5).
	body, headers bool
	undated       bool // v1: no date, so what was heard once can be said again
}

// Form bodies are covered as parameters, JSON bodies by their hash alone: a v2
// signature over a JSON body would cover nothing of it.
func (r signed) schemes() []scheme {
	v2 := []scheme{{name: "v2-sha1", hash: sha1.New}, {name: "v2-sha512", hash: sha512.New}}
	later := []scheme{{name: "v5", hash: sha512.New, body: true, headers: true}, {name: "v4", hash: sha512.New, body: true}}
	switch {
	case r.json:
		return later
	case r.method == http.MethodGet:
		return append(later, v2...)
	}
	return v2
}

// scheme finds the one that mac was made with.
func (r signed) scheme(among []scheme, skey, mac string) (string, bool) {
	hosts := []string{r.host}
	if bare, _, err := net.SplitHostPort(r.host); err == nil {
		hosts = append(hosts, bare)
	}
	for _, sc := range among {
		if len(mac) != hex.EncodedLen(sc.hash().Size()) {
			continue
		}
		for _, host := range hosts {
			if hmac.Equal([]byte(mac), []byte(r.mac(sc, host, skey))) {
				return sc.name, true
			}
		}
	}
	return "", false
}

func (r signed) mac(sc scheme, host, skey string) string {
	h := hmac.New(sc.hash, []byte(skey))
	h.Write([]byte(r.canonical(sc, host)))
	return hex.EncodeToString(h.Sum(nil))
}

// canonical is the text that is signed: lines without one at the end.
func (r signed) canonical(sc scheme, host string) string {
	lines := []string{r.date, strings.ToUpper(r.method), strings.ToLower(host), r.path, paramLine(r.params)}
	if sc.undated {
		lines = lines[1:]
	}
	if sc.body {
		lines = append(lines, digest(r.body))
	}
	if sc.headers {
		lines = append(lines, digest([]byte(headerText(r.headers))))
	}
	return strings.Join(lines, "\n")
}

func digest(b []byte) string {
	sum := sha512.Sum512(b)
	return hex.EncodeToString(sum[:])
}

// paramLine is sorted by encoded name, then by encoded value.
func paramLine(v url.Values) string {
	type pair struct{ name, value string }
	var pairs []pair
	for name, values := range v {
		for _, value := range values {
			pairs = append(pairs, pair{escape(name), escape(value)})
		}
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return strings.Compare(a.value, b.value)
	})
	parts := make([]string, len(pairs))
	for i, p := range pairs {
		parts[i] = p.name + "=" + p.value
	}
	return strings.Join(parts, "&")
}

// escape is RFC 3986's: everything but its unreserved characters, in upper case.
func escape(s string) string {
	const hexits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hexits[c>>4])
			b.WriteByte(hexits[c&15])
		}
	}
	return b.String()
}

// headerText joins names and values of the X-Duo- headers, names in lower case
// and sorted, all separated by NUL.
func headerText(h http.Header) string {
	var names []string
	for name := range h {
		if strings.HasPrefix(strings.ToLower(name), "x-duo-") {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
	var parts []string
	for _, name := range names {
		for _, value := range h[name] {
			parts = append(parts, strings.ToLower(name), value)
		}
	}
	return strings.Join(parts, "\x00")
}

// credentials reads an Authorization header: Basic base64(ikey:mac).
func credentials(header string) (ikey, mac string, ok bool) {
	kind, rest, _ := strings.Cut(header, " ")
	if !strings.EqualFold(kind, "Basic") {
		return "", "", false
	}
	b, err := base64.StdEncoding.Strict().DecodeString(rest)
	if err != nil {
		return "", "", false
	}
	return strings.Cut(string(b), ":")
}
