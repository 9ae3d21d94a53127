package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factordtest/duosim"
)

// screen is what a person at the command sees.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// await waits until text is on the screen so many times.
func (s *screen) await(t *testing.T, text string, times int) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); strings.Count(s.String(), text) < times; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%q is not there %d times:\n%s", text, times, s)
		}
	}
}

// phone is a client configured with nothing but what is on the screen.
type phone struct {
	t                *testing.T
	ikey, skey, host string
	http             *http.Client
}

func (s *screen) phone(t *testing.T) phone {
	value := func(key string) string {
		m := regexp.MustCompile(`(?m)^` + key + ` = "(.*)"$`).FindStringSubmatch(s.String())
		if m == nil {
			t.Fatalf("no %s:\n%s", key, s)
		}
		return m[1]
	}
	pem, err := os.ReadFile(value("ca_file"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	t.Cleanup(tr.CloseIdleConnections)
	return phone{t, value("ikey"), value("skey"), value("host"), &http.Client{Transport: tr, Timeout: 20 * time.Second}}
}

// post makes a call and returns its response.
func (p phone) post(endpoint string, params url.Values) map[string]any {
	p.t.Helper()
	r, err := http.NewRequest("POST", "https://"+p.host+"/auth/v2/"+endpoint, strings.NewReader(params.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	date := time.Now().UTC().Format(http.TimeFormat)
	h := hmac.New(sha1.New, []byte(p.skey))
	io.WriteString(h, strings.Join([]string{date, "POST", p.host, "/auth/v2/" + endpoint, strings.ReplaceAll(params.Encode(), "+", "%20")}, "\n"))
	r.SetBasicAuth(p.ikey, hex.EncodeToString(h.Sum(nil)))
	r.Header.Set("Date", date)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := p.http.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	var out struct{ Response map[string]any }
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		p.t.Fatal(err)
	}
	return out.Response
}

// desktop runs the command and returns its keyboard.
func desktop(t *testing.T, args ...string) (*screen, func(string)) {
	t.Helper()
	o, err := parse(append(args, "--dir", t.TempDir()+"/new", "--listen", "localhost:0"), io.Discard, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	in, keys := io.Pipe()
	x, end, done := &screen{}, make(chan os.Signal, 1), make(chan error)
	go func() { done <- run(o, in, x, end) }()
	t.Cleanup(func() {
		end <- os.Interrupt
		keys.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	x.await(t, "# Pushes", 1)
	return x, func(line string) { io.WriteString(keys, line+"\n") }
}

func TestDesk(t *testing.T) {
	x, press := desktop(t, "--user", "alice", "--user", "bob", "--passcode", "654321")
	p := x.phone(t)
	answers := make(chan map[string]any)
	for i, test := range []struct{ line, status string }{{"y", "allow"}, {"n bob", "deny"}, {"f", "fraud"}} {
		go func() {
			answers <- p.post("auth", url.Values{"username": {"bob"}, "factor": {"push"}, "device": {"auto"}, "pushinfo": {"command=\x1b[2Jid%20-u&host=web1"}})
		}()
		x.await(t, "push to bob on Phone: command [2Jid -u, host web1\ny, n or f?", i+1)
		press(test.line)
		if a := <-answers; a["status"] != test.status {
			t.Errorf("%s: %v", test.line, a)
		}
	}
	press("y")
	x.await(t, "nothing is pending", 1)
	press("perhaps")
	x.await(t, "clear, who or quit?", 1)
	press("fault")
	x.await(t, "blackhole", 1)
	press("fault perhaps")
	x.await(t, `no fault is called "perhaps"`, 1)
	press("fault unknown-result preauth 1")
	press("who")
	x.await(t, "alice: 1 devices", 1)
	if a := p.post("preauth", url.Values{"username": {"alice"}}); a["result"] != "perhaps" {
		t.Errorf("%v", a)
	}
	if a := p.post("auth", url.Values{"username": {"alice"}, "factor": {"passcode"}, "passcode": {"654321"}}); a["result"] != "allow" {
		t.Errorf("%v", a)
	}
	enrolled := p.post("enroll", url.Values{"username": {"carol"}})
	press("activate " + enrolled["activation_code"].(string))
	press("who")
	x.await(t, "carol: 1 devices", 1)
	if strings.ContainsAny(x.String(), "\x1b\x07") {
		t.Errorf("control characters on the screen: %q", x)
	}
}

func TestDeskVerifiedPush(t *testing.T) {
	x, press := desktop(t, "--verified-push")
	p := x.phone(t)
	pre := p.post("preauth", url.Values{"username": {"alice"}, "client_supports_verified_push": {"1"}})
	answers := make(chan map[string]any)
	go func() {
		answers <- p.post("auth", url.Values{"username": {"alice"}, "factor": {"push"}, "device": {"auto"}, "txid": {pre["txid"].(string)}})
	}()
	x.await(t, "code CODE", 1)
	press("y")
	x.await(t, "this push wants its code", 1)
	press("code " + pre["verification_code"].(string))
	if a := <-answers; a["result"] != "allow" {
		t.Errorf("%v", a)
	}
}

func TestDeskByItself(t *testing.T) {
	x, press := desktop(t, "--approve", "0s", "--fault", "slow=1ms preauth 1")
	if a := x.phone(t).post("auth", url.Values{"username": {"alice"}, "factor": {"push"}, "device": {"auto"}}); a["result"] != "allow" {
		t.Errorf("%v", a)
	}
	x.await(t, "push to alice", 1)
	press("quit")
}

// Whoever does not know what to type is told, at the terminal too.
func TestDeskHelps(t *testing.T) {
	x, press := desktop(t)
	for line, want := range map[string]string{
		"help": "activate CODE      be the phone", "-h": "fault NAME[=X] [ENDPOINT] [TIMES]", "activate": "activate CODE: what is in the QR code, duo://",
		"fault -h": "clock-skew        =DURATION (-312s, say): Duo's clock is off by so much", "code": "code CODE: the digits that the client shows",
	} {
		press(line)
		x.await(t, want, 1)
	}
	x.await(t, `factors = ["duo", "backup"]`, 1) // what it prints is all that is needed
	for _, f := range duosim.Faults() {
		if faultTexts()[f] == "" {
			t.Errorf("%q is not explained", f)
		}
	}
	if len(faultTexts()) != len(duosim.Faults()) {
		t.Error("more is explained than there is")
	}
	var complaints strings.Builder
	if _, err := parse([]string{"--dir", "x", "activate", "duo://x"}, io.Discard, &complaints); err == nil || !strings.Contains(complaints.String(), "hint: start duosim with --dir, then type it there") {
		t.Errorf("on the command line: %s", complaints.String())
	}
}

func TestUsage(t *testing.T) {
	var out, complaints strings.Builder
	if _, err := parse([]string{"-h"}, &out, &complaints); !errors.Is(err, flag.ErrHelp) || !strings.Contains(out.String(), "--approve AFTER") || complaints.Len() > 0 {
		t.Errorf("%v\n%s%s", err, &out, &complaints)
	}
	for _, args := range [][]string{{}, {"--dir", "x", "more"}, {"--perhaps"}, {"--dir", "x", "--approve", "soon"}} {
		if _, err := parse(args, &out, &complaints); !errors.Is(err, errUsage) {
			t.Errorf("%q: %v", args, err)
		}
	}
	if !strings.Contains(complaints.String(), "hint: ") {
		t.Error(complaints.String())
	}
}
