package authapi

import (
	"context"
	"net/http"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor"
)

var from = From{Addr: netip.MustParseAddr("::ffff:203.0.113.7"), Hostname: "host.example.com"}

// Every call under every signature: what is sent, and what is understood.
func TestCalls(t *testing.T) {
	tests := []struct {
		name     string
		call     func(ctx context.Context, c *Client) (any, error)
		request  string // method, path and parameters
		response string
		want     any
	}{
		{"ping", func(ctx context.Context, c *Client) (any, error) { return c.Ping(ctx) },
			"GET /auth/v2/ping ", `{"time":1357020061}`, time.Unix(1357020061, 0)},
		{"check", func(ctx context.Context, c *Client) (any, error) { return c.Check(ctx) },
			"GET /auth/v2/check ", `{"time":1357020061,"new":[{}]}`, time.Unix(1357020061, 0)},
		{"preauth", func(ctx context.Context, c *Client) (any, error) {
			return c.Preauth(ctx, PreauthRequest{Person: Person{Username: "a b+é"}, From: from, VerifiedPush: true, TrustedDeviceToken: factor.Secret("tok")})
		}, "POST /auth/v2/preauth client_supports_verified_push=1&hostname=host.example.com&ipaddr=203.0.113.7&trusted_device_token=tok&username=a%20b%2B%C3%A9",
			`{"result":"auth","status_msg":"Account is active","future":1,"txid":"T","verification_code":123,"expiration":"1357020061",
			"devices":[{"device":"DP1","type":"phone","name":"","display_name":"iOS (XXX-XXX-0100)","number":"XXX-XXX-0100","capabilities":["auto","push","hologram"]},
			{"device":"DH1","type":"token","name":"0"}]}`,
			Preauth{Decision: DecisionAuth, Message: "Account is active", TxID: "T", VerificationCode: factor.Secret("123"), Expiration: time.Unix(1357020061, 0),
				Devices: []Device{{ID: "DP1", Type: "phone", DisplayName: "iOS (XXX-XXX-0100)", Number: "XXX-XXX-0100", Capabilities: []string{"auto", "push", "hologram"}},
					{ID: "DH1", Type: "token", Name: "0"}}}},
		{"preauth by id", func(ctx context.Context, c *Client) (any, error) {
			return c.Preauth(ctx, PreauthRequest{Person: Person{Username: "x", UserID: "DU1"}})
		}, "POST /auth/v2/preauth user_id=DU1", `{"result":"enroll","status_msg":"Enroll","enroll_portal_url":"https://x/"}`,
			Preauth{Decision: DecisionEnroll, Message: "Enroll", EnrollURL: "https://x/"}},
		{"push", func(ctx context.Context, c *Client) (any, error) {
			return c.Auth(ctx, AuthRequest{Person: Person{Username: "alice"}, Method: Push, TxID: "V", Title: "Login", DisplayUsername: "Alice",
				Info: []Field{{"Server", "h&1"}, {"Command", "ls -l"}}})
		}, "POST /auth/v2/auth async=1&device=auto&display_username=Alice&factor=push&pushinfo=Server%3Dh%2526%31%26Command%3Dls%2520-l&txid=V&type=Login&username=alice",
			`{"txid":"T"}`, Verdict{Outcome: OutcomeWaiting, TxID: "T"}},
		{"phone", func(ctx context.Context, c *Client) (any, error) {
			return c.Auth(ctx, AuthRequest{Person: Person{UserID: "DU1"}, Method: Phone, Device: "DP1", Title: "ignored"})
		}, "POST /auth/v2/auth async=1&device=DP1&factor=phone&user_id=DU1", `{"txid":"T"}`, Verdict{Outcome: OutcomeWaiting, TxID: "T"}},
		{"sms", func(ctx context.Context, c *Client) (any, error) {
			return c.Auth(ctx, AuthRequest{Person: Person{Username: "alice"}, Method: SMS})
		}, "POST /auth/v2/auth device=auto&factor=sms&username=alice", `{"result":"deny","status":"sent","status_msg":"New SMS passcodes sent"}`,
			Verdict{Status: "sent", Message: "New SMS passcodes sent"}},
		{"passcode", func(ctx context.Context, c *Client) (any, error) {
			return c.Auth(ctx, AuthRequest{Person: Person{Username: "alice"}, From: from, Method: Passcode, Passcode: factor.Secret("123456"), Device: "DP1"})
		}, "POST /auth/v2/auth factor=passcode&hostname=host.example.com&ipaddr=203.0.113.7&passcode=123456&username=alice",
			`{"result":"allow","status":"allow","status_msg":"Success","trusted_device_token":"tok"}`,
			Verdict{Outcome: OutcomeAllow, Status: "allow", Message: "Success", TrustedDeviceToken: factor.Secret("tok")}},
		{"auth_status", func(ctx context.Context, c *Client) (any, error) { return c.AuthStatus(ctx, "a b") },
			"GET /auth/v2/auth_status txid=a%20b", `{"result":"waiting","status":"teleported"}`, Verdict{Outcome: OutcomeWaiting, Status: "teleported", TxID: "a b"}},
		{"enroll", func(ctx context.Context, c *Client) (any, error) { return c.Enroll(ctx, "alice", 90*time.Second) },
			"POST /auth/v2/enroll username=alice&valid_secs=90",
			`{"user_id":"DU1","username":"alice","activation_code":"duo://c","activation_barcode":"https://b","expiration":1357020061}`,
			Enrollment{UserID: "DU1", Username: "alice", Code: factor.Secret("duo://c"), Barcode: factor.Secret("https://b"), Expiration: time.Unix(1357020061, 0)}},
		{"enroll_status", func(ctx context.Context, c *Client) (any, error) {
			return c.EnrollStatus(ctx, Enrollment{UserID: "DU1", Code: factor.Secret("duo://c")})
		}, "POST /auth/v2/enroll_status activation_code=duo%3A%2F%2Fc&user_id=DU1", `"success"`, ActivationDone},
	}
	for _, tt := range tests {
		for _, signature := range []Signature{V5, V2SHA512, V2SHA1} {
			s := serve(t, signature == V5, okay(tt.response))
			c := client(t, Config{Host: s.Listener.Addr().String(), CAFile: caFile(t, s.Server), Signature: signature})
			got, err := tt.call(t.Context(), c)
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%s: %+v, %v\nwant %+v", tt.name, got, err, tt.want)
			}
			checkRequest(t, tt.name, s, c, strings.ReplaceAll(tt.request, "%31", "1"))
		}
	}
}

// checkRequest compares what came with what was meant, and its signature with one
// made from what came.
func checkRequest(t *testing.T, name string, s *server, c *Client, want string) {
	t.Helper()
	all := s.requests()
	if len(all) != 1 {
		t.Errorf("%s: %d requests", name, len(all))
		return
	}
	r := all[0]
	params := map[string]string{}
	for k, v := range r.params {
		params[k] = strings.Join(v, "|")
	}
	if got := r.method + " " + r.path + " " + encode(params); got != want {
		t.Errorf("%s:\n got %s\nwant %s", name, got, want)
	}
	if name == "ping" {
		if r.authorization != "" {
			t.Error("a ping is signed")
		}
		return
	}
	line, kind := encode(params), ""
	if r.method == http.MethodPost {
		kind = "application/x-www-form-urlencoded"
		if c.sign.scheme == V5 {
			line, kind = "", "application/json"
		}
	}
	if r.kind != kind {
		t.Errorf("%s: Content-Type %q, want %q", name, r.kind, kind)
	}
	if want := c.sign.authorization(c.sign.canonical(r.date, r.method, r.path, line, []byte(r.body))); r.authorization != want {
		t.Errorf("%s: signature %s, want %s", name, r.authorization, want)
	}
	if at, err := http.ParseTime(strings.Replace(r.date, "+0000", "GMT", 1)); err != nil || time.Since(at).Abs() > time.Minute {
		t.Errorf("%s: date %q", name, r.date)
	}
}

// What is not an answer never allows.
func TestNoAnswer(t *testing.T) {
	ask := map[string]func(*Client) error{
		"preauth": func(c *Client) error {
			p, err := c.Preauth(t.Context(), PreauthRequest{Person: Person{Username: "a"}})
			if p.Decision != DecisionDeny {
				t.Errorf("%+v", p)
			}
			return err
		},
		"auth": func(c *Client) error {
			v, err := c.Auth(t.Context(), AuthRequest{Person: Person{Username: "a"}, Method: Passcode})
			if v.Outcome != OutcomeDeny {
				t.Errorf("%+v", v)
			}
			return err
		},
		"enroll_status": func(c *Client) error {
			a, err := c.EnrollStatus(t.Context(), Enrollment{})
			if a != ActivationInvalid {
				t.Errorf("%v", a)
			}
			return err
		},
		"enroll": func(c *Client) error { _, err := c.Enroll(t.Context(), "a", 0); return err },
	}
	for _, response := range []string{``, `null`, `{}`, `[]`, `{"result":null}`, `{"result":""}`, `{"result":"ALLOW"}`, `{"result":1}`,
		`{"result":["allow"]}`, `{"result":"allow"`, `{"result":"allow"}}`, `{"result":"permit"}`} {
		s := serve(t, true, okay(response))
		c := clientOf(t, s)
		for name, f := range ask {
			wantKind(t, name+" "+response, f(c), Garbled)
		}
	}
}

func TestNew(t *testing.T) {
	good := Config{Ikey: ikey, Skey: factor.Secret(skey), Host: "API-1.example.com"}
	c, err := New(good)
	if err != nil || c.host != "api-1.example.com:443" || c.authority != "api-1.example.com" || c.sign.host != "api-1.example.com" || c.sign.scheme != V5 {
		t.Errorf("%+v, %v", c, err)
	}
	for what, change := range map[string]func(*Config){
		"no ikey":   func(c *Config) { c.Ikey = "" },
		"no skey":   func(c *Config) { c.Skey = nil },
		"no host":   func(c *Config) { c.Host = "" },
		"url":       func(c *Config) { c.Host = "https://api-1.example.com" },
		"path":      func(c *Config) { c.Host = "api-1.example.com/auth" },
		"signature": func(c *Config) { c.Signature = "v4" },
		"ca":        func(c *Config) { c.CAFile = "/dev/null" },
		"no ca":     func(c *Config) { c.CAFile = "/nonexistent" },
		"proxy":     func(c *Config) { c.Proxy = "proxy:3128" },
		"https":     func(c *Config) { c.Proxy = "https://proxy:3128" },
		"user":      func(c *Config) { c.Proxy = "http://u:p@proxy:3128" },
		"no port":   func(c *Config) { c.Proxy = "http://proxy" },
	} {
		bad := good
		change(&bad)
		if c, err := New(bad); err == nil || c != nil || strings.Contains(err.Error(), skey) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for host, want := range map[string]string{"h:443": "h", "[::1]:8443": "[::1]:8443", "H:8443": "h:8443"} {
		good.Host = host
		if c, err := New(good); err != nil || c.authority != want {
			t.Errorf("%s: %v %v", host, c, err)
		}
	}
}

// What can't be meant is not sent.
func TestNotSent(t *testing.T) {
	s := serve(t, true, okay(`{"result":"allow"}`))
	c := clientOf(t, s)
	_, err := c.Preauth(t.Context(), PreauthRequest{})
	wantKind(t, "preauth of nobody", err, Refused)
	alice := Person{Username: "alice"}
	for name, r := range map[string]AuthRequest{
		"nobody": {Method: Passcode}, "no method": {Person: alice}, "another method": {Person: alice, Method: "prompt"},
		"not UTF-8": {Person: Person{Username: "al\xffice"}, Method: Push},
		"too long":  {Person: alice, Method: Push, Info: []Field{{"Command", strings.Repeat("x", maxPushInfo)}}},
	} {
		v, err := c.Auth(t.Context(), r)
		if e := wantKind(t, name, err, Refused); e.Outage() || v.Outcome != OutcomeDeny {
			t.Errorf("%s: %+v", name, v)
		}
	}
	if n := len(s.requests()); n > 0 {
		t.Errorf("%d requests", n)
	}
}
