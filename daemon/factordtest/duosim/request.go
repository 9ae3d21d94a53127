package duosim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	maxBody = 64 << 10 // bytes of a request's body
	maxPush = 20_000   // bytes of pushinfo, not included
	maxSkew = 300 * time.Second
	// bodyTime is how long a client may take to send it.
	bodyTime = 10 * time.Second
)

// call is a request that was understood, and whose signature was good.
type call struct {
	params map[string]string
	scheme string
}

// read takes a request apart. What is wrong with the bytes is a failure of its
// own, after the signature has been looked at.
func (s *Server) read(r *http.Request, body []byte, asked []scheme) (call, *failure) {
	in := signed{method: r.Method, path: r.URL.EscapedPath(), host: r.Host, body: body, headers: r.Header}
	values, bad := in.parse(r)
	scheme, f := s.authenticate(r, &in, asked)
	if f != nil && f.code == 40103 && bad != nil && bad.code == 40106 {
		return call{}, bad // what was signed cannot be known
	}
	if f != nil {
		return call{}, f
	}
	if bad != nil {
		return call{}, bad
	}
	c := call{params: map[string]string{}, scheme: scheme}
	for name, v := range values {
		if len(v) != 1 {
			return call{}, fail(40002, name+": more than once")
		}
		c.params[name] = v[0]
	}
	return c, nil
}

// parse finds the parameters: of the query or of the body, never of both.
func (r *signed) parse(req *http.Request) (url.Values, *failure) {
	query, err := url.ParseQuery(req.URL.RawQuery)
	if err != nil {
		return nil, fail(40002, "query")
	}
	r.params = query
	if r.method != http.MethodPost {
		if len(r.body) > 0 {
			return nil, fail(40002, "a body where none belongs")
		}
		return query, valid(query)
	}
	kind, _, err := mime.ParseMediaType(req.Header.Get("Content-Type"))
	switch {
	case err == nil && kind == "application/json":
		r.json = true
		values, err := parseJSON(r.body)
		if err != nil {
			return nil, fail(40002, "body: "+err.Error())
		}
		if len(query) > 0 {
			return nil, fail(40002, "parameters in the query of a POST")
		}
		return values, valid(values)
	case err == nil && kind == "application/x-www-form-urlencoded":
		values, err := url.ParseQuery(string(r.body))
		if err != nil || len(query) > 0 {
			return nil, fail(40002, "body or query")
		}
		r.params = values
		return values, valid(values)
	}
	return nil, fail(40106, "")
}

// valid: text is UTF-8, everywhere.
func valid(v url.Values) *failure {
	for name, values := range v {
		if !utf8.ValidString(name + strings.Join(values, "")) {
			return fail(40002, "not UTF-8")
		}
	}
	return nil
}

// parseJSON reads one flat object: clients send text, some of them numbers and
// booleans too.
func parseJSON(body []byte) (url.Values, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var object map[string]any
	if err := d.Decode(&object); err != nil {
		return nil, errors.New("not a JSON object")
	}
	if d.More() || object == nil {
		return nil, errors.New("not one JSON object")
	}
	values := url.Values{}
	for name, v := range object {
		switch v := v.(type) {
		case string:
			values.Set(name, v)
		case json.Number:
			values.Set(name, v.String())
		case bool:
			values.Set(name, fmt.Sprint(v))
		default:
			return nil, fmt.Errorf("%s: neither text nor number", name)
		}
	}
	return values, nil
}

// authenticate names the scheme of a good signature.
func (s *Server) authenticate(r *http.Request, in *signed, asked []scheme) (string, *failure) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return "", fail(40101, "")
	}
	ikey, mac, ok := credentials(header)
	if !ok {
		return "", fail(40101, "Authorization is not Basic ikey:signature")
	}
	if asked == nil {
		if f := s.dated(r, in); f != nil {
			return "", f
		}
		asked = in.schemes()
	}
	if ikey != s.c.IKey {
		return "", fail(40102, "")
	}
	if in.json && !slices.ContainsFunc(asked, func(sc scheme) bool { return sc.body }) {
		return "", fail(40106, "no JSON here") // it would not be covered
	}
	name, ok := in.scheme(asked, s.SKey(), mac)
	if !ok {
		return "", fail(40103, "")
	}
	return name, nil
}

// dated takes X-Duo-Date before Date, since proxies rewrite that one.
func (s *Server) dated(r *http.Request, in *signed) *failure {
	in.date = r.Header.Get("X-Duo-Date")
	if in.date == "" {
		in.date = r.Header.Get("Date")
	}
	if in.date == "" {
		return fail(40104, "")
	}
	at, err := time.Parse(time.RFC1123Z, in.date) // which is what most send
	if err != nil {
		at, err = mail.ParseDate(in.date)
	}
	if err != nil {
		return fail(40105, "not a date of RFC 2822")
	}
	if d := at.Sub(s.time()).Abs(); d > maxSkew {
		return fail(40105, fmt.Sprintf("%d s off", int(d.Seconds())))
	}
	return nil
}

// user reads the parameters that name one: exactly one of the two. An unknown
// name is nil. Server.mu is held.
func (c call) user(s *Server) (*account, string, *failure) {
	name, byName := c.params["username"]
	id, byID := c.params["user_id"]
	switch {
	case byName && byID:
		return nil, "", fail(40002, "username, user_id: both")
	case byName && name != "":
		return s.accounts.byName[name], name, nil
	case byID && id != "":
		a := s.accounts.byID[id]
		if a == nil {
			return nil, "", fail(40002, "user_id")
		}
		return a, a.Name, nil
	}
	return nil, "", fail(40001, "username, user_id")
}

func (c call) need(name string) (string, *failure) {
	if v := c.params[name]; v != "" {
		return v, nil
	}
	return "", fail(40001, name)
}
