package authapi

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor"
)

// clock is a time that tests set.
type clock struct{ now atomic.Pointer[time.Time] }

func newClock() *clock {
	c := new(clock)
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	c.now.Store(&at)
	return c
}

func (c *clock) Now() time.Time { return *c.now.Load() }

func (c *clock) pass(d time.Duration) {
	at := c.Now().Add(d)
	c.now.Store(&at)
}

func TestBreaker(t *testing.T) {
	clock := newClock()
	b := newBreaker(clock.Now)
	call := func(err *Error) *Error {
		ticket, refused := b.admit()
		if refused == nil {
			b.settle(ticket, err)
		}
		return refused
	}
	down := &Error{Kind: Unreachable}
	for _, up := range []*Error{nil, {Kind: Ended}, {Kind: Throttled, Status: 429}, {Kind: Refused, Status: 400}, {Kind: BadKey, Status: 401}, {Kind: Untrusted}, {Kind: Garbled, Status: 200}} {
		if call(up); call(nil) != nil {
			t.Errorf("%v opened it", up)
		}
	}
	for _, kind := range []Kind{Unreachable, Broken, Silent} {
		call(&Error{Kind: kind})
		if kind == Broken {
			call(&Error{Kind: kind})
		}
		refused := call(nil)
		if refused == nil || !refused.Remembered || refused.Kind != kind || refused.Outage() {
			t.Errorf("kind %d: %v", kind, refused)
		}
		clock.pass(downFor)
		for range 2 {
			if call(nil) != nil {
				t.Errorf("kind %d: still open for a probe, or after one that was answered", kind)
			}
		}
	}

	// A probe that fails keeps it open; one that is given up leaves its place to the next.
	call(down)
	clock.pass(downFor)
	if call(down) != nil || call(nil) == nil {
		t.Error("after a failed probe")
	}
	clock.pass(downFor)
	for _, outcome := range []*Error{{Kind: Ended}, nil, nil} {
		if call(outcome) != nil {
			t.Error("after a probe that was given up")
		}
	}
	// A clock that is set back by a day does not keep it open for that long.
	call(down)
	clock.pass(-24 * time.Hour)
	if call(nil) != nil {
		t.Error("after the clock was set back")
	}
	// The end of a call that hung since before Duo last answered is no news.
	old, _ := b.admit()
	clock.pass(time.Second)
	call(nil)
	b.settle(old, down)
	if call(nil) != nil {
		t.Error("opened by old news")
	}
}

// One user's account that Duo stumbles over is not Duo's end for the others; two such
// answers with none between them are, and a probe's one keeps it so.
func TestBrokenTwice(t *testing.T) {
	clock := newClock()
	b := newBreaker(clock.Now)
	broken := &Error{Kind: Broken, Status: 500}
	for i, c := range []struct {
		err  *Error
		down bool
	}{
		{broken, false}, {nil, false}, {broken, false}, {&Error{Kind: Refused, Status: 400}, false},
		{broken, false}, {&Error{Kind: Ended}, false}, {broken, true}, {nil, false}, {broken, false},
		{&Error{Kind: Unreachable}, true}, {broken, true},
	} {
		b.settle(ticket{began: b.now()}, c.err)
		if down := b.down != nil; down != c.down {
			t.Errorf("step %d, %v: down %v", i, c.err, down)
		}
	}
	clock.pass(downFor)
	probe, _ := b.admit()
	b.settle(probe, broken)
	if _, refused := b.admit(); refused == nil {
		t.Error("after a probe that failed")
	}
	// Who asks anew is not refused, and what they find out holds for all.
	one, refused := b.anew()
	b.settle(one, nil)
	if _, after := b.admit(); refused != nil || after != nil {
		t.Errorf("asked anew: %v, %v", refused, after)
	}
}

// One caller probes; the others are refused meanwhile.
func TestOneProbe(t *testing.T) {
	clock := newClock()
	b := newBreaker(clock.Now)
	first, _ := b.admit()
	b.settle(first, &Error{Kind: Unreachable})
	clock.pass(downFor + time.Second)
	var admitted atomic.Int32
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, refused := b.admit(); refused == nil {
				admitted.Add(1)
			} else if refused.Outage() || !refused.Remembered {
				t.Errorf("%+v: it may be back", refused)
			}
		})
	}
	if all.Wait(); admitted.Load() != 1 {
		t.Errorf("%d admitted", admitted.Load())
	}
}

// Whoever gives up their probes, again and again, does not keep Duo down for others.
func TestProbesGivenUp(t *testing.T) {
	clock := newClock()
	b := newBreaker(clock.Now)
	first, _ := b.admit()
	b.settle(first, &Error{Kind: Unreachable})
	refused := 0
	for range 1000 {
		clock.pass(downFor)
		probe, err := b.admit()
		if err != nil {
			t.Fatal("no probe")
		}
		clock.pass(time.Second) // its call is on its way
		if _, err := b.admit(); err != nil {
			refused++
		}
		b.settle(probe, &Error{Kind: Ended})
	}
	if refused > 1 {
		t.Errorf("%d calls of others were refused", refused)
	}
	// Of those who try then, the first to know says so for all.
	for _, outcome := range []*Error{{Kind: Broken}, nil} {
		clock.pass(downFor)
		one, _ := b.admit()
		b.settle(one, outcome)
		if _, err := b.admit(); (err != nil) != (outcome != nil) {
			t.Errorf("after %v: %v", outcome, err)
		}
	}
}

// A probe that hangs holds others back for a while, and one that panics not at all.
func TestProbeLost(t *testing.T) {
	clock := newClock()
	c := client(t, Config{Host: "127.0.0.1:1", Now: clock.Now})
	outage := func() {
		ticket, _ := c.breaker.admit()
		c.breaker.settle(ticket, &Error{Kind: Unreachable})
		clock.pass(downFor)
	}
	outage()
	hung, _ := c.breaker.admit()
	if _, err := c.breaker.admit(); err == nil || err.Outage() {
		t.Errorf("beside a probe: %v", err)
	}
	clock.pass(downFor)
	probe, err := c.breaker.admit()
	if err != nil {
		t.Error("kept down by a probe that hangs")
	}
	c.breaker.settle(hung, &Error{Kind: Silent})
	c.breaker.settle(probe, nil)

	s := serve(t, true, okay(`{"time":1}`))
	c = client(t, Config{Host: s.Listener.Addr().String(), CAFile: caFile(t, s.Server), Now: clock.Now})
	outage()
	func() {
		defer func() { recover() }()
		c.call(t.Context(), request{name: "check", method: http.MethodGet, path: "/auth/v2/check", limit: time.Minute}, new(bomb))
		t.Error("no panic")
	}()
	if !c.Health().Down {
		t.Error("a panic passes for an answer")
	}
	if _, err := c.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// A check is root's question: it is asked while Duo is taken to be down, and what it
// finds out is known to all.
func TestCheckAsksAtOnce(t *testing.T) {
	clock := newClock()
	var up atomic.Bool
	s := serve(t, true, func(w http.ResponseWriter, r *http.Request) {
		if up.Load() {
			okay(`{"time":1}`)(w, r)
			return
		}
		answers(500, "")(w, r)
	})
	c := client(t, Config{Host: s.Listener.Addr().String(), CAFile: caFile(t, s.Server), Now: clock.Now})
	for i := range 2 {
		_, err := c.Check(t.Context())
		if e := wantKind(t, "while it is down", err, Broken); e.Remembered || len(s.requests()) != i+1 {
			t.Errorf("%v after %d requests", e, len(s.requests()))
		}
		clock.pass(downFor / 2)
	}
	if h := c.Health(); !h.Down || !h.Until.Equal(clock.Now().Add(downFor/2)) {
		t.Errorf("a check that failed: %+v", h)
	}
	if _, err := c.Preauth(t.Context(), PreauthRequest{Person: Person{Username: "alice"}}); !wantKind(t, "a login", err, Broken).Remembered {
		t.Error("a login asked too")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	c.Check(ended)
	if !c.Health().Down {
		t.Error("a check that its caller gave up closed it")
	}
	up.Store(true)
	if _, err := c.Check(t.Context()); err != nil || c.Health().Down {
		t.Errorf("when it is back: %v, %+v", err, c.Health())
	}
}

// bomb is an answer that can't be read.
type bomb struct{}

func (*bomb) UnmarshalJSON([]byte) error { panic("a bug") }

// The first login finds out; the second is told at once, by the first one's error,
// and one that comes later finds Duo back.
func TestSecondLogin(t *testing.T) {
	clock := newClock()
	var up atomic.Bool
	s := serve(t, true, func(w http.ResponseWriter, r *http.Request) {
		if up.Load() {
			okay(`{"time":1}`)(w, r)
			return
		}
		<-r.Context().Done()
	})
	c := client(t, Config{Host: s.Listener.Addr().String(), CAFile: caFile(t, s.Server), PreauthTimeout: shortPreauth, Now: clock.Now})
	_, err := c.Check(t.Context())
	wantKind(t, "first", err, Silent)
	began := time.Now()
	_, err = c.Preauth(t.Context(), PreauthRequest{Person: Person{Username: "alice"}})
	e := wantKind(t, "second", err, Silent)
	if took := time.Since(began); !e.Remembered || e.Call != "preauth" || took > shortPreauth/2 {
		t.Errorf("%v after %v", e, took)
	}
	if h := c.Health(); !h.Down || !h.Since.Equal(clock.Now()) || h.LastError == nil || !h.LastAnswer.IsZero() {
		t.Errorf("%+v", h)
	}
	up.Store(true)
	clock.pass(downFor + time.Second)
	if _, err := c.Check(t.Context()); err != nil {
		t.Error(err)
	}
	h := c.Health()
	if h.Down || !h.Since.Equal(clock.Now()) || !h.LastAnswer.Equal(clock.Now()) || h.LastError.Kind != Silent || !h.CertificateEnd.Equal(s.Certificate().NotAfter) {
		t.Errorf("%+v", h)
	}
}

// Who approved a push while others found Duo down still gets in.
func TestPollWhileDown(t *testing.T) {
	s := serve(t, true, okay(`{"result":"allow","status":"allow"}`))
	c := clientOf(t, s)
	ticket, _ := c.breaker.admit()
	c.breaker.settle(ticket, &Error{Kind: Unreachable})
	if v, err := c.AuthStatus(t.Context(), "T"); err != nil || v.Outcome != OutcomeAllow {
		t.Errorf("%+v, %v", v, err)
	}
	if c.Health().Down {
		t.Error("an answer did not close the breaker")
	}
}

// A server that stumbles over what one user's client says is there for all others.
func TestOneRequestFailsAlone(t *testing.T) {
	for name, do := range map[string]func(c *Client) error{
		"auth": func(c *Client) error {
			_, err := c.Auth(t.Context(), AuthRequest{Person: Person{Username: "mallory"}, Method: Push, Info: []Field{{"Command", "<script>"}}})
			return err
		},
		"enroll": func(c *Client) error { _, err := c.Enroll(t.Context(), "mallory", 0); return err },
		"enroll_status": func(c *Client) error {
			_, err := c.EnrollStatus(t.Context(), Enrollment{UserID: "U", Code: factor.Secret("C")})
			return err
		},
	} {
		s := serve(t, true, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/auth/v2/preauth" {
				answers(500, "")(w, r)
				return
			}
			okay(`{"result":"auth"}`)(w, r)
		})
		c := clientOf(t, s)
		if e := wantKind(t, name, do(c), Broken); !e.Outage() || c.Health().Down {
			t.Errorf("%s: outage %v, down %v", name, e.Outage(), c.Health().Down)
		}
		if _, err := c.Preauth(t.Context(), PreauthRequest{Person: Person{Username: "alice"}}); err != nil {
			t.Errorf("after %s: %v", name, err)
		}
	}
	// Nor does such an answer pass for one that Duo is back.
	b := newBreaker(newClock().Now)
	for _, err := range []*Error{{Kind: Unreachable}, {Kind: Broken, Status: 500, alone: true}} {
		b.settle(ticket{began: b.now()}, err)
	}
	if _, refused := b.admit(); refused == nil {
		t.Error("closed by a 500")
	}
}

// A clock that is off is named with its size, and is not made up for.
func TestSkew(t *testing.T) {
	for _, tt := range []struct {
		ahead      time.Duration
		code, want string
		kind       Kind
	}{
		{312 * time.Second, "40105", "duo: this clock is 312 s ahead: check: the date is not accepted, HTTP 401, code 40105", Skewed},
		{-7000 * time.Second, "40105", "duo: this clock is 7000 s behind: ", Skewed},
		{0, "40105", "duo: this clock agrees with Duo's: ", Skewed},
		{400 * time.Second, "40103", "duo: this clock is 400 s ahead: ", Skewed}, // a server that looks at the signature first
		{20 * time.Second, "40103", "duo: check: the integration key or the signature", BadKey},
	} {
		server := time.Now().Truncate(time.Second)
		s := serve(t, true, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", server.UTC().Format(http.TimeFormat))
			failing(401, tt.code, "x")(w, r)
		})
		local := server.Add(tt.ahead + time.Second/2)
		c := client(t, Config{Host: s.Listener.Addr().String(), CAFile: caFile(t, s.Server), Now: func() time.Time { return local }})
		_, err := c.Check(t.Context())
		e := wantKind(t, tt.want, err, tt.kind)
		if !strings.HasPrefix(e.Error(), tt.want) || e.Outage() || e.Skew != tt.ahead {
			t.Errorf("%v (%v), want %s", e, e.Skew, tt.want)
		}
		if h := c.Health(); h.Skew != tt.ahead || !h.SkewAt.Equal(local) {
			t.Errorf("%+v", h)
		}
		if got, want := s.requests()[0].date, date(local); got != want {
			t.Errorf("signed %s, not with this clock's %s", got, want)
		}
	}
	if e := (&Error{Kind: Skewed, Call: "check"}); e.Error() != "duo: this clock may be wrong: check: the date is not accepted" {
		t.Error(e)
	}
}

func TestErrorUnwraps(t *testing.T) {
	if err := error(&Error{Kind: Ended, cause: context.Canceled}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
