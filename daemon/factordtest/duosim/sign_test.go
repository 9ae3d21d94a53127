package duosim

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"testing"
)

// vector is a signature that one of Duo's own clients publishes with its tests;
// the file says which.
type vector struct {
	Name, Scheme, IKey, SKey, Method, Host, Path, Date string

	Params                              map[string]string
	Body                                *string
	Canonical, Signature, Authorization string
}

func vectors(t testing.TB) []vector {
	b, err := os.ReadFile("testdata/signatures.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func (v vector) signed() signed {
	s := signed{date: v.Date, method: http.MethodPost, path: v.Path, host: v.Host, params: url.Values{}, headers: http.Header{}}
	for name, value := range v.Params {
		s.params.Set(name, value)
	}
	if v.Body != nil {
		s.body, s.json = []byte(*v.Body), true
	}
	return s
}

func TestSignatureVectors(t *testing.T) {
	all := vectors(t)
	if len(all) != 7 {
		t.Fatalf("%d vectors", len(all))
	}
	for _, v := range all {
		t.Run(v.Name, func(t *testing.T) {
			ikey, mac, ok := credentials(v.Authorization)
			if !ok || ikey != v.IKey || mac != v.Signature {
				t.Fatalf("credentials: %q %q %v", ikey, mac, ok)
			}
			in := v.signed()
			name, ok := in.scheme(in.schemes(), v.SKey, mac)
			if want := map[string]string{"v5-sha512": "v5"}[v.Scheme]; !ok || name != v.Scheme && name != want {
				t.Fatalf("scheme %q, %v, want %s", name, ok, v.Scheme)
			}
			for _, sc := range in.schemes() {
				if sc.name == name && in.canonical(sc, v.Host) != v.Canonical {
					t.Errorf("canonical:\n%s\nwant:\n%s", in.canonical(sc, v.Host), v.Canonical)
				}
			}
			if _, ok := in.scheme(in.schemes(), v.SKey+"x", mac); ok {
				t.Error("another key signs it too")
			}
		})
	}
}

// Nothing that a signature covers can be changed under it.
func TestSignatureCoversEverything(t *testing.T) {
	changes := map[string]func(*signed){
		"date":   func(s *signed) { s.date += " " },
		"method": func(s *signed) { s.method = http.MethodGet },
		"path":   func(s *signed) { s.path += "/" },
		"host":   func(s *signed) { s.host = "other.example" },
		"params": func(s *signed) { s.params.Set("more", "") },
		"body":   func(s *signed) { s.body = append(s.body[:len(s.body):len(s.body)], ' ') },
		"header": func(s *signed) { s.headers.Set("X-Duo-New", "1") },
	}
	for _, v := range vectors(t) {
		for name, change := range changes {
			in := v.signed()
			if !in.json && (name == "body" || name == "header") {
				continue // covered as parameters, or not there in v2
			}
			change(&in)
			if scheme, ok := in.scheme(in.schemes(), v.SKey, v.Signature); ok {
				t.Errorf("%s: another %s is good as %s", v.Name, name, scheme)
			}
		}
	}
}

// A port is part of the name for some of Duo's clients and not for others.
func TestSignatureHostWithAndWithoutPort(t *testing.T) {
	v := vectors(t)[4]
	in := v.signed()
	in.host += ":8443"
	if _, ok := in.scheme(in.schemes(), v.SKey, v.Signature); !ok {
		t.Error("signed without the port")
	}
	mac := in.mac(in.schemes()[1], in.host, v.SKey)
	if _, ok := in.scheme(in.schemes(), v.SKey, mac); !ok {
		t.Error("signed with the port")
	}
	in.host = v.Host + ":8444"
	if _, ok := in.scheme(in.schemes(), v.SKey, mac); ok {
		t.Error("signed with another port")
	}
}

func TestEscape(t *testing.T) {
	if got, want := escape("aZ09-._~ +/=&%\n\u00e9*'()!"), "aZ09-._~%20%2B%2F%3D%26%25%0A%C3%A9%2A%27%28%29%21"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// Names in lower case, sorted so, each before its value, NUL between: the digests
// are those that duo_client_python's tests have (TestCanonicalize).
func TestHeaderText(t *testing.T) {
	for want, h := range map[string]http.Header{
		"630b4bfe7e9abd03da2eee8f0a5d4e60a254ec880a839bcc2223bb5b9443e8ef24d58f0254f1f5934bf8c017ebd0fd5b1acf86766bdbe74185e712a4092df3ed": {"X-Duo-Header-1": {"header_value_1"}},
		"60be11a30e0756f2ee2afdce1db849b987dcf86c1133394bd7bbbc9877920330c4d78aceacbb377ab8cbd9a8efe6a410fed4047376635ac71226ab46ca10d2b1": {"x-duo-A": {"header_value_1"}, "X-Duo-B": {"header_value_2"}},
	} {
		if got := digest([]byte(headerText(h))); got != want {
			t.Errorf("%v: %s, want %s", h, got, want)
		}
	}
	h := http.Header{"X-Duo-B": {"2"}, "x-duo-A": {"1"}, "X-Other": {"3"}}
	if got, want := headerText(h), "x-duo-a\x001\x00x-duo-b\x002"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
