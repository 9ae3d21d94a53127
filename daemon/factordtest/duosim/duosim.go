// Package duosim is a Duo service in one process: Auth API v2 as Duo documents
// it, over TLS with a certificate authority of its own, with people who answer
// their pushes when a test or a person at a terminal says so, and with faults by
// name. It is stricter than it needs to be, so that a client which works here has
// signed every byte it should have.
//
// In a test:
//
//	sim := duosim.Start(t, duosim.Config{Users: []duosim.User{{
//		Name: "alice", Devices: []duosim.Device{duosim.Phone("Pixel 5", "+15555550100")},
//	}}})
//	// give sim.IKey(), sim.SKey(), sim.Host() and sim.CAFile() to the client
//	push, err := sim.NextPush(ctx, "alice") // what alice sees
//	err = sim.Approve("alice")
//	err = sim.Fault(duosim.RateLimit, "auth", 2)
//
// Command cmd is the same for people.
//
// It shares no code with factord's client: two readings of the same
// documentation that agree are worth more than one.
package duosim

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Config of a simulator. The zero value is a good start: nobody known, nothing
// approved.
type Config struct {
	IKey, SKey string // of the integration; made up when empty
	// Listen is an address on this machine, 127.0.0.1 and any free port when
	// empty. The certificate says localhost, whatever it is.
	Listen string
	Dir    string // takes ca.pem; a folder of its own when empty
	Users  []User

	// Answer is what people do with a push or call after a delay, unless their
	// User says otherwise. Empty: they wait to be told (Approve, Deny, Fraud).
	Answer Answer
	After  time.Duration

	Unknown      Status        // what preauth says of a name it does not know; Enroll when empty
	PushTimeout  time.Duration // until a push or call ends as a timeout; 60 s when zero
	PollTime     time.Duration // after which auth_status gives up with 40002; never when zero
	VerifiedPush bool          // policy: pushes need the code that preauth gave
	Remember     time.Duration // policy: remembered devices, for so long; never when zero
	HTTP2        bool          // offer it; without, HTTP/1.1 is all there is

	// Now is the service's clock, for signatures, codes and remembered devices;
	// time.Now when nil. Delays and timeouts are real time. It is called with the
	// Server locked.
	Now func() time.Time
}

// Server is a running simulator.
type Server struct {
	c    Config
	ca   *authority
	dir  string // to be removed at the end, if it was made here
	door *door
	http *http.Server
	tb   TB
	done chan struct{} // closed by Close: ends every wait

	served chan struct{} // closed when nothing listens any more

	mu       sync.Mutex
	skey     string
	accounts accounts
	pushes   pushes
	trusted  map[string]trust
	verified map[string]verification
	faults   []*fault
	cleared  chan struct{} // closed by ClearFaults
	configs  map[Fault]*tls.Config
	log      recorder
}

// TB is what Start needs of a testing.TB, so that the command does not link the
// testing package.
type TB interface {
	Helper()
	Cleanup(func())
	TempDir() string
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// Start runs a simulator that ends with the test.
func Start(tb TB, c Config) *Server {
	tb.Helper()
	if c.Dir == "" {
		c.Dir = tb.TempDir()
	}
	s, err := New(c)
	if err != nil {
		tb.Fatalf("duosim: %v", err)
	}
	s.tb = tb
	tb.Cleanup(s.Close)
	return s
}

// New runs a simulator until Close.
func New(c Config) (*Server, error) {
	s := &Server{c: c.complete(), done: make(chan struct{}), cleared: make(chan struct{}), configs: map[Fault]*tls.Config{}, trusted: map[string]trust{}, verified: map[string]verification{}}
	s.skey = s.c.SKey
	s.accounts.init()
	s.pushes.init()
	for _, u := range s.c.Users {
		s.accounts.put(u)
	}
	if err := s.listen(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (c Config) complete() Config {
	if c.IKey == "" {
		c.IKey = identifier("DI", "integration")
	}
	if c.SKey == "" {
		c.SKey = random(40)
	}
	if c.Listen == "" {
		c.Listen = "127.0.0.1:0"
	}
	if c.Unknown == "" {
		c.Unknown = Enroll
	}
	if c.PushTimeout == 0 {
		c.PushTimeout = time.Minute
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func (s *Server) listen() error {
	if s.c.Dir == "" {
		dir, err := os.MkdirTemp("", "duosim")
		if err != nil {
			return err
		}
		s.dir, s.c.Dir = dir, dir
	}
	var err error
	if s.ca, err = newAuthority(); err != nil {
		return err
	}
	if err := os.WriteFile(s.CAFile(), s.ca.pem(), 0o644); err != nil {
		return err
	}
	if s.door, err = openDoor(s.c.Listen, s.turnAway); err != nil {
		return fmt.Errorf("listening at %s: %w", s.c.Listen, err)
	}
	s.http = s.newHTTP()
	s.served = make(chan struct{})
	go func() {
		defer close(s.served)
		if err := s.http.ServeTLS(s.door, "", ""); err != nil && !errors.Is(err, http.ErrServerClosed) && s.tb != nil {
			s.tb.Errorf("duosim: %v", err)
		}
	}()
	return nil
}

// Close ends the simulator and every connection to it.
func (s *Server) Close() {
	s.mu.Lock()
	select {
	case <-s.done:
		s.mu.Unlock()
		return
	default:
	}
	close(s.done)
	s.pushes.stop()
	s.mu.Unlock()
	if s.http != nil {
		s.http.Close()
		<-s.served
	}
	if s.door != nil {
		s.door.Close()
	}
	if s.dir != "" {
		os.RemoveAll(s.dir)
	}
}

// Host is where it is, as a client's configuration wants it: localhost:port.
func (s *Server) Host() string { return fmt.Sprintf("localhost:%d", s.door.port()) }

// IKey is the integration key.
func (s *Server) IKey() string { return s.c.IKey }

// SKey is the secret key of now.
func (s *Server) SKey() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.skey
}

// RotateKey replaces the secret key, as an administrator does in Duo's panel:
// what was signed with the old one is a bad signature (40103) from now on.
func (s *Server) RotateKey() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skey = random(40)
	return s.skey
}

// CAFile is a PEM file with the authority that signed the certificate.
func (s *Server) CAFile() string { return filepath.Join(s.c.Dir, "ca.pem") }
