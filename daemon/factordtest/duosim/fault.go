package duosim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fault is something that goes wrong, by name. Some take an argument after "=",
// as in "slow=3s" or "429=5".
type Fault string

const (
	// The line. Blackhole accepts TCP and never says a byte; TLSSilence ends the
	// handshake and never answers; Refused has nobody listening.
	Blackhole  Fault = "blackhole"
	TLSSilence Fault = "tls-silence"
	Refused    Fault = "refused"
	Slow       Fault = "slow" // =DURATION, 2s

	// The certificate.
	ExpiredCert   Fault = "expired-cert"
	WrongNameCert Fault = "wrong-name-cert"
	SelfSigned    Fault = "self-signed-cert"

	// The answer instead of the right one.
	Code           Fault = "code" // =NUMBER, as 40301
	ServerError    Fault = "500"
	BadGateway     Fault = "502"      // in HTML
	RateLimit      Fault = "429"      // =SECONDS: Retry-After
	RateLimitDate  Fault = "429-date" // =SECONDS: Retry-After, as a date
	RateLimitX     Fault = "429-x"    // =SECONDS: X-Retry-After
	WrongSignature Fault = "wrong-signature"
	WrongIKey      Fault = "wrong-ikey"
	Garbage        Fault = "garbage"     // bytes that are no JSON
	HTML           Fault = "html"        // with status 200, as a captive portal
	HugeBody       Fault = "huge"        // =BYTES, 64 MiB
	NeverFinal     Fault = "never-final" // =DURATION, 100ms: auth_status waits so long, and tells nothing new

	// The right answer, spoiled.
	Truncated     Fault = "truncated"      // half the body, then nothing
	HalfResponse  Fault = "half-response"  // half a status line, then nothing
	Escapes       Fault = "escapes"        // terminal escape sequences in every text
	CodeString    Fault = "code-string"    // "code": "40002"
	CodeEmpty     Fault = "code-empty"     // "code": ""
	UnknownFields Fault = "unknown-fields" // everywhere
	UnknownResult Fault = "unknown-result"
	UnknownStatus Fault = "unknown-status"

	// The clock: what the service thinks the time is, in its checks and answers.
	ClockSkew Fault = "clock-skew" // =DURATION, as -312s
)

// Forever is how often a fault happens that ClearFaults ends.
const Forever = 0

// Faults are all names.
func Faults() []Fault {
	return []Fault{Blackhole, TLSSilence, Refused, Slow, ExpiredCert, WrongNameCert, SelfSigned, Code, ServerError, BadGateway,
		RateLimit, RateLimitDate, RateLimitX, WrongSignature, WrongIKey, Garbage, HTML, HugeBody, NeverFinal,
		Truncated, HalfResponse, Escapes, CodeString, CodeEmpty, UnknownFields, UnknownResult, UnknownStatus, ClockSkew}
}

// fault is one that was set. Server.mu guards left.
type fault struct {
	name     Fault
	endpoint string
	left     int // Forever, or how often
	wait     time.Duration
	number   int
	told     bool // there was an argument
}

func (f Fault) isCertificate() bool {
	return f == ExpiredCert || f == WrongNameCert || f == SelfSigned
}

// isLine: it happens to connections or to the service, not to one request.
func (f Fault) isLine() bool { return f == Refused || f == ClockSkew || f.isCertificate() }

// parse reads name=argument.
func (f Fault) parse() (*fault, error) {
	name, arg, told := strings.Cut(string(f), "=")
	out := &fault{name: Fault(name), told: told}
	if !slices.Contains(Faults(), out.name) {
		return nil, fmt.Errorf("no fault is called %q", name)
	}
	var err error
	switch out.name {
	case Slow, NeverFinal, ClockSkew:
		if out.wait = 2 * time.Second; out.name == NeverFinal {
			out.wait = 100 * time.Millisecond
		}
		if told {
			out.wait, err = time.ParseDuration(arg)
		} else if out.name == ClockSkew {
			err = fmt.Errorf("it needs a duration")
		}
	case Code, RateLimit, RateLimitDate, RateLimitX, HugeBody:
		out.number = 64 << 20
		if told {
			out.number, err = strconv.Atoi(arg)
		} else if out.name != RateLimit && out.name != HugeBody {
			err = fmt.Errorf("it needs a number")
		}
		if out.name == Code && (out.number < 40000 || out.number > 59999) {
			err = fmt.Errorf("codes have five digits")
		}
	default:
		if told {
			err = fmt.Errorf("it takes no argument")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("fault %q: %v", f, err)
	}
	return out, nil
}

// Fault makes something go wrong at an endpoint (preauth, auth...; "" is all), so
// many times or Forever. What was set before stays. A name or endpoint that does
// not exist fails the test.
//
// Refused, ClockSkew and the certificate's faults know no endpoint; the first two
// last until ClearFaults. Refused and the certificate's end the connections that
// are open, so that keeping one alive hides nothing. Blackhole swallows whole
// connections only where it is set for all endpoints.
func (s *Server) Fault(name Fault, endpoint string, times int) error {
	f, err := name.parse()
	if _, known := routes()[endpoint]; err == nil && endpoint != "" && (!known || f.name.isLine()) {
		err = fmt.Errorf("fault %q does not happen at %q", name, endpoint)
	}
	if err != nil {
		return s.complain(err)
	}
	f.endpoint, f.left = endpoint, max(times, Forever)
	s.mu.Lock()
	s.faults = append(s.faults, f)
	s.mu.Unlock()
	if f.name == Refused {
		err = s.door.refuse()
	}
	if f.name == Refused || f.name.isCertificate() {
		s.door.hangUp()
	}
	return s.complain(err)
}

// complain fails the test too, if there is one: an ignored error would leave it
// testing nothing.
func (s *Server) complain(err error) error {
	if err != nil && s.tb != nil {
		s.tb.Errorf("duosim: %v", err)
	}
	return err
}

// ClearFaults makes all well. Connections that a fault held are closed.
func (s *Server) ClearFaults() error {
	s.mu.Lock()
	bad := slices.ContainsFunc(s.faults, func(f *fault) bool { return f.name.isCertificate() })
	s.faults = nil
	close(s.cleared)
	s.cleared = make(chan struct{})
	s.mu.Unlock()
	s.door.release()
	if bad {
		s.door.hangUp()
	}
	return s.complain(s.door.listenAgain())
}

// takeOne finds the first fault of a kind and counts it. Server.mu is held.
func (s *Server) takeOne(endpoint string, is func(Fault) bool) *fault {
	for _, f := range s.faults {
		if is(f.name) && (f.endpoint == "" || f.endpoint == endpoint) {
			s.spend(f)
			return f
		}
	}
	return nil
}

func (s *Server) spend(f *fault) {
	if f.left == Forever {
		return
	}
	if f.left--; f.left == 0 {
		s.faults = slices.DeleteFunc(slices.Clone(s.faults), func(o *fault) bool { return o == f })
	}
}

// faultsFor takes what goes wrong with one request: any spoiling, but only the
// first that replaces the answer, so that "429 twice, then 500" can be set.
func (s *Server) faultsFor(endpoint string) []*fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*fault
	replaced := false
	for _, f := range slices.Clone(s.faults) {
		if f.name.isLine() || f.endpoint != "" && f.endpoint != endpoint || replaced && f.replaces() {
			continue
		}
		if f.name == NeverFinal && endpoint != "auth_status" {
			continue
		}
		replaced = replaced || f.replaces()
		s.spend(f)
		all = append(all, f)
	}
	return all
}

// turnAway says whether the next connection falls into a black hole.
func (s *Server) turnAway() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		if f.name == Blackhole && f.endpoint == "" {
			s.spend(f)
			return true
		}
	}
	return false
}

// time is now, for who does not hold Server.mu.
func (s *Server) time() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now()
}

// now is the service's time.
func (s *Server) now() time.Time {
	t := s.c.Now()
	for _, f := range s.faults {
		if f.name == ClockSkew {
			t = t.Add(f.wait)
		}
	}
	return t
}
