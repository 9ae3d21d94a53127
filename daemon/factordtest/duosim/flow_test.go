package duosim

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"
)

// until waits for a condition, not for a time.
func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("still not: %s", what)
		}
	}
}

// push starts one for alice and returns its txid.
func (c *client) push(pairs ...string) string {
	c.t.Helper()
	a := c.post("auth", append([]string{"username", "alice", "factor", "push", "device", "auto", "async", "1"}, pairs...)...)
	if a.field("txid") == "" {
		c.t.Fatalf("auth: %+v", a)
	}
	return a.field("txid")
}

func TestPushInEveryScheme(t *testing.T) {
	s := Start(t, Config{Users: []User{alice()}})
	c := newClient(t, s)
	for _, scheme := range []string{"v2-sha1", "v2-sha512", "v4", "v5"} {
		if pre := c.must(scheme, http.MethodPost, "preauth", "username", "alice"); pre.field("result") != "auth" {
			t.Fatalf("%s: preauth %+v", scheme, pre)
		}
		auth := c.must(scheme, http.MethodPost, "auth", "username", "alice", "factor", "push", "device", "auto", "async", "1",
			"ipaddr", "203.0.113.7", "pushinfo", "host=web1&command=id%20-u", "display_username", "Alice A.", "type", "SSH login")
		txid := auth.field("txid")
		p, err := s.NextPush(soon(t), "alice")
		if err != nil {
			t.Fatal(err)
		}
		if p.Txid != txid || p.Info.Get("command") != "id -u" || p.IPAddr != "203.0.113.7" || p.DisplayUsername != "Alice A." || p.Type != "SSH login" || p.DeviceName != "Pixel 5" {
			t.Errorf("%s: %+v", scheme, p)
		}
		if a := c.must(scheme, http.MethodGet, "auth_status", "txid", txid); a.field("result") != "waiting" || a.field("status") != "pushed" {
			t.Errorf("%s: first status %+v", scheme, a)
		}
		done := make(chan answer)
		go func() { done <- c.must(scheme, http.MethodGet, "auth_status", "txid", txid) }()
		until(t, "somebody polls", func() bool { return s.Waiting() == 1 })
		if err := s.Approve("alice"); err != nil {
			t.Error(err)
		}
		if a := <-done; a.field("result") != "allow" || a.field("status") != "allow" {
			t.Errorf("%s: last status %+v", scheme, a)
		}
		all := s.Requests()
		if last := all[len(all)-1]; last.Scheme != scheme {
			t.Errorf("signed with %s, recorded as %s", scheme, last.Scheme)
		}
	}
	if n := s.Connections(); n > 2 || s.Handshakes() > n {
		t.Errorf("%d connections, %d handshakes for 16 requests", n, s.Handshakes())
	}
}

// What a person can do with a push, and what becomes of it without them.
func TestPushAnswers(t *testing.T) {
	s := Start(t, Config{Users: []User{alice()}})
	c := newClient(t, s)
	for status, answer := range map[string]func(string) error{"allow": s.Approve, "deny": s.Deny, "fraud": s.Fraud} {
		txid := c.push()
		if err := answer("alice"); err != nil {
			t.Error(err)
		}
		a := c.poll(txid)
		if a.field("status") != status || a.field("result") == "waiting" {
			t.Errorf("%s: %+v", status, a)
		}
		if again := c.poll(txid); again.field("status") != status {
			t.Errorf("%s, asked again: %+v", status, again)
		}
		if err := answer("alice"); err == nil {
			t.Errorf("%s: a second answer", status)
		}
	}
}

func TestPushTimeout(t *testing.T) {
	s := Start(t, Config{Users: []User{alice()}, PushTimeout: 50 * time.Millisecond})
	c := newClient(t, s)
	txid := c.push()
	a := c.poll(txid)
	if a.field("result") == "waiting" {
		a = c.poll(txid)
	}
	if a.field("result") != "deny" || a.field("status") != "timeout" || len(s.Pending("")) != 0 {
		t.Errorf("%+v", a)
	}
	bob := alice()
	bob.Name, bob.Devices = "bob", []Device{{Type: "phone", Name: "Lost", Capabilities: []string{"push"}, Unreachable: true}}
	s.AddUser(bob)
	sync := c.post("auth", "username", "bob", "factor", "push", "device", "auto")
	if sync.field("status") != "timeout" {
		t.Errorf("unreachable: %+v", sync)
	}
}

func TestAnswersByThemselves(t *testing.T) {
	bob := alice()
	bob.Name, bob.Answer, bob.After = "bob", Denied, time.Millisecond
	s := Start(t, Config{Users: []User{alice(), bob}, Answer: Approved})
	c := newClient(t, s)
	if a := c.post("auth", "username", "alice", "factor", "auto", "device", "auto"); a.field("result") != "allow" {
		t.Errorf("alice: %+v", a)
	}
	if a := c.post("auth", "username", "bob", "factor", "phone", "device", "auto"); a.field("result") != "deny" || a.field("status") != "deny" {
		t.Errorf("bob: %+v", a)
	}
}

func TestPasscodes(t *testing.T) {
	u := alice()
	u.BypassCodes, u.LockAfter = []string{"987654321"}, 3
	s := Start(t, Config{Users: []User{u}})
	c := newClient(t, s)
	try := func(code, status string) {
		t.Helper()
		if a := c.post("auth", "username", "alice", "factor", "passcode", "passcode", code); a.field("status") != status {
			t.Errorf("%s: %+v, want %s", code, a, status)
		}
	}
	try("123456", "allow")
	try("123456", "deny") // one use
	if a := c.post("auth", "username", "alice", "factor", "sms", "device", s.Users()[0].Devices[0].ID); a.field("result") != "deny" || a.field("status") != "sent" {
		t.Errorf("sms: %+v", a)
	}
	sent := s.SentPasscodes("alice")
	if len(sent) != 10 {
		t.Fatalf("sent: %v", sent)
	}
	try(sent[3], "allow")
	try(sent[3], "deny")
	try("987654321", "bypass")
	try("987654321", "deny")
	try("1", "deny")
	try("1", "locked_out")
	if a := c.post("preauth", "username", "alice"); a.field("result") != "deny" {
		t.Errorf("locked out: %+v", a)
	}
}

func TestPreauthResults(t *testing.T) {
	s := Start(t, Config{Users: []User{{Name: "free", Status: Bypass}, {Name: "off", Status: Disabled}, {Name: "bare"}, alice()}})
	c := newClient(t, s)
	for name, want := range map[string]string{"free": "allow", "off": "deny", "bare": "enroll", "nobody": "enroll", "alice": "auth"} {
		a := c.post("preauth", "username", name)
		if a.field("result") != want || a.field("status_msg") == "" || (want == "enroll") != (a.field("enroll_portal_url") != "") {
			t.Errorf("%s: %+v", name, a)
		}
	}
	a := c.post("preauth", "username", "alice")
	devices := a.Response.(map[string]any)["devices"].([]any)
	phone, token := devices[0].(map[string]any), devices[1].(map[string]any)
	if phone["number"] != "XXX-XXX-0100" || phone["type"] != "phone" || len(phone["capabilities"].([]any)) != 5 || token["type"] != "token" || token["number"] != nil {
		t.Errorf("devices: %v", devices)
	}
	if a := c.post("auth", "username", "free", "factor", "push", "device", "auto"); a.field("status") != "bypass" {
		t.Errorf("auth of a bypassed user: %+v", a)
	}
}

// The code is for one push of one user, within a minute; without it, policy lets
// no push through.
func TestVerifiedPush(t *testing.T) {
	now := time.Now()
	s := Start(t, Config{Users: []User{alice(), {Name: "bob", Devices: []Device{Phone("b", "")}}}, VerifiedPush: true, Now: func() time.Time { return now }})
	c := newClient(t, s)
	pre := c.post("preauth", "username", "alice", "client_supports_verified_push", "1")
	code, txid := pre.field("verification_code"), pre.field("txid")
	if len(code) != 3 || txid == "" || pre.Response.(map[string]any)["expiration"] != float64(now.Add(codeTime).Unix()) {
		t.Fatalf("preauth: %+v", pre)
	}
	if a := c.post("auth", "username", "bob", "factor", "push", "device", "auto", "txid", txid); a.Code != 40002.0 {
		t.Errorf("of another user: %+v", a)
	}
	txid = c.post("preauth", "username", "alice", "client_supports_verified_push", "1").field("txid")
	pushed := c.push("txid", txid)
	if a := c.post("auth", "username", "alice", "factor", "push", "device", "auto", "txid", txid); a.Code != 40002.0 {
		t.Errorf("used twice: %+v", a)
	}
	p, err := s.NextPush(soon(t), "alice")
	if err != nil || p.Code == "" {
		t.Fatalf("%+v, %v", p, err)
	}
	if err := s.ApproveCode("alice", p.Code); err != nil {
		t.Error(err)
	}
	if a := c.poll(pushed); a.field("result") != "allow" {
		t.Errorf("approved: %+v", a)
	}
	pushed = c.push("txid", c.post("preauth", "username", "alice", "client_supports_verified_push", "1").field("txid"))
	if err := s.ApproveCode("alice", "no"); err == nil {
		t.Error("any code will do")
	}
	if a := c.poll(pushed); a.field("result") != "deny" {
		t.Errorf("wrong code: %+v", a)
	}
	if a := c.post("auth", "username", "alice", "factor", "push", "device", "auto"); a.field("result") != "deny" {
		t.Errorf("without a code: %+v", a)
	}
	plain := c.post("preauth", "username", "alice").Response.(map[string]any)["devices"].([]any)[0].(map[string]any)
	if len(plain["capabilities"].([]any)) != 3 {
		t.Errorf("a client that can't show it is offered %v", plain)
	}
}

func TestVerifiedPushExpires(t *testing.T) {
	now := time.Now()
	s := Start(t, Config{Users: []User{alice()}, VerifiedPush: true, Now: func() time.Time { return now }})
	c := newClient(t, s)
	txid := c.post("preauth", "username", "alice", "client_supports_verified_push", "1").field("txid")
	s.mu.Lock()
	now = now.Add(codeTime + time.Second)
	s.mu.Unlock()
	if a := c.post("auth", "username", "alice", "factor", "push", "device", "auto", "txid", txid); a.Code != 40002.0 {
		t.Errorf("after %s: %+v", codeTime, a)
	}
}

func TestRememberedDevice(t *testing.T) {
	s := Start(t, Config{Users: []User{alice()}, Remember: time.Hour, Answer: Approved})
	c := newClient(t, s)
	token := c.post("auth", "username", "alice", "factor", "push", "device", "auto", "ipaddr", "203.0.113.7").field("trusted_device_token")
	if token == "" {
		t.Fatal("no token")
	}
	for ip, want := range map[string]string{"203.0.113.7": "allow", "203.0.113.8": "auth"} {
		if a := c.post("preauth", "username", "alice", "ipaddr", ip, "trusted_device_token", token); a.field("result") != want {
			t.Errorf("from %s: %+v", ip, a)
		}
	}
}

func TestEnroll(t *testing.T) {
	s := Start(t, Config{Answer: Approved})
	c := newClient(t, s)
	a := c.post("enroll", "username", "carol", "valid_secs", "3600", "bypass_codes", "2")
	id, code := a.field("user_id"), a.field("activation_code")
	if id == "" || code == "" || a.field("activation_barcode") == "" || len(a.Response.(map[string]any)["bypass_codes"].([]any)) != 2 {
		t.Fatalf("%+v", a)
	}
	status := func(code string) any { return c.post("enroll_status", "user_id", id, "activation_code", code).Response }
	if status(code) != "waiting" || status("other") != "invalid" {
		t.Errorf("%v, %v", status(code), status("other"))
	}
	if a := c.post("preauth", "user_id", id); a.field("result") != "enroll" {
		t.Errorf("before: %+v", a)
	}
	if err := s.Activate(code, Phone("New", "+15555550123")); err != nil {
		t.Fatal(err)
	}
	if s.Activate(code, Phone("Again", "")) == nil || s.Activate("", Phone("", "")) == nil {
		t.Error("activated twice, or without a code")
	}
	if status(code) != "success" {
		t.Error(status(code))
	}
	if a := c.post("auth", "user_id", id, "factor", "push", "device", "auto"); a.field("result") != "allow" {
		t.Errorf("after: %+v", a)
	}
	resp, err := c.http.Get(a.field("activation_barcode"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "image/png" {
		t.Errorf("barcode: %v", resp.Status)
	}
}

func TestPollTime(t *testing.T) {
	s := Start(t, Config{Users: []User{alice()}, PollTime: time.Millisecond})
	c := newClient(t, s)
	txid := c.push()
	c.poll(txid)
	if a := c.poll(txid); a.Code != 40002.0 || a.HTTP != 400 {
		t.Errorf("%+v", a)
	}
}

// HTTP/2 is there only where it was asked for.
func TestProtocols(t *testing.T) {
	for _, two := range []bool{false, true} {
		s := Start(t, Config{Users: []User{alice()}, HTTP2: two})
		c := newClient(t, s)
		resp, err := c.http.Do(c.request("v5", http.MethodGet, "check", nil))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 200 || (resp.ProtoMajor == 2) != two {
			t.Errorf("HTTP2 %v: %s, %s", two, resp.Proto, resp.Status)
		}
		for _, fault := range []Fault{HalfResponse, Truncated} {
			set(t, s, fault, "check", 1)
			if a, err := c.send(c.request("v5", http.MethodGet, "check", nil)); err == nil {
				t.Errorf("HTTP2 %v, %s: %+v", two, fault, a)
			}
		}
	}
}

// One of several pushes can be answered; a user who is gone has none.
func TestAnswerOne(t *testing.T) {
	s := Start(t, Config{Users: []User{alice()}})
	c := newClient(t, s)
	first, second := c.push(), c.push()
	if err := s.Answer(second, Approved); err != nil {
		t.Error(err)
	}
	if err := s.Answer(second, Denied); err == nil {
		t.Error("answered twice")
	}
	if all := s.Pending("alice"); len(all) != 1 || all[0].Txid != first {
		t.Errorf("%+v", all)
	}
	if a := c.poll(second); a.field("result") != "allow" {
		t.Errorf("%+v", a)
	}
	s.RemoveUser("alice")
	if a := c.post("preauth", "username", "alice"); a.field("result") != "enroll" {
		t.Errorf("%+v", a)
	}
}

// Who hangs up is noticed, and waits no longer.
func TestClientHangsUp(t *testing.T) {
	s := Start(t, Config{Users: []User{alice()}})
	c := newClient(t, s)
	txid := c.push()
	c.poll(txid)
	ctx, cancel := context.WithCancel(context.Background())
	r := c.request("v5", http.MethodGet, "auth_status", url.Values{"txid": {txid}}).WithContext(ctx)
	done := make(chan error)
	go func() { _, err := c.send(r); done <- err }()
	until(t, "it polls", func() bool { return s.Waiting() == 1 })
	cancel()
	if err := <-done; err == nil {
		t.Error("answered")
	}
	until(t, "the poll has ended", func() bool { return s.Waiting() == 0 })
	until(t, "it is recorded", func() bool { all := s.Requests(); return all[len(all)-1].Gone })
	if _, err := s.NextPush(ctx, "bob"); err == nil {
		t.Error("a push without one")
	}
}
