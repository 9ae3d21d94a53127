package duosim

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"testing"
	"time"
)

// client is a caller that can do everything right, and each thing wrong.
type client struct {
	t    testing.TB
	s    *Server
	http *http.Client
}

// mistake changes a request after it was signed, or what it is signed with.
type mistake func(*http.Request)

func newClient(t testing.TB, s *Server) *client {
	t.Helper()
	pem, err := os.ReadFile(s.CAFile())
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, MaxIdleConnsPerHost: 100, ForceAttemptHTTP2: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &client{t: t, s: s, http: &http.Client{Transport: tr, Timeout: 30 * time.Second}}
}

// request signs a call with one of the schemes.
func (c *client) request(scheme, method, endpoint string, params url.Values) *http.Request {
	c.t.Helper()
	r, err := http.NewRequest(method, "https://"+c.s.Host()+"/auth/v2/"+endpoint, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Date", time.Now().UTC().Format(time.RFC1123Z))
	in := signed{date: r.Header.Get("Date"), method: method, path: r.URL.Path, host: c.s.Host(), params: params, headers: http.Header{}}
	switch {
	case method == http.MethodGet:
		r.URL.RawQuery = params.Encode()
	case scheme == "v4" || scheme == "v5":
		flat := map[string]string{}
		for k := range params {
			flat[k] = params.Get(k)
		}
		in.body, _ = json.Marshal(flat)
		in.params, in.json = nil, true
		r.Header.Set("Content-Type", "application/json")
	default:
		in.body = []byte(params.Encode())
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if in.body != nil {
		r.Body = io.NopCloser(bytes.NewReader(in.body))
		r.ContentLength = int64(len(in.body))
	}
	for _, sc := range in.schemes() {
		if sc.name == scheme {
			r.Header.Set("Authorization", basic(c.s.IKey(), in.mac(sc, c.s.Host(), c.s.SKey())))
		}
	}
	return r
}

func basic(ikey, mac string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(ikey+":"+mac))
}

// answer is the envelope, and the HTTP status.
type answer struct {
	HTTP     int `json:"-"`
	Header   http.Header
	Stat     string
	Code     any
	Message  string
	Detail   string `json:"message_detail"`
	Response any
}

func (a answer) field(name string) string {
	in, _ := a.Response.(map[string]any)
	text, _ := in[name].(string)
	return text
}

func (c *client) send(r *http.Request) (answer, error) {
	resp, err := c.http.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{HTTP: resp.StatusCode}, err
	}
	a := answer{HTTP: resp.StatusCode, Header: resp.Header}
	return a, json.Unmarshal(b, &a)
}

// must makes a call that is answered.
func (c *client) must(scheme, method, endpoint string, pairs ...string) answer {
	c.t.Helper()
	params := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		params.Set(pairs[i], pairs[i+1])
	}
	a, err := c.send(c.request(scheme, method, endpoint, params))
	if err != nil {
		c.t.Fatalf("%s: %v", endpoint, err)
	}
	return a
}

func (c *client) post(endpoint string, pairs ...string) answer {
	c.t.Helper()
	return c.must("v5", http.MethodPost, endpoint, pairs...)
}

func (c *client) get(endpoint string, pairs ...string) answer {
	c.t.Helper()
	return c.must("v5", http.MethodGet, endpoint, pairs...)
}

func (c *client) poll(txid string) answer {
	c.t.Helper()
	return c.get("auth_status", "txid", txid)
}

// soon is for what has to happen without a fixed time for it.
func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func alice() User {
	return User{Name: "alice", Devices: []Device{Phone("Pixel 5", "+15555550100"), Token("Key fob")}, Passcodes: []string{"123456"}}
}
