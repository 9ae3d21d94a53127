package duosim

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"strings"
	"time"
)

// handler answers a call that was authenticated. Nothing but its context ends a
// long wait in it.
type handler func(*Server, context.Context, call) (any, *failure)

// route is one endpoint.
type route struct {
	method   string
	schemes  []scheme // of its signature; nil: what fits the request
	bson     bool
	unsigned bool
	handle   handler
}

// routes of Auth API v2, by the last part of the path.
func routes() map[string]route {
	return map[string]route{
		"ping":          {method: http.MethodGet, unsigned: true, handle: (*Server).ping},
		"check":         {method: http.MethodGet, handle: (*Server).ping},
		"logo":          {method: http.MethodGet, handle: (*Server).logo},
		"enroll":        {method: http.MethodPost, handle: (*Server).enroll},
		"enroll_status": {method: http.MethodPost, handle: (*Server).enrollStatus},
		"preauth":       {method: http.MethodPost, handle: (*Server).preauth},
		"auth":          {method: http.MethodPost, handle: (*Server).auth},
		"auth_status":   {method: http.MethodGet, handle: (*Server).authStatus},
	}
}

func (s *Server) newHTTP() *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(s.c.HTTP2)
	v2 := routes()
	mux := http.NewServeMux()
	mux.HandleFunc("/auth/v2/", func(w http.ResponseWriter, r *http.Request) {
		s.serve(w, r, strings.TrimPrefix(r.URL.Path, "/auth/v2/"), v2)
	})
	v1 := legacyRoutes()
	mux.HandleFunc("/rest/v1/", func(w http.ResponseWriter, r *http.Request) {
		s.serve(w, r, legacyName(r.URL.Path), v1)
	})
	mux.HandleFunc("GET /frame/qr", s.barcode)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fail(40401, "").reply().write(w, s.time())
	})
	return &http.Server{
		Handler:           mux,
		Protocols:         protocols,
		TLSConfig:         &tls.Config{GetConfigForClient: s.greet},
		ReadHeaderTimeout: time.Minute, // of the handshake too, of thousands at once
		MaxHeaderBytes:    16 << 10,
		// A client that hangs up in a handshake is not news.
		ErrorLog: log.New(io.Discard, "", 0),
	}
}

// serve answers one request.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, endpoint string, all map[string]route) {
	rec, status := s.begin(r, endpoint), 0
	defer func() { s.end(rec, r.Context(), status) }()
	// All of the body first: net/http notices that a client hangs up only then.
	body, err := readBody(w, r)
	faults := s.faultsFor(endpoint)
	var out reply
	replaced := false
	for _, f := range faults {
		if !s.pause(r.Context(), f) {
			panic(http.ErrAbortHandler)
		}
		if f.replaces() {
			out, replaced = f.instead(s.time()), true
		}
	}
	switch {
	case replaced:
	case err != nil:
		out = fail(40002, "body: broken, or too long").reply()
	default:
		out = s.answer(r, body, rec, endpoint, all)
	}
	if r.Context().Err() != nil {
		return
	}
	status = out.status
	out.bson = all[endpoint].bson
	for _, f := range faults {
		out = f.spoil(out)
	}
	for _, f := range faults {
		f.cut(w, out)
	}
	out.write(w, s.time())
}

// readBody ends in time, and leaves the connection without a deadline.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	limit := http.NewResponseController(w)
	limit.SetReadDeadline(time.Now().Add(bodyTime))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	limit.SetReadDeadline(time.Time{})
	return body, err
}

func (s *Server) answer(r *http.Request, body []byte, rec *Request, endpoint string, all map[string]route) reply {
	to, known := all[endpoint]
	if !known {
		return fail(40401, "").reply()
	}
	if r.Method != to.method {
		return fail(40501, "").reply()
	}
	var in call
	if !to.unsigned {
		var f *failure
		if in, f = s.read(r, body, to.schemes); f != nil {
			return f.reply()
		}
		s.heard(rec, in)
	}
	response, f := to.handle(s, r.Context(), in)
	if f != nil {
		return f.reply()
	}
	if png, isPNG := response.([]byte); isPNG {
		return reply{status: http.StatusOK, kind: "image/png", raw: png}
	}
	return ok(response)
}

// ping is check too: what differs is who may ask.
func (s *Server) ping(context.Context, call) (any, *failure) {
	return fields{"time": s.time().Unix()}, nil
}
