package session_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
)

// phone is a factor that asks somebody outside. The zero value offers a push and a
// call to everybody.
type phone struct {
	offer   error  // of Offer
	ask     error  // of Ask
	waived  string // of Offer
	refused string // of Offer
	held    *factor.Held
	earlier *factor.Earlier
	slow    bool // Ask returns when its client has gone

	mu     sync.Mutex
	asked  chan int // which choice was taken, when it is asked
	answer chan factor.Outcome
	ended  chan struct{} // a wait was cancelled
	stored []string      // what was booked and settled
}

func newPhone() *phone {
	return &phone{asked: make(chan int, 9), answer: make(chan factor.Outcome, 9), ended: make(chan struct{}, 9)}
}

func (p *phone) Name() string { return "touch" }

func (p *phone) Offer(_ context.Context, l factor.Login) (factor.Offer, error) {
	o := factor.Offer{Enrolled: true, Usable: true, Waived: p.waived, State: l.User}
	if l.Discreet {
		o.Undisclosed = true
		return o, nil
	}
	o.Enter, o.Choices = "a push", []string{"push to Pixel 5", "call Pixel 5"}
	if !l.Wanted || p.offer != nil {
		return factor.Offer{}, p.offer
	}
	if p.refused != "" {
		return factor.Offer{Enrolled: true, Refused: p.refused}, nil
	}
	return o, nil
}

// Verify takes nine digits: 999999999 is right.
func (p *phone) Verify(_ context.Context, l factor.Login, answer factor.Secret) (factor.Claim, error) {
	if !answer.Digits(6, 9) {
		return factor.Claim{}, factor.ErrNotMine
	}
	outcome := factor.Wrong
	if string(answer) == "999999999" {
		outcome = factor.Proven
	}
	c := p.claim(9, outcome)
	c.Guessable = answer.Digits(6, 8)
	c.Outside.Ask = func(context.Context) (*factor.Wait, error) { return nil, p.ask }
	return c, nil
}

func (p *phone) Choose(_ context.Context, l factor.Login, n int) (factor.Claim, error) {
	if n > 1 {
		return factor.Claim{}, factor.ErrNotMine
	}
	if l.State != l.User {
		return factor.Claim{}, errors.New("the offer's state is not the one left there")
	}
	c := p.claim(n, factor.Lapsed)
	if !l.Proven {
		ask := c.Outside.Ask
		c.Outside.Ask = func(ctx context.Context) (*factor.Wait, error) {
			w, err := ask(ctx)
			if w != nil {
				w.Cue = "Approve it"
			}
			return w, err
		}
	}
	return c, nil
}

func (p *phone) claim(n int, outcome factor.Outcome) factor.Claim {
	return factor.Claim{
		Outside: &factor.Outside{
			Earlier: p.earlier,
			Admit: func(rs factor.Records) error {
				if p.held != nil {
					return p.held
				}
				return rs.PutNote([]byte("open"))
			},
			Ask: func(ctx context.Context) (*factor.Wait, error) {
				if p.ask != nil {
					return nil, p.ask
				}
				p.asked <- n
				if p.slow {
					<-ctx.Done()
				}
				return &factor.Wait{Cue: "Push sent to Pixel 5: approve it", Until: func(ctx context.Context, say func(string)) error {
					select {
					case outcome = <-p.answer:
						return nil
					case <-ctx.Done():
						p.ended <- struct{}{}
						return context.Cause(ctx)
					}
				}}, nil
			},
		},
		Settle: func(rs factor.Records) (factor.Finding, error) {
			v, err := rs.Note()
			p.mu.Lock()
			p.stored = append(p.stored, string(v))
			p.mu.Unlock()
			if err == nil {
				err = rs.PutNote(nil)
			}
			note := map[factor.Outcome]string{factor.Denied: "the push was denied", factor.Lapsed: "nobody answered the push"}[outcome]
			return factor.Finding{Outcome: outcome, ID: "phone-1", Note: note}, err
		},
	}
}

// settled is how many claims were.
func (p *phone) settled() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.stored)
}

// line is a connection spoken by hand.
type line struct {
	t  *testing.T
	nc net.Conn
	r  *bufio.Reader
}

func dialRaw(t *testing.T, d *factordtest.Daemon) *line {
	t.Helper()
	nc, err := factordtest.Dial(d.Socket, -1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	l := &line{t, nc, bufio.NewReader(nc)}
	l.expect(wire.Greeting)
	return l
}

func (l *line) send(text string) { io.WriteString(l.nc, text+"\n") }

func (l *line) expect(want string) {
	l.t.Helper()
	if got, err := l.r.ReadString('\n'); strings.TrimSpace(got) != want {
		l.t.Fatalf("heard %q, %v; want %q", got, err, want)
	}
}

const phoneRule = `
[[rule]]
name = "phone"
factors = ["touch", "totp", "backup"]
callers = ["root", "user"]
`

func phoneDaemon(t *testing.T, p *phone, rule string) *factordtest.Daemon {
	d := factordtest.NewDaemon(t, factordtest.Options{Config: rule, Factors: []factor.Factor{p}})
	return d
}

// talk answers each question, and may do something when one is asked.
type talk struct {
	factordtest.Talk
	when map[string]func()
}

func (k *talk) Info(text string) { k.Talk.Info(text); k.event(text) }

func (k *talk) Ask(kind, text string) ([]byte, wire.Reply) {
	k.event(text)
	return k.Talk.Ask(kind, text)
}

func (k *talk) event(text string) {
	for part, do := range k.when {
		if strings.Contains(text, part) {
			do()
		}
	}
}

func TestOutside(t *testing.T) {
	approve := func(p *phone) { p.answer <- factor.Proven }
	for name, c := range map[string]struct {
		conv    wire.Conv
		first   bool
		answers []string
		on      string // then the phone's owner
		does    func(*phone)
		phone   func(*phone)
		want    wire.Reason // ReasonNone: allowed
		shown   string      // the texts, one after the other
	}{
		"push, text shows at once": {conv: wire.ConvPrompt, first: true, answers: []string{""}, on: "Push sent", does: approve,
			shown: "1  push to Pixel 5|2  call Pixel 5|Press Enter for a push: |Push sent to Pixel 5: approve it"},
		"push, text shows with a prompt": {conv: wire.ConvFlush, first: true, answers: []string{"", ""}, on: "Push sent", does: approve,
			shown: "1  push to Pixel 5|2  call Pixel 5|Press Enter for a push: |Push sent to Pixel 5: approve it, then press Enter: "},
		"nobody can be asked": {conv: wire.ConvInfo, first: true, on: "Push sent", does: approve, shown: "Push sent to Pixel 5: approve it"},
		"from the list":       {conv: wire.ConvPrompt, first: true, answers: []string{"2"}, on: "Push sent", does: approve, shown: "1  push to Pixel 5|2  call Pixel 5|Press Enter for a push: |Push sent to Pixel 5: approve it"},
		"not in the list":     {conv: wire.ConvPrompt, first: true, answers: []string{"3"}, want: wire.ReasonDenied, shown: "1  push to Pixel 5|2  call Pixel 5|Press Enter for a push: |there are 2 ways: type a number from 1 to 2|Press Enter for a push: "},
		"denied": {conv: wire.ConvPrompt, first: true, answers: []string{"", ""}, on: "Push sent", does: func(p *phone) { p.answer <- factor.Denied }, want: wire.ReasonPushDenied,
			shown: "1  push to Pixel 5|2  call Pixel 5|Press Enter for a push: |Push sent to Pixel 5: approve it"},
		"not answered, then a code": {conv: wire.ConvPrompt, first: true, answers: []string{"", "999999999"}, on: "Push sent", does: func(p *phone) { p.answer <- factor.Lapsed },
			shown: "1  push to Pixel 5|2  call Pixel 5|Press Enter for a push: |Push sent to Pixel 5: approve it|nobody answered the push|Press Enter for a push: "},
		"a code instead": {conv: wire.ConvFlush, first: true, answers: []string{"", "999999999"}, shown: "1  push to Pixel 5|2  call Pixel 5|Press Enter for a push: |Push sent to Pixel 5: approve it, then press Enter: "},
		"a wrong code, then approved": {conv: wire.ConvFlush, first: true, answers: []string{"", "111111111", ""}, on: "wrong code", does: approve,
			shown: "1  push to Pixel 5|2  call Pixel 5|Press Enter for a push: |Push sent to Pixel 5: approve it, then press Enter: |wrong code|Push sent to Pixel 5: approve it, then press Enter: "},
		"held back": {conv: wire.ConvPrompt, first: true, answers: []string{""}, phone: func(p *phone) { p.held = &factor.Held{Text: "too many pushes: use a passcode"} },
			want: wire.ReasonCancelled, shown: "1  push to Pixel 5|2  call Pixel 5|Press Enter for a push: |too many pushes: use a passcode|Press Enter for a push: "},
		"held back, nobody to ask": {conv: wire.ConvInfo, phone: func(p *phone) { p.held = &factor.Held{Text: "denied a moment ago", Denied: true} },
			want: wire.ReasonPushDenied},
		"unreachable when asked": {conv: wire.ConvPrompt, first: true, answers: []string{"", ""}, phone: func(p *phone) { p.ask = &factor.Outage{Text: "Duo can't be reached", Err: errors.New("no route")} },
			want: wire.ReasonCancelled, shown: "1  push to Pixel 5|2  call Pixel 5|Press Enter for a push: |Duo can't be reached|Press Enter for a push: |Duo can't be reached|Press Enter for a push: "},
		"it hangs up when asked": {conv: wire.ConvPrompt, first: true, answers: []string{"", ""}, phone: func(p *phone) { p.ask = &factor.Outage{Text: "Duo can't be reached", Err: io.EOF} },
			want: wire.ReasonCancelled, shown: "1  push to Pixel 5|2  call Pixel 5|Press Enter for a push: |Duo can't be reached|Press Enter for a push: |Duo can't be reached|Press Enter for a push: "},
		"it hangs up, nobody to ask": {conv: wire.ConvInfo, first: true, phone: func(p *phone) { p.ask = &factor.Outage{Text: "Duo can't be reached", Err: context.DeadlineExceeded} },
			want: wire.ReasonUnavailable},
		"no use, as it says": {conv: wire.ConvPrompt, first: true, phone: func(p *phone) { p.refused = "Duo does not let you in" },
			want: wire.ReasonDenied},
		"no proof asked for, when asked": {conv: wire.ConvPrompt, first: true, answers: []string{""}, on: "Push sent", does: func(p *phone) { p.answer <- factor.Waived }},
		"unreachable at first": {conv: wire.ConvPrompt, first: true, phone: func(p *phone) { p.offer = &factor.Outage{Text: "Duo can't be reached", Err: errors.New("no route")} },
			want: wire.ReasonUnavailable},
		"no proof asked for": {conv: wire.ConvPrompt, first: true, phone: func(p *phone) { p.waived = "Duo asks for nothing: this device is trusted" },
			shown: "Duo asks for nothing: this device is trusted"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPhone()
			if c.phone != nil {
				c.phone(p)
			}
			d := phoneDaemon(t, p, phoneRule)
			k := &talk{Talk: factordtest.Talk{Answers: c.answers}}
			if c.does != nil {
				k.when = map[string]func(){c.on: func() { c.does(p) }}
			}
			v, err := factordtest.Converse(d.Socket, -1, wire.Auth{User: "alice", Service: "sudo", Conv: c.conv, First: c.first}, k)
			if err != nil {
				t.Fatal(err)
			}
			if v.Allow != (c.want == wire.ReasonNone) || !v.Allow && v.Reason != c.want {
				t.Errorf("verdict %+v, want %v", v, c.want)
			}
			if got := strings.Join(k.Shown, "|"); c.shown != "" && got != c.shown {
				t.Errorf("shown %q\nwant  %q", got, c.shown)
			}
			if v.Allow && (v.Basis != wire.BasisFactor || v.Factor != "touch") {
				t.Errorf("allowed by %v %q", v.Basis, v.Factor)
			}
			if n := len(p.asked); n > 0 && p.settled() < n {
				t.Errorf("asked %d times, settled %d times", n, p.settled())
			}
		})
	}
}

// TestOutsideUnavailable: only who has nothing else, only where nobody could be
// reached, and only if the rule says so in words.
func TestOutsideUnavailable(t *testing.T) {
	lost := func(unreachable bool) *phone {
		p := newPhone()
		p.offer = &factor.Outage{Text: "Duo can't be reached", Unreachable: unreachable, Err: errors.New("no route")}
		return p
	}
	allow := strings.Replace(phoneRule, `"user"]`, `"user"]`+"\nunavailable = \"allow\"", 1)
	for name, c := range map[string]struct {
		phone  *phone
		rule   string
		enrol  bool
		answer string
		want   wire.Basis
		reason wire.Reason
	}{
		"the rule says nothing":   {phone: lost(true), rule: phoneRule, reason: wire.ReasonUnavailable},
		"the rule says allow":     {phone: lost(true), rule: allow, want: wire.BasisUnavailable},
		"somebody was there":      {phone: lost(false), rule: allow, reason: wire.ReasonUnavailable},
		"there is another factor": {phone: lost(true), rule: allow, enrol: true, reason: wire.ReasonCancelled},
		"nor may anybody enrol":   {phone: lost(true), rule: phoneRule + "enroll = \"login\"\n", reason: wire.ReasonUnavailable},
		"mode enrolled":           {phone: lost(true), rule: phoneRule + "mode = \"enrolled\"\n", reason: wire.ReasonUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			d := phoneDaemon(t, c.phone, c.rule)
			if c.enrol {
				d.MustEnroll("alice", "totp")
			}
			k := &factordtest.Talk{}
			v, err := factordtest.Login(d.Socket, -1, wire.Auth{User: "alice", Service: "sudo", First: true}, k)
			if err != nil || v.Basis != c.want || v.Reason != c.reason {
				t.Errorf("%+v, %v; shown %q", v, err, k.Shown)
			}
			if c.enrol && k.Shown[0] != "Duo can't be reached: use another factor" {
				t.Errorf("shown %q", k.Shown)
			}
		})
	}
}

// TestOutsideGone: when the client hangs up, whoever is asked is left alone within
// 200 ms, and what was booked is settled.
func TestOutsideGone(t *testing.T) {
	for n, conv := range []wire.Conv{wire.ConvPrompt, wire.ConvFlush, wire.ConvInfo, wire.ConvPrompt, wire.ConvFlush, wire.ConvInfo} {
		t.Run(conv.String(), func(t *testing.T) {
			p := newPhone()
			p.slow = n > 2
			d := phoneDaemon(t, p, phoneRule)
			r := dialRaw(t, d)
			r.send("AUTH user=alice service=sudo conv=" + conv.String())
			if conv.CanAsk() {
				r.expect("INQUIRE SECRET Passcode:%20")
				r.send("END")
			}
			<-p.asked
			begun := time.Now()
			r.nc.Close()
			// If Ask has not returned by now, nothing is waited for.
			d.Wait(func() bool { return len(p.ended) > 0 || p.settled() > 0 })
			if took := time.Since(begun); took > 200*time.Millisecond {
				t.Errorf("ended after %v", took)
			}
			p.answer <- factor.Proven
			d.Wait(func() bool { return p.settled() == 1 })
		})
	}
}

// TestOutsideRace: the client watches the socket, and its question ends when the
// push is approved; a typed code wins as well.
func TestOutsideRace(t *testing.T) {
	for name, c := range map[string]struct {
		outcome factor.Outcome
		typed   string
		want    wire.Reason
	}{
		"approved":                  {outcome: factor.Proven},
		"denied":                    {outcome: factor.Denied, want: wire.ReasonPushDenied},
		"not answered":              {outcome: factor.Lapsed, want: wire.ReasonTimeout},
		"a code":                    {typed: "D 999999999\nEND"},
		"a wrong code, then nobody": {typed: "D 111111111\nEND", outcome: factor.Proven},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPhone()
			d := phoneDaemon(t, p, phoneRule)
			r := dialRaw(t, d)
			r.send("AUTH user=alice service=sudo conv=prompt race=1 first=1")
			r.expect("S INFO 1  push to Pixel 5")
			r.expect("S INFO 2  call Pixel 5")
			r.expect("INQUIRE SECRET Press Enter for a push:%20")
			r.send("END")
			r.expect("INQUIRE SECRET Push sent to Pixel 5: approve it, or type a code:%20")
			if c.typed != "" {
				r.send(c.typed)
			}
			if strings.Contains(c.typed, "111") {
				r.expect("S INFO wrong code")
				r.expect("INQUIRE SECRET Push sent to Pixel 5: approve it, or type a code:%20")
			}
			if !strings.Contains(c.typed, "999") {
				p.answer <- c.outcome
			}
			if c.want == wire.ReasonNone {
				r.expect("S VERDICT allow basis=factor factor=touch rule=phone")
				r.expect("OK")
			} else {
				r.expect("S VERDICT deny reason=" + c.want.String() + " rule=phone")
			}
			if p.settled() == 0 {
				t.Error("not settled")
			}
		})
	}
}
