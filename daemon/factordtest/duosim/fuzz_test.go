package duosim

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"unicode/utf8"
)

// Whatever is sent, nothing is heard without a signature; and what is heard after
// one is what was signed.
func FuzzRequest(f *testing.F) {
	s := &Server{c: Config{}.complete(), cleared: make(chan struct{})}
	s.skey = s.c.SKey
	f.Add(true, "", "application/json", `{"username":"alice","n":1,"b":true}`, "Basic YTpi")
	f.Add(true, "", "application/x-www-form-urlencoded", "username=al%69ce&factor=push&pushinfo=a%3Db%26c%3Dd", "")
	f.Add(false, "txid=abc&a=%20+", "", "", "Basic")
	f.Add(true, "a=b", "application/json", `{"a":{"b":[null]}}{}`, "basic Og==")
	f.Fuzz(func(t *testing.T, post bool, query, kind, body, authorization string) {
		r := httptest.NewRequest(http.MethodGet, "https://localhost:8443/auth/v2/preauth", nil)
		if post {
			r.Method = http.MethodPost
		}
		r.URL.RawQuery = query
		r.Header.Set("Content-Type", kind)
		r.Header.Set("Date", s.time().Format(http.TimeFormat))
		r.Header.Set("Authorization", authorization)
		if c, f := s.read(r, []byte(body), nil); f == nil {
			t.Fatalf("heard unsigned: %v", c.params)
		}
		in := signed{date: r.Header.Get("Date"), method: r.Method, path: r.URL.EscapedPath(), host: r.Host, body: []byte(body), headers: r.Header}
		values, bad := in.parse(r)
		if bad != nil {
			return
		}
		line := paramLine(in.params)
		if again, err := url.ParseQuery(line); err != nil || paramLine(again) != line {
			t.Fatalf("the signed line %q reads as %q", line, paramLine(again))
		}
		for _, sc := range in.schemes() {
			r.Header.Set("Authorization", basic(s.c.IKey, in.mac(sc, r.Host, s.skey)))
			c, f := s.read(r, []byte(body), nil)
			if f != nil {
				if f.code != 40002 {
					t.Fatalf("%s: signed, and %v", sc.name, f)
				}
				continue // a parameter twice
			}
			for name, v := range c.params {
				if v != values.Get(name) || !utf8.ValidString(name+v) {
					t.Fatalf("%q is heard as %q", values.Get(name), v)
				}
			}
		}
	})
}
