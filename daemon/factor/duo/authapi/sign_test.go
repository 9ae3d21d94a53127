package authapi

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
)

// vector is an example that Duo published: each names the documentation or the test of Duo's own client that has it.
type vector struct {
	Name, Source, Scheme, Ikey, Skey, Method, Host, Path, Date string
	Params                                                     map[string]string
	Body                                                       *string
	Canonical, Signature, Authorization                        string
}

func vectors(t *testing.T) (all []vector) {
	t.Helper()
	data, err := os.ReadFile("testdata/signatures.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestPublishedSignatures(t *testing.T) {
	schemes := map[string]Signature{"v2-sha1": V2SHA1, "v2-sha512": V2SHA512, "v5-sha512": V5}
	tried := map[Signature]int{}
	for _, v := range vectors(t) {
		s := signer{scheme: schemes[v.Scheme], ikey: v.Ikey, skey: []byte(v.Skey), host: v.Host}
		var body []byte
		if v.Body != nil {
			body = []byte(*v.Body)
		}
		canonical := s.canonical(v.Date, v.Method, v.Path, encode(v.Params), body)
		if canonical != v.Canonical {
			t.Errorf("%s:\n got %q\nwant %q", v.Name, canonical, v.Canonical)
		}
		if got := s.authorization(canonical); got != v.Authorization {
			t.Errorf("%s: %s, want %s", v.Name, got, v.Authorization)
		}
		tried[s.scheme]++
	}
	if tried[V2SHA1] < 2 || tried[V2SHA512] < 3 || tried[V5] < 2 {
		t.Errorf("tried only %v", tried)
	}
}

// Of the characters of ASCII only RFC 3986's unreserved ones stay.
func TestEscape(t *testing.T) {
	const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
	for c := range 128 {
		s := string(rune(c))
		if got := escape(s); (got == s) != strings.Contains(unreserved, s) {
			t.Errorf("%q becomes %q", s, got)
		}
	}
	if got := escape(" +/é\x00"); got != "%20%2B%2F%C3%A9%00" {
		t.Error(got)
	}
}

// Names are compared as they are encoded: "a+" is before "a0" when decoded only.
func TestEncodeOrder(t *testing.T) {
	if got := encode(map[string]string{"b": "2", "a0": "1", "a": "", "aé": "3", "a~": "4"}); got != "a=&a%C3%A9=3&a0=1&a~=4&b=2" {
		t.Error(got)
	}
}

func TestDate(t *testing.T) {
	at := time.Date(2012, 8, 21, 19, 29, 18, 0, time.FixedZone("", 2*3600))
	if got := date(at); got != "Tue, 21 Aug 2012 17:29:18 +0000" {
		t.Error(got)
	}
}
