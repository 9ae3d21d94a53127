package duosim

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"
)

func set(t testing.TB, s *Server, f Fault, endpoint string, times int) {
	t.Helper()
	if err := s.Fault(f, endpoint, times); err != nil {
		t.Fatal(err)
	}
}

// impatient is a client that gives up at once.
func (c *client) impatient() *client {
	return &client{t: c.t, s: c.s, http: &http.Client{Transport: c.http.Transport, Timeout: 100 * time.Millisecond}}
}

func (c *client) try() (answer, error) {
	return c.send(c.request("v5", http.MethodPost, "preauth", url.Values{"username": {"alice"}}))
}

func TestFaultAnswers(t *testing.T) {
	s := Start(t, Config{Users: []User{alice()}})
	c := newClient(t, s)
	for _, test := range []struct {
		fault  Fault
		status int
		code   any
		header string // Name: value
		broken bool   // no JSON
	}{
		{"code=40301", 403, 40301.0, "", false},
		{ServerError, 500, 50001.0, "", false},
		{BadGateway, 502, nil, "", true},
		{RateLimit, 429, 42901.0, "Retry-After: ", false},
		{"429=7", 429, 42901.0, "Retry-After: 7", false},
		{"429-x=7", 429, 42901.0, "X-Retry-After: 7", false},
		{WrongSignature, 401, 40103.0, "", false},
		{WrongIKey, 401, 40102.0, "", false},
		{Garbage, 200, nil, "", true},
		{HTML, 200, nil, "Content-Type: text/html", true},
	} {
		set(t, s, test.fault, "preauth", 1)
		if a := c.get("ping"); a.Stat != "OK" {
			t.Errorf("%s at another endpoint: %+v", test.fault, a)
		}
		a, err := c.try()
		if a.HTTP != test.status || a.Code != test.code || (err != nil) != test.broken {
			t.Errorf("%s: %+v, %v", test.fault, a, err)
		}
		if name, value, some := strings.Cut(test.header, ": "); some && a.Header.Get(name) != value {
			t.Errorf("%s: %v", test.fault, a.Header)
		}
		if a, err := c.try(); err != nil || a.Stat != "OK" {
			t.Errorf("after one %s: %+v, %v", test.fault, a, err)
		}
	}
	set(t, s, "429-date=60", "", Forever)
	for range 3 {
		a, err := c.try()
		at, bad := http.ParseTime(a.Header.Get("Retry-After"))
		if err != nil || bad != nil || time.Until(at) < 50*time.Second {
			t.Errorf("%+v, %v", a, err)
		}
	}
}

func TestFaultsInOrder(t *testing.T) {
	s := Start(t, Config{Users: []User{alice()}})
	c := newClient(t, s)
	set(t, s, RateLimit, "", 2)
	set(t, s, ServerError, "", 1)
	for _, want := range []int{429, 429, 500, 200} {
		if a, err := c.try(); err != nil || a.HTTP != want {
			t.Errorf("%+v, %v, want %d", a, err, want)
		}
	}
}

func TestFaultsThatSpoil(t *testing.T) {
	s := Start(t, Config{Users: []User{alice()}})
	c := newClient(t, s)
	once := func(f Fault) answer {
		t.Helper()
		set(t, s, f, "", 1)
		return c.post("preauth", "username", "alice")
	}
	if a := once(UnknownResult); a.field("result") != "perhaps" {
		t.Errorf("%+v", a)
	}
	if a := once(UnknownFields); a.field("result") != "auth" || a.Response.(map[string]any)["of_the_future"] == nil {
		t.Errorf("%+v", a)
	}
	a := once(Escapes)
	phone := a.Response.(map[string]any)["devices"].([]any)[0].(map[string]any)
	if a.field("result") != "auth" || !strings.Contains(a.field("status_msg"), "\x1b]0;") || !strings.Contains(phone["display_name"].(string), "\x1b[2J") || strings.Contains(phone["device"].(string), "\x1b") {
		t.Errorf("%+v", a)
	}
	for fault, want := range map[Fault]any{CodeString: "40002", CodeEmpty: "", UnknownFields: 40002.0} {
		set(t, s, fault, "", 1)
		if a := c.post("preauth", "user_id", "none"); a.Code != want || a.HTTP != 400 {
			t.Errorf("%s: %+v", fault, a)
		}
	}
	txid := c.push()
	set(t, s, UnknownStatus, "auth_status", 1)
	if a := c.poll(txid); a.field("status") != "perhaps" || a.field("result") != "waiting" {
		t.Errorf("%+v", a)
	}
	set(t, s, "never-final=1ms", "", Forever)
	if err := s.Approve("alice"); err != nil {
		t.Error(err)
	}
	for range 5 {
		if a := c.poll(txid); a.field("result") != "waiting" {
			t.Errorf("%+v", a)
		}
	}
}

func TestFaultsThatCut(t *testing.T) {
	s := Start(t, Config{Users: []User{alice()}})
	c := newClient(t, s)
	set(t, s, Truncated, "preauth", 1)
	if a, err := c.try(); a.HTTP != 200 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("truncated: %+v, %v", a, err)
	}
	set(t, s, HalfResponse, "preauth", 1)
	if a, err := c.try(); err == nil || a.HTTP != 0 {
		t.Errorf("half a response: %+v, %v", a, err)
	}
	set(t, s, "huge=1000000", "preauth", 1)
	if a, err := c.try(); err != nil || len(a.field("status_msg")) != 1_000_000 {
		t.Errorf("huge: %d, %v", len(a.field("status_msg")), err)
	}
}

// Neither a connection that is open nor a new one is answered, until it is over.
func TestFaultsOfSilence(t *testing.T) {
	s := Start(t, Config{Users: []User{alice()}})
	for _, fault := range []Fault{Blackhole, TLSSilence, "slow=1h"} {
		c := newClient(t, s)
		c.get("check")
		set(t, s, fault, "", Forever)
		before := s.Handshakes()
		for range 2 {
			if a, err := c.impatient().try(); err == nil || a.HTTP != 0 {
				t.Errorf("%s: %+v", fault, a)
			}
		}
		fresh := newClient(t, s)
		if _, err := fresh.impatient().try(); err == nil {
			t.Errorf("%s: answered", fault)
		}
		if shook := s.Handshakes() > before; shook != (fault != Blackhole) {
			t.Errorf("%s: handshakes: %v", fault, shook)
		}
		if err := s.ClearFaults(); err != nil {
			t.Error(err)
		}
		if a, err := newClient(t, s).try(); err != nil || a.Stat != "OK" {
			t.Errorf("after %s: %+v, %v", fault, a, err)
		}
	}
	c := newClient(t, s)
	set(t, s, "slow=30ms", "preauth", 1)
	began := time.Now()
	if a, err := c.try(); err != nil || a.Stat != "OK" || time.Since(began) < 30*time.Millisecond {
		t.Errorf("slow: %+v, %v", a, err)
	}
}

func TestRefused(t *testing.T) {
	s := Start(t, Config{Users: []User{alice()}})
	c := newClient(t, s)
	for range 3 {
		c.get("check")
		set(t, s, Refused, "", Forever)
		set(t, s, Refused, "", Forever)
		if _, err := net.Dial("tcp4", s.Host()); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dialing: %v", err)
		}
		if a, err := c.try(); err == nil {
			t.Errorf("answered: %+v", a)
		}
		if err := s.ClearFaults(); err != nil {
			t.Fatal(err)
		}
		if a, err := c.try(); err != nil || a.Stat != "OK" {
			t.Errorf("afterwards: %+v, %v", a, err)
		}
	}
}

func TestCertificates(t *testing.T) {
	s := Start(t, Config{Users: []User{alice()}})
	c := newClient(t, s)
	c.get("check")
	for fault, is := range map[Fault]func(error) bool{
		ExpiredCert: func(err error) bool {
			var e x509.CertificateInvalidError
			return errors.As(err, &e) && e.Reason == x509.Expired
		},
		WrongNameCert: func(err error) bool { var e x509.HostnameError; return errors.As(err, &e) },
		SelfSigned:    func(err error) bool { var e x509.UnknownAuthorityError; return errors.As(err, &e) },
	} {
		set(t, s, fault, "", Forever)
		c.http.CloseIdleConnections() // the fault has ended them
		var bad *tls.CertificateVerificationError
		if _, err := c.try(); !is(err) || !errors.As(err, &bad) {
			t.Errorf("%s: %v", fault, err)
		}
		if err := s.ClearFaults(); err != nil {
			t.Error(err)
		}
		if a, err := c.try(); err != nil || a.Stat != "OK" {
			t.Errorf("after %s: %+v, %v", fault, a, err)
		}
	}
}

func TestClockSkew(t *testing.T) {
	s := Start(t, Config{Users: []User{alice()}})
	c := newClient(t, s)
	for skew, code := range map[Fault]any{"clock-skew=-312s": 40105.0, "clock-skew=312s": 40105.0, "clock-skew=200s": nil} {
		set(t, s, skew, "", Forever)
		a, err := c.try()
		if err != nil || a.Code != code {
			t.Errorf("%s: %+v, %v", skew, a, err)
		}
		said, err := http.ParseTime(a.Header.Get("Date"))
		if off := time.Since(said).Abs(); err != nil || off < 190*time.Second {
			t.Errorf("%s: the Date header is %s off", skew, off)
		}
		if err := s.ClearFaults(); err != nil {
			t.Error(err)
		}
	}
}

func TestFaultNames(t *testing.T) {
	s, err := New(Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, bad := range []Fault{"", "perhaps", "slow=fast", "garbage=1", "code", "code=12", "429-date", "clock-skew"} {
		if s.Fault(bad, "", 1) == nil {
			t.Errorf("%q is a fault", bad)
		}
	}
	if s.Fault(Refused, "auth", 1) == nil || s.Fault(Slow, "pre-auth", 1) == nil {
		t.Error("an endpoint refuses, or does not exist")
	}
}
