package duosim

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// Every way to be wrong has Duo's code, and the HTTP status that it begins with.
func TestAuthenticationStrictness(t *testing.T) {
	now := time.Now() // the service's clock stands still, or a second ends in between
	s := Start(t, Config{Now: func() time.Time { return now }, Users: []User{alice()}})
	c := newClient(t, s)
	at := func(d time.Duration) string { return now.Add(d).UTC().Format(time.RFC1123Z) }
	signedAt := func(date string) func(*http.Request) {
		return func(r *http.Request) {
			in := signed{date: date, method: r.Method, path: r.URL.Path, host: c.s.Host(), body: []byte(`{"username":"alice"}`), headers: http.Header{}, json: true}
			r.Header.Set("Date", date)
			r.Header.Set("Authorization", basic(s.IKey(), in.mac(in.schemes()[1], s.Host(), s.SKey())))
		}
	}
	for name, test := range map[string]struct {
		spoil mistake
		code  float64
	}{
		"nothing":             {func(*http.Request) {}, 0},
		"no credentials":      {func(r *http.Request) { r.Header.Del("Authorization") }, 40101},
		"not basic":           {func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, 40101},
		"not base64":          {func(r *http.Request) { r.Header.Set("Authorization", "Basic !") }, 40101},
		"no colon":            {func(r *http.Request) { r.Header.Set("Authorization", "Basic YWJj") }, 40101},
		"other ikey":          {func(r *http.Request) { r.Header.Set("Authorization", basic("DIOTHER", strings.Repeat("0", 128))) }, 40102},
		"empty signature":     {func(r *http.Request) { r.Header.Set("Authorization", basic(s.IKey(), "")) }, 40103},
		"wrong signature":     {func(r *http.Request) { r.Header.Set("Authorization", basic(s.IKey(), strings.Repeat("0", 128))) }, 40103},
		"other query":         {func(r *http.Request) { r.URL.RawQuery = "username=bob" }, 40103},
		"added header":        {func(r *http.Request) { r.Header.Set("X-Duo-More", "1") }, 40103},
		"changed body":        {func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(`{"username":"alicf"}`)) }, 40103},
		"no date":             {func(r *http.Request) { r.Header.Del("Date") }, 40104},
		"not a date":          {func(r *http.Request) { r.Header.Set("Date", "today") }, 40105},
		"changed date":        {func(r *http.Request) { r.Header.Set("Date", at(time.Second)) }, 40103},
		"unsigned X-Duo-Date": {func(r *http.Request) { r.Header.Set("X-Duo-Date", at(0)) }, 40103},
		"299 s late":          {signedAt(at(-299 * time.Second)), 0},
		"302 s late":          {signedAt(at(-302 * time.Second)), 40105},
		"302 s early":         {signedAt(at(302 * time.Second)), 40105},
		"-0000":               {signedAt(time.Now().UTC().Format("Mon, 02 Jan 2006 15:04:05 -0000")), 0},
		"GMT":                 {signedAt(time.Now().UTC().Format(http.TimeFormat)), 0},
		"no content type":     {func(r *http.Request) { r.Header.Del("Content-Type") }, 40106},
		"content type text":   {func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 40106},
	} {
		t.Run(name, func(t *testing.T) {
			r := c.request("v5", http.MethodPost, "preauth", url.Values{"username": {"alice"}})
			test.spoil(r)
			a, err := c.send(r)
			if err != nil {
				t.Fatal(err)
			}
			if test.code == 0 {
				if a.Stat != "OK" || a.HTTP != 200 {
					t.Errorf("%+v", a)
				}
				return
			}
			if a.Stat != "FAIL" || a.Code != test.code || a.HTTP != int(test.code)/100 || a.Message == "" {
				t.Errorf("%+v, want %v", a, test.code)
			}
		})
	}
}

// A v2 signature covers no JSON, so it may not come with one.
func TestV2DoesNotSignJSON(t *testing.T) {
	s := Start(t, Config{Users: []User{alice()}})
	c := newClient(t, s)
	r := c.request("v2-sha512", http.MethodPost, "preauth", nil)
	r.Body = io.NopCloser(strings.NewReader(`{"username":"alice"}`))
	r.ContentLength = -1
	r.Header.Set("Content-Type", "application/json")
	if a, err := c.send(r); err != nil || a.Code != 40103.0 {
		t.Errorf("%+v, %v", a, err)
	}
}

// duo_unix signs X-Duo-Date and sends no Date.
func TestXDuoDate(t *testing.T) {
	s := Start(t, Config{Users: []User{alice()}})
	c := newClient(t, s)
	r := c.request("v2-sha512", http.MethodPost, "preauth", url.Values{"username": {"alice"}})
	r.Header.Set("X-Duo-Date", r.Header.Get("Date"))
	r.Header.Set("Date", "Thu, 01 Jan 1970 00:00:00 GMT") // by a proxy
	if a, err := c.send(r); err != nil || a.Stat != "OK" {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestParameterStrictness(t *testing.T) {
	s := Start(t, Config{Users: []User{alice(), {Name: "bare"}, {Name: "off", Status: Disabled}}})
	c := newClient(t, s)
	id := s.Users()[0].ID
	for _, test := range []struct {
		endpoint, params string
		code             float64
	}{
		{"preauth", "", 40001},
		{"preauth", "username=", 40001},
		{"preauth", "username=alice&user_id=" + id, 40002},
		{"preauth", "user_id=DU0", 40002},
		{"preauth", "user_id=" + id, 0},
		{"preauth", "username=al%FFice", 40002},
		{"auth", "username=alice", 40001},
		{"auth", "username=alice&factor=prompt", 40002},
		{"auth", "username=nobody&factor=passcode&passcode=1", 40002},
		{"auth", "username=alice&factor=push", 40001},
		{"auth", "username=alice&factor=push&device=DPOTHER", 40002},
		{"auth", "username=alice&factor=push&device=auto&passcode=1", 40002},
		{"auth", "username=alice&factor=push&device=auto&txid=made-up", 40002},
		{"auth", "username=alice&factor=push&device=auto&async=yes", 40002},
		{"auth", "username=alice&factor=push&device=auto&async=1&pushinfo=" + strings.Repeat("a", maxPush), 40002},
		{"auth", "username=alice&factor=push&device=auto&async=1&pushinfo=" + strings.Repeat("a", maxPush-1), 0},
		{"auth", "username=alice&factor=passcode", 40001},
		{"auth", "username=alice&factor=passcode&passcode=1&device=auto", 40002},
		{"auth", "username=bare&factor=push&device=auto", 40002}, // no device can do it
		{"enroll", "username=alice", 40002},
		{"enroll", "username=", 40002},
		{"enroll", "valid_secs=0", 40002},
		{"enroll", "bypass_codes=11", 40002},
		{"enroll_status", "user_id=x", 40001},
		{"nothing", "", 40401},
		{"ping", "", 40501},
	} {
		values, err := url.ParseQuery(test.params)
		if err != nil {
			t.Fatal(err)
		}
		a, err := c.send(c.request("v2-sha512", http.MethodPost, test.endpoint, values))
		if err != nil {
			t.Fatal(err)
		}
		if test.code == 0 && a.Stat != "OK" || test.code != 0 && (a.Code != test.code || a.HTTP != int(test.code)/100) {
			t.Errorf("%s %.80s: %+v, want %v", test.endpoint, test.params, a, test.code)
		}
	}
}

func TestRepeatedParameter(t *testing.T) {
	s := Start(t, Config{Users: []User{alice()}})
	c := newClient(t, s)
	a, err := c.send(c.request("v2-sha512", http.MethodPost, "preauth", url.Values{"username": {"alice", "bob"}}))
	if err != nil || a.Code != 40002.0 {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestLongBody(t *testing.T) {
	s := Start(t, Config{Users: []User{alice()}})
	c := newClient(t, s)
	a, err := c.send(c.request("v5", http.MethodPost, "preauth", url.Values{"username": {strings.Repeat("a", maxBody)}}))
	if err != nil || a.Code != 40002.0 {
		t.Errorf("%+v, %v", a, err)
	}
}

// ping alone needs no signature; a rotated key is a bad one.
func TestPingCheckLogo(t *testing.T) {
	s := Start(t, Config{})
	c := newClient(t, s)
	for _, endpoint := range []string{"ping", "check"} {
		r := c.request("v5", http.MethodGet, endpoint, nil)
		r.Header.Del("Authorization")
		a, err := c.send(r)
		if err != nil || (a.Stat == "OK") != (endpoint == "ping") {
			t.Errorf("unsigned %s: %+v, %v", endpoint, a, err)
		}
	}
	a := c.get("check")
	in, _ := a.Response.(map[string]any)
	if now, _ := in["time"].(float64); time.Since(time.Unix(int64(now), 0)).Abs() > time.Minute {
		t.Errorf("check: %+v", a)
	}
	resp, err := c.http.Do(c.request("v5", http.MethodGet, "logo", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || resp.Header.Get("Content-Type") != "image/png" || !strings.HasPrefix(string(b), "\x89PNG") {
		t.Errorf("logo: %v %v", resp.Header, err)
	}
	r := c.request("v5", http.MethodGet, "check", nil)
	s.RotateKey()
	if a, err := c.send(r); err != nil || a.Code != 40103.0 {
		t.Errorf("old key: %+v, %v", a, err)
	}
	if a := c.get("check"); a.Stat != "OK" {
		t.Errorf("new key: %+v", a)
	}
}
