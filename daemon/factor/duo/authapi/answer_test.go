package authapi

import (
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func FuzzRead(f *testing.F) {
	for _, body := range []string{
		`{"stat":"OK","response":{"result":"allow","status":"allow","status_msg":"x"}}`,
		`{"stat":"OK","response":{"result":"waiting"}}`, `{"stat":"OK","response":{"result":null,"txid":1}}`,
		`{"stat":"FAIL","code":40103,"message":"x","message_detail":"y"}`, `{"stat":"FAIL","code":"","message":null}`,
		`<html>`, ``, `null`, `[[[[`, `{"stat":"OK","response":{"RESULT":"allow"}}`, "\x00\xff",
	} {
		f.Add(200, body, "1")
		f.Add(401, body, "Sun, 22 Nov 2026 12:00:00 GMT")
	}
	now := time.Date(2026, 11, 22, 11, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, status int, body, wait string) {
		var v verdict
		e := read(&Error{Call: "auth", Status: status}, http.Header{"Retry-After": {wait}}, []byte(body), &v, now)
		if e == nil {
			if status/100 != 2 || !strings.Contains(body, "OK") || len(body) > maxAnswer {
				t.Errorf("%d %q is an answer", status, body)
			}
			if v.Outcome != nil && *v.Outcome == OutcomeAllow && !strings.Contains(strings.ToLower(body), "allow") && !strings.Contains(body, `\u`) {
				t.Errorf("%q allows", body)
			}
			return
		}
		if e.Outage() && status/100 != 5 && e.Code/100/100 != 5 {
			t.Errorf("%d %q is an outage", status, body)
		}
		if e.Wait < 0 || e.Wait > maxWait {
			t.Errorf("waits %v", e.Wait)
		}
		for _, text := range []string{e.Error(), e.Person()} {
			if len(text) > 4096 || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				t.Errorf("%q is not for a log", text)
			}
		}
	})
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		extra, standard string
		want            time.Duration
	}{
		{"", "", 0}, {"3", "", 3 * time.Second}, {"", " 3 ", 3 * time.Second}, {"2", "9", 2 * time.Second}, {"x", "9", 9 * time.Second},
		{"", "Sun, 22 Nov 2026 12:00:05 GMT", 5 * time.Second}, {"Sun, 22 Nov 2026 12:00:05 GMT", "", 5 * time.Second},
		{"", "Sunday, 22-Nov-26 12:00:05 GMT", 5 * time.Second}, {"", "Sun, 22 Nov 2026 11:00:00 GMT", 0},
		{"", "0", 0}, {"", "-1", 0}, {"", "1.5", 0}, {"", "soon", 0}, {"", "1e9", 0}, {"", "99999999999999999999", 0},
		{"", "2147483647", maxWait}, {"", "Fri, 31 Dec 9999 23:59:59 GMT", maxWait},
	} {
		h := http.Header{}
		h.Set("X-Retry-After", tt.extra)
		h.Set("Retry-After", tt.standard)
		if got := retryAfter(h, now); got != tt.want {
			t.Errorf("%q, %q: %v, want %v", tt.extra, tt.standard, got, tt.want)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("3", "")
	f.Add("", "Sun, 22 Nov 2026 12:00:05 GMT")
	f.Add("99999999999999999999", "-1")
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, extra, standard string) {
		wait := retryAfter(http.Header{"X-Retry-After": {extra}, "Retry-After": {standard}}, now)
		if wait < 0 || wait > maxWait {
			t.Errorf("%q, %q: %v", extra, standard, wait)
		}
	})
}
