package ykval_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor/yubico/ykval"
	"github.com/factord/factord/daemon/factordtest/yksim"
)

const publicID = "dteffujehknh"

// site is a key, and a server that knows it.
type site struct {
	key    *yksim.Key
	server *yksim.Server
	client *ykval.Client
}

// clientOf asks servers with short patience.
func clientOf(t testing.TB, deadline time.Duration, servers ...*yksim.Server) *ykval.Client {
	c := ykval.Config{Deadline: deadline}
	for _, s := range servers {
		c.Servers = append(c.Servers, ykval.Server{URL: s.Start(t), ClientID: yksim.ClientID, APIKey: s.APIKey})
	}
	return ykval.New(c)
}

func newSite(t testing.TB) *site {
	k := yksim.NewKey(publicID)
	s := yksim.NewServer(k)
	return &site{k, s, clientOf(t, 5*time.Second, s)}
}

func TestVerify(t *testing.T) {
	s := newSite(t)
	first := s.key.OTP(19, 17)
	want := ykval.Answer{Outcome: ykval.Accepted, Counted: true, Use: 19, Session: 17}
	if got, err := s.client.Verify(t.Context(), first); err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	for _, otp := range []string{first, s.key.OTP(19, 16), s.key.OTP(18, 99)} {
		if got, err := s.client.Verify(t.Context(), otp); err != nil || got.Outcome != ykval.Replayed {
			t.Errorf("replay: %+v, %v", got, err)
		}
	}
	for _, otp := range []string{yksim.NewKey(publicID).Touch(), yksim.NewKey("vvvvvvvvvvvv").Touch()} {
		if got, err := s.client.Verify(t.Context(), otp); err != nil || got.Outcome != ykval.Wrong {
			t.Errorf("another key: %+v, %v", got, err)
		}
	}
}

func TestUncounted(t *testing.T) {
	s := newSite(t)
	c := ykval.New(ykval.Config{Servers: []ykval.Server{{URL: s.server.Start(t), ClientID: yksim.ClientID, APIKey: s.server.APIKey, Uncounted: true}}})
	if got, err := c.Verify(t.Context(), s.key.Touch()); err != nil || got != (ykval.Answer{Outcome: ykval.Accepted}) {
		t.Errorf("%+v, %v", got, err)
	}
}

// Of two servers, the one that tells the counters is heard, though it answers later.
func TestCountersLater(t *testing.T) {
	k := yksim.NewKey(publicID)
	slow, quick := yksim.NewServer(k), yksim.NewServer(k)
	answered := make(chan struct{})
	quick.Send = func(w http.ResponseWriter, _ *http.Request, body string) {
		io.WriteString(w, body)
		close(answered)
	}
	slow.Send = func(w http.ResponseWriter, _ *http.Request, body string) {
		<-answered
		io.WriteString(w, body)
	}
	c := ykval.New(ykval.Config{Deadline: 5 * time.Second, Grace: 5 * time.Second, Servers: []ykval.Server{
		{URL: slow.Start(t), ClientID: yksim.ClientID, APIKey: slow.APIKey},
		{URL: quick.Start(t), ClientID: yksim.ClientID, APIKey: quick.APIKey, Uncounted: true},
	}})
	want := ykval.Answer{Outcome: ykval.Accepted, Counted: true, Use: 3, Session: 7}
	if got, err := c.Verify(t.Context(), k.OTP(3, 7)); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
}

// send replaces the body of an answer.
func send(body func(string) string) func(http.ResponseWriter, *http.Request, string) {
	return func(w http.ResponseWriter, _ *http.Request, was string) { io.WriteString(w, body(was)) }
}

// What a server does wrong is never a yes, and never the user's fault.
func TestServerFaults(t *testing.T) {
	for name, spoil := range map[string]func(*yksim.Server){
		"unsigned":                func(s *yksim.Server) { s.Unsigned = true },
		"empty signature":         func(s *yksim.Server) { s.Unsigned = true; s.Send = send(func(b string) string { return "h=\r\n" + b }) },
		"signed with another key": func(s *yksim.Server) { s.SignKey = []byte("somebody else's key.") },
		"signed with no key":      func(s *yksim.Server) { s.SignKey = []byte{} },
		"other nonce":             func(s *yksim.Server) { s.Change = func(a map[string]string) { a["nonce"] = "0123456789abcdef" } },
		"other OTP": func(s *yksim.Server) {
			s.Change = func(a map[string]string) { a["otp"] = publicID + strings.Repeat("c", 32) }
		},
		"no nonce":         func(s *yksim.Server) { s.Change = func(a map[string]string) { delete(a, "nonce") } },
		"no OTP":           func(s *yksim.Server) { s.Change = func(a map[string]string) { delete(a, "otp") } },
		"upper-case OTP":   func(s *yksim.Server) { s.Change = func(a map[string]string) { a["otp"] = strings.ToUpper(a["otp"]) } },
		"duplicate status": func(s *yksim.Server) { s.Send = send(func(b string) string { return "status=OK\r\n" + b }) },
		"duplicate signature": func(s *yksim.Server) {
			s.Send = send(func(b string) string { return b + b[:strings.Index(b, "\n")+1] })
		},
		"unsigned extra": func(s *yksim.Server) { s.Send = send(func(b string) string { return "sl2=1\r\n" + b }) },
		"1 MB": func(s *yksim.Server) {
			s.Send = send(func(b string) string { return b + strings.Repeat("\r\n", 1<<19) })
		},
		"empty":                 func(s *yksim.Server) { s.Send = send(func(string) string { return "" }) },
		"HTML":                  func(s *yksim.Server) { s.Send = send(func(string) string { return "<html>status=OK</html>" }) },
		"half":                  func(s *yksim.Server) { s.Send = half },
		"half a body":           func(s *yksim.Server) { s.Send = send(func(b string) string { return b[:len(b)/2] }) },
		"500":                   func(s *yksim.Server) { s.Send = code(500) },
		"403":                   func(s *yksim.Server) { s.Send = code(403) },
		"redirect":              func(s *yksim.Server) { s.Send = redirect },
		"counter no number":     func(s *yksim.Server) { s.Change = func(a map[string]string) { a["sessioncounter"] = "x" } },
		"half a counter":        func(s *yksim.Server) { s.Change = func(a map[string]string) { delete(a, "sessionuse") } },
		"counter too large":     func(s *yksim.Server) { s.Change = func(a map[string]string) { a["sessionuse"] = "256" } },
		"status ok":             func(s *yksim.Server) { s.Status = "ok" },
		"status NEW_ONE":        func(s *yksim.Server) { s.Status = "NEW_ONE" },
		"BACKEND_ERROR":         func(s *yksim.Server) { s.Status = "BACKEND_ERROR" },
		"BAD_SIGNATURE":         func(s *yksim.Server) { s.Status = "BAD_SIGNATURE" },
		"NO_SUCH_CLIENT":        func(s *yksim.Server) { s.Status = "NO_SUCH_CLIENT" },
		"MISSING_PARAMETER":     func(s *yksim.Server) { s.Status = "MISSING_PARAMETER" },
		"OPERATION_NOT_ALLOWED": func(s *yksim.Server) { s.Status = "OPERATION_NOT_ALLOWED" },
		"REPLAYED_REQUEST":      func(s *yksim.Server) { s.Status = "REPLAYED_REQUEST" },
		"NOT_ENOUGH_ANSWERS":    func(s *yksim.Server) { s.Status = "NOT_ENOUGH_ANSWERS" },
		"unsigned REPLAYED_OTP": func(s *yksim.Server) { s.Status, s.Unsigned = "REPLAYED_OTP", true },
		"unsigned BAD_OTP":      func(s *yksim.Server) { s.Status, s.SignKey = "BAD_OTP", []byte{} },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			spoil(s.server)
			otp := s.key.Touch()
			got, err := s.client.Verify(t.Context(), otp)
			if err == nil || got != (ykval.Answer{}) {
				t.Fatalf("%+v, %v", got, err)
			}
			if consumed := name == "REPLAYED_REQUEST" || name == "NOT_ENOUGH_ANSWERS"; errors.Is(err, ykval.ErrConsumed) != consumed {
				t.Errorf("consumed %v: %v", !consumed, err)
			}
			if strings.Contains(err.Error(), otp) {
				t.Errorf("the OTP is in the error: %v", err)
			}
		})
	}
}

func TestStatuses(t *testing.T) {
	for status, want := range map[string]ykval.Outcome{"OK": ykval.Accepted, "REPLAYED_OTP": ykval.Replayed, "DELAYED_OTP": ykval.Replayed, "BAD_OTP": ykval.Wrong} {
		s := newSite(t)
		s.server.Status = status
		if got, err := s.client.Verify(t.Context(), s.key.Touch()); err != nil || got.Outcome != want {
			t.Errorf("%s: %+v, %v", status, got, err)
		}
	}
}

// half announces more than it sends.
func half(w http.ResponseWriter, _ *http.Request, body string) {
	w.Header().Set("Content-Length", "4000")
	io.WriteString(w, body)
}

func code(status int) func(http.ResponseWriter, *http.Request, string) {
	return func(w http.ResponseWriter, _ *http.Request, body string) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// redirect leads to a server that would say OK.
func redirect(w http.ResponseWriter, r *http.Request, body string) {
	if r.URL.Query().Get("again") != "" {
		io.WriteString(w, body)
		return
	}
	http.Redirect(w, r, r.URL.String()+"&again=1", http.StatusFound)
}

// hang keeps an answer back until the client gives up.
func hang(_ http.ResponseWriter, r *http.Request, _ string) { <-r.Context().Done() }

func TestSlow(t *testing.T) {
	s := newSite(t)
	s.server.Send = hang
	c := clientOf(t, 50*time.Millisecond, s.server)
	begun := time.Now()
	if got, err := c.Verify(t.Context(), s.key.Touch()); !errors.Is(err, context.DeadlineExceeded) || got != (ykval.Answer{}) {
		t.Errorf("%+v, %v", got, err)
	}
	if d := time.Since(begun); d > 3*time.Second {
		t.Errorf("it took %v", d)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := s.client.Verify(ctx, s.key.Touch()); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// A server that dribbles its answer is as slow as one that says nothing.
func TestDribble(t *testing.T) {
	s := newSite(t)
	s.server.Send = func(w http.ResponseWriter, r *http.Request, body string) {
		for i := range body {
			io.WriteString(w, body[i:i+1])
			w.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	c := clientOf(t, 100*time.Millisecond, s.server)
	if got, err := c.Verify(t.Context(), s.key.Touch()); err == nil {
		t.Errorf("%+v", got)
	}
}

func TestSeveralServers(t *testing.T) {
	status := func(status string) func(*yksim.Server) { return func(s *yksim.Server) { s.Status = status } }
	fine := func(*yksim.Server) {}
	slow := func(s *yksim.Server) { s.Send = hang }
	for name, test := range map[string]struct {
		one, two func(*yksim.Server)
		want     ykval.Outcome
		err      bool
	}{
		"both":                     {fine, fine, ykval.Accepted, false},
		"one is slow":              {fine, slow, ykval.Accepted, false},
		"one has an error":         {fine, status("BACKEND_ERROR"), ykval.Accepted, false},
		"one has the request":      {fine, status("REPLAYED_REQUEST"), ykval.Accepted, false},
		"one unsigned":             {fine, func(s *yksim.Server) { s.Unsigned, s.Status = true, "BAD_OTP" }, ykval.Accepted, false},
		"one has seen it":          {fine, status("REPLAYED_OTP"), ykval.Replayed, false},
		"one does not know it":     {fine, status("BAD_OTP"), ykval.Wrong, false},
		"one says no, one nothing": {slow, status("BAD_OTP"), ykval.Wrong, false},
		"neither":                  {slow, status("BACKEND_ERROR"), 0, true},
		"both have the request":    {status("REPLAYED_REQUEST"), status("REPLAYED_REQUEST"), 0, true},
		"other counter":            {fine, func(s *yksim.Server) { s.Change = func(a map[string]string) { a["sessioncounter"] = "7" } }, 0, true},
	} {
		for _, swap := range []bool{false, true} {
			k := yksim.NewKey(publicID)
			one, two := yksim.NewServer(k), yksim.NewServer(k)
			test.one(one)
			test.two(two)
			if swap {
				one, two = two, one
			}
			got, err := clientOf(t, 2*time.Second, one, two).Verify(t.Context(), k.Touch())
			if (err != nil) != test.err || err == nil && got.Outcome != test.want {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
		}
	}
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	c := ykval.New(ykval.Config{Servers: []ykval.Server{{URL: "http://" + l.Addr().String() + yksim.Path, ClientID: 1, APIKey: []byte("x")}}})
	if got, err := c.Verify(t.Context(), yksim.NewKey(publicID).Touch()); err == nil {
		t.Errorf("%+v", got)
	}
	if got, err := ykval.New(ykval.Config{}).Verify(t.Context(), "c"); err == nil {
		t.Errorf("without a server: %+v", got)
	}
}

// A server whose certificate nobody vouches for is not asked.
func TestTLS(t *testing.T) {
	k := yksim.NewKey(publicID)
	s := yksim.NewServer(k)
	web := httptest.NewUnstartedServer(s)
	web.Config.ErrorLog = log.New(io.Discard, "", 0)
	web.StartTLS()
	defer web.Close()
	server := ykval.Server{URL: web.URL + yksim.Path, ClientID: yksim.ClientID, APIKey: s.APIKey}
	if got, err := ykval.New(ykval.Config{Servers: []ykval.Server{server}}).Verify(t.Context(), k.Touch()); err == nil || s.Requests() != 0 {
		t.Errorf("%+v, and %d requests", got, s.Requests())
	}
	server.Roots = web.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	if got, err := ykval.New(ykval.Config{Servers: []ykval.Server{server}}).Verify(t.Context(), k.Touch()); err != nil || got.Outcome != ykval.Accepted {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestKeepAlive(t *testing.T) {
	k := yksim.NewKey(publicID)
	s := yksim.NewServer(k)
	var connections atomic.Int32
	web := httptest.NewUnstartedServer(s)
	web.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	web.Start()
	defer web.Close()
	c := ykval.New(ykval.Config{Servers: []ykval.Server{{URL: web.URL + yksim.Path, ClientID: yksim.ClientID, APIKey: s.APIKey}}})
	for range 5 {
		if got, err := c.Verify(t.Context(), k.Touch()); err != nil || got.Outcome != ykval.Accepted {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}
