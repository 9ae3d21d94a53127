package yksim

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sort"
	"strings"
	"sync"
	"testing"
)

// Path is where the server verifies.
const Path = "/wsapi/2.0/verify"

// ClientID is the one client that a server knows.
const ClientID = 4711

// Server is a validation server. Its fields are set before the first request, or between
// those of a client in the same process.
type Server struct {
	APIKey []byte
	// SignKey signs answers; nil: APIKey.
	SignKey []byte
	// Unsigned answers have no signature.
	Unsigned bool
	// Status is said of everything instead of what is true.
	Status string
	// Change changes an answer before it is signed.
	Change func(answer map[string]string)
	// Send sends an answer in another way.
	Send func(w http.ResponseWriter, r *http.Request, body string)

	mu       sync.Mutex
	keys     map[string]*Key
	seen     map[string]last // by public id
	requests int
}

// last is the OTP of a key that was accepted last.
type last struct {
	counter int
	nonce   string
}

// NewServer makes a server that knows some keys.
func NewServer(keys ...*Key) *Server {
	s := &Server{APIKey: []byte("twenty bytes of key!"), keys: map[string]*Key{}, seen: map[string]last{}}
	for _, k := range keys {
		s.keys[k.PublicID] = k
	}
	return s
}

// Start serves until the test ends, and returns the address to ask.
func (s *Server) Start(t testing.TB) (url string) {
	t.Helper()
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	return web.URL + Path
}

// Requests is how many there were.
func (s *Server) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// Forget lets the server forget which OTPs it has accepted.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = map[string]last{}
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet || r.URL.Path != Path {
		http.NotFound(w, r)
		return
	}
	answer, key := s.decide(r)
	answer["t"] = "2026-01-02T03:04:05Z0678"
	if s.Change != nil {
		s.Change(answer)
	}
	if s.SignKey != nil {
		key = s.SignKey
	}
	body := ""
	if !s.Unsigned {
		body = "h=" + sign(key, answer) + "\r\n"
	}
	for _, k := range sorted(answer) {
		body += k + "=" + answer[k] + "\r\n"
	}
	body += "\r\n"
	if s.Send != nil {
		s.Send(w, r, body)
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	io.WriteString(w, body)
}

// decide answers a request, and says with what key the answer is signed: with none
// as long as it is not clear who asks.
func (s *Server) decide(r *http.Request) (answer map[string]string, key []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	q := map[string]string{}
	for k, v := range r.URL.Query() {
		q[k] = v[0]
	}
	otp, nonce := strings.ToLower(q["otp"]), q["nonce"]
	switch {
	case len(otp) < 32 || len(otp) > 64 || strings.Trim(otp, modhex) != "":
		return status("BAD_OTP"), nil
	case len(nonce) < 16 || len(nonce) > 40 || q["id"] == "":
		return status("MISSING_PARAMETER"), nil
	case q["id"] != fmt.Sprint(ClientID):
		return status("NO_SUCH_CLIENT"), nil
	}
	if h, signed := q["h"]; signed {
		delete(q, "h")
		if h != sign(s.APIKey, q) {
			return status("BAD_SIGNATURE"), s.APIKey
		}
	}
	if s.Status != "" {
		answer = status(s.Status)
		answer["otp"], answer["nonce"] = otp, nonce
		return answer, s.APIKey
	}
	return s.verify(otp, nonce, q["timestamp"] == "1"), s.APIKey
}

func (s *Server) verify(otp, nonce string, counted bool) map[string]string {
	publicID, token := otp[:len(otp)-32], otp[len(otp)-32:]
	k := s.keys[publicID]
	if k == nil {
		return status("BAD_OTP")
	}
	use, session, stamp, ok := k.read(token)
	if !ok {
		return status("BAD_OTP")
	}
	answer := status("OK")
	answer["otp"], answer["nonce"], answer["sl"] = otp, nonce, "100"
	if counted {
		answer["timestamp"], answer["sessioncounter"], answer["sessionuse"] = fmt.Sprint(stamp), fmt.Sprint(use), fmt.Sprint(session)
	}
	counter := int(use)<<8 | int(session)
	before, known := s.seen[publicID]
	switch {
	case known && before.counter == counter && before.nonce == nonce:
		answer["status"] = "REPLAYED_REQUEST"
	case known && before.counter >= counter:
		answer["status"] = "REPLAYED_OTP"
	default:
		s.seen[publicID] = last{counter, nonce}
	}
	return answer
}

func status(s string) map[string]string { return map[string]string{"status": s} }

func sorted(m map[string]string) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

func sign(key []byte, params map[string]string) string {
	var pairs []string
	for _, k := range sorted(params) {
		pairs = append(pairs, k+"="+params[k])
	}
	mac := hmac.New(sha1.New, key)
	io.WriteString(mac, strings.Join(pairs, "&"))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
