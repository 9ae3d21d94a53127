package duosim

import (
	"context"
	"maps"
	"net/http"
	"time"
)

// maxRequests bounds what Requests remembers; the oldest go first.
const maxRequests = 20_000

// Request is one that came, answered or not.
type Request struct {
	Endpoint string // preauth, auth, auth_status...
	Method   string
	Scheme   string            // v5, v4, v2-sha512, v2-sha1, v1; empty if not or wrongly signed
	Params   map[string]string // empty too then
	Peer     string            // address of the connection
	Status   int               // of the answer; 0 before it, or without one
	Began    time.Time
	Took     time.Duration // 0 while it lasts
	Gone     bool          // the client hung up before the answer
}

// recorder keeps requests. Server.mu guards it.
type recorder struct {
	kept       []*Request
	handshakes int
}

func (s *Server) begin(r *http.Request, endpoint string) *Request {
	if len(endpoint) > 64 {
		endpoint = endpoint[:64]
	}
	rec := &Request{Endpoint: endpoint, Method: r.Method, Peer: r.RemoteAddr, Began: time.Now()}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.log.kept) >= maxRequests {
		s.log.kept = append(s.log.kept[:0:0], s.log.kept[maxRequests/2:]...)
	}
	s.log.kept = append(s.log.kept, rec)
	return rec
}

func (s *Server) heard(rec *Request, in call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rec.Scheme, rec.Params = in.scheme, in.params
}

func (s *Server) end(rec *Request, ctx context.Context, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rec.Took, rec.Gone, rec.Status = time.Since(rec.Began), ctx.Err() != nil, status
}

// Requests are those that came so far, oldest first.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Request, len(s.log.kept))
	for i, r := range s.log.kept {
		all[i] = *r
		all[i].Params = maps.Clone(r.Params)
	}
	return all
}

// Count is how many of Requests went to an endpoint.
func (s *Server) Count(endpoint string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, r := range s.log.kept {
		if r.Endpoint == endpoint {
			n++
		}
	}
	return n
}

// Connections is how many TCP connections were accepted so far.
func (s *Server) Connections() int {
	s.door.mu.Lock()
	defer s.door.mu.Unlock()
	return s.door.accepted
}

// Handshakes is how many TLS handshakes were begun so far.
func (s *Server) Handshakes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.handshakes
}
