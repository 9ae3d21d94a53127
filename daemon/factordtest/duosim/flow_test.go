package duosim

import (
	"net/http"
	"testing"
)

func TestPush(t *testing.T) {
	s := Start(t, Config{Users: []User{alice()}})
	c := newClient(t, s)
	for _, scheme := range []string{"v2-sha1", "v2-sha512", "v4", "v5"} {
		pre := c.must(scheme, http.MethodPost, "preauth", "username", "alice")
		if pre.field("result") != "auth" {
			t.Fatalf("%s: preauth %+v", scheme, pre)
		}
		auth := c.must(scheme, http.MethodPost, "auth", "username", "alice", "factor", "push", "device", "auto", "async", "1",
			"ipaddr", "203.0.113.7", "pushinfo", "host=web1&command=id%20-u", "display_username", "Alice A.", "type", "SSH login")
		txid := auth.field("txid")
		if txid == "" {
			t.Fatalf("%s: auth %+v", scheme, auth)
		}
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
		for s.Waiting() == 0 {
		}
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
	if n := s.Connections(); n > 2 {
		t.Errorf("%d connections for 16 requests", n)
	}
}
