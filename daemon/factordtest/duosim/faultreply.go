package duosim

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// replaces: the request is not looked at.
func (f *fault) replaces() bool {
	switch f.name {
	case Blackhole, TLSSilence, Code, ServerError, BadGateway, RateLimit, RateLimitDate, RateLimitX, WrongSignature, WrongIKey, Garbage, HTML, HugeBody, NeverFinal:
		return true
	}
	return false
}

// pause is what a fault does before anything else. False: this connection is
// dead.
func (s *Server) pause(ctx context.Context, f *fault) bool {
	var enough <-chan time.Time
	switch f.name {
	case Slow, NeverFinal:
		timer := time.NewTimer(f.wait)
		defer timer.Stop()
		enough = timer.C
	case Blackhole, TLSSilence:
	default:
		return true
	}
	s.mu.Lock()
	cleared := s.cleared
	s.mu.Unlock()
	select {
	case <-enough:
		return true
	case <-cleared:
		return enough != nil
	case <-ctx.Done():
	case <-s.done:
	}
	return false
}

// instead is the answer of a fault that replaces it.
func (f *fault) instead(now time.Time) reply {
	plain := func(status int, kind, text string) reply { return reply{status: status, kind: kind, raw: []byte(text)} }
	switch f.name {
	case Code:
		return fail(f.number, "").reply()
	case BadGateway:
		return plain(http.StatusBadGateway, "text/html", "<html><body><h1>502 Bad Gateway</h1></body></html>\r\n")
	case RateLimit, RateLimitDate, RateLimitX:
		r := fail(42901, "").reply()
		r.headers = f.retryAfter(now)
		return r
	case WrongSignature:
		return fail(40103, "").reply()
	case WrongIKey:
		return fail(40102, "").reply()
	case Garbage:
		return plain(http.StatusOK, "application/json", "\x00\xff{\"stat\": \"OK\", \"response\": {\"result\": \"allow\"\x80")
	case HTML:
		return plain(http.StatusOK, "text/html", "<html><body>Please log in to the guest network</body></html>")
	case HugeBody:
		return reply{status: http.StatusOK, kind: "application/json", stream: f.number}
	case NeverFinal:
		return ok(fields{"result": "waiting", "status": "pushed", "status_msg": "Pushed a login request to your device..."})
	}
	return fail(50001, "").reply()
}

func (f *fault) retryAfter(now time.Time) map[string]string {
	switch {
	case f.name == RateLimitDate:
		return map[string]string{"Retry-After": now.Add(time.Duration(f.number) * time.Second).UTC().Format(http.TimeFormat)}
	case f.name == RateLimitX:
		return map[string]string{"X-Retry-After": strconv.Itoa(f.number)}
	case f.told:
		return map[string]string{"Retry-After": strconv.Itoa(f.number)}
	}
	return nil
}

// spoil changes the right answer.
func (f *fault) spoil(r reply) reply {
	if r.envelope == nil {
		return r
	}
	e := r.envelope
	switch f.name {
	case Escapes:
		r.envelope = walk("", e, escaped).(fields)
	case UnknownFields:
		r.envelope = walk("", e, widened).(fields)
	case CodeString:
		if code, has := e["code"]; has {
			e["code"] = fmt.Sprint(code)
		}
	case CodeEmpty:
		if _, has := e["code"]; has {
			e["code"] = ""
		}
	case UnknownResult, UnknownStatus:
		word := strings.TrimPrefix(string(f.name), "unknown-")
		if in, isObject := e["response"].(fields); isObject && in[word] != nil {
			in[word] = "perhaps"
		}
	}
	return r
}

// walk rebuilds a value from the inside.
func walk(name string, v any, change func(name string, v any) any) any {
	switch v := v.(type) {
	case fields:
		out := fields{}
		for k, inner := range v {
			out[k] = walk(k, inner, change)
		}
		return change(name, out)
	case []fields:
		out := make([]fields, len(v))
		for i := range v {
			out[i] = walk(name, v[i], change).(fields)
		}
		return out
	}
	return change(name, v)
}

// escaped is text as an attacker would like a terminal to have it: a window
// title, a cleared screen, a bell, C1 and a line of its own. Words of the
// protocol stay.
func escaped(name string, v any) any {
	text, isText := v.(string)
	if !isText || word(name, text) {
		return v
	}
	return "\x1b]0;owned\x07\x1b[2J\x1b[1;1H\u009b31m" + text + "\r\nroot# \x08\x7f\u202e"
}

// word says whether clients compare this text instead of showing it.
func word(name, text string) bool {
	switch name {
	case "stat", "result", "type", "txid", "device", "user_id", "trusted_device_token", "default":
		return true
	case "status", "response": // a sentence in the legacy API
		return !strings.Contains(text, " ")
	}
	_, err := strconv.Atoi(name) // an entry of the legacy API's menu
	return err == nil
}

func widened(_ string, v any) any {
	if object, is := v.(fields); is {
		object["of_the_future"] = fields{"list": []string{"a", "b"}, "number": 1.5, "nothing": nil}
	}
	return v
}

// cut sends a part of the answer and drops the connection.
func (f *fault) cut(w http.ResponseWriter, r reply) {
	switch f.name {
	case Truncated:
		b := r.bytes()
		w.Header().Set("Content-Type", r.kind)
		w.Header().Set("Content-Length", strconv.Itoa(len(b)))
		w.WriteHeader(r.status)
		w.Write(b[:len(b)/2])
		http.NewResponseController(w).Flush()
	case HalfResponse:
		if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
			io.WriteString(c, "HTTP/1.1 20")
			c.Close()
		}
	default:
		return
	}
	panic(http.ErrAbortHandler) // net/http's way to end a connection
}

// pour writes a body that is JSON as far as anyone will read it.
func pour(w io.Writer, size int) {
	chunk := []byte(strings.Repeat("A", 32<<10))
	if _, err := io.WriteString(w, `{"stat":"OK","response":{"result":"auth","status_msg":"`); err != nil {
		return
	}
	for ; size > 0; size -= len(chunk) {
		if _, err := w.Write(chunk[:min(size, len(chunk))]); err != nil {
			return
		}
	}
	io.WriteString(w, `"}}`)
}
