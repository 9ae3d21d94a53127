package session_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/policy"
	"github.com/factord/factord/daemon/session"
	"github.com/factord/factord/daemon/wire"
)

// plugged is a factor of a key that is plugged in here, for users with a record of it.
type plugged struct {
	*phone
	questions []factor.Question // before it is asked
	lapse     chan error        // ends a wait
	guessed   bool
}

func newPlugged() *plugged { return &plugged{phone: newPhone(), lapse: make(chan error, 9)} }

func (p *plugged) OnlyHere() {}

func (p *plugged) Offer(_ context.Context, l factor.Login) (factor.Offer, error) {
	if len(l.Records) == 0 {
		return factor.Offer{}, nil
	}
	if !l.Local || !l.Wanted {
		return factor.Offer{Enrolled: true, Refused: "your key works only here"}, nil
	}
	return factor.Offer{Enrolled: true, Usable: true, Enter: "a touch", Choices: []string{"touch of the key"}, Auto: true}, nil
}

func (p *plugged) Verify(context.Context, factor.Login, factor.Secret) (factor.Claim, error) {
	return factor.Claim{}, factor.ErrNotMine
}

func (p *plugged) Choose(_ context.Context, l factor.Login, n int) (factor.Claim, error) {
	if n > 0 {
		return factor.Claim{}, factor.ErrNotMine
	}
	outcome := factor.Lapsed
	questions := p.questions
	return factor.Claim{
		Chosen: true,
		Outside: &factor.Outside{
			Ask: func(ctx context.Context) (*factor.Wait, error) {
				if len(questions) > 0 {
					q := questions[0]
					questions = questions[1:]
					return nil, &q
				}
				p.asked <- n
				if p.slow {
					<-ctx.Done()
					p.ended <- struct{}{}
					return nil, context.Cause(ctx)
				}
				return &factor.Wait{Cue: "Touch the key", Until: func(ctx context.Context, say func(string)) error {
					select {
					case outcome = <-p.answer:
						return nil
					case err := <-p.lapse:
						return err
					case <-ctx.Done():
						p.ended <- struct{}{}
						return context.Cause(ctx)
					}
				}}, nil
			},
			Guessed: func() bool { return p.guessed },
		},
		Settle: func(factor.Records) (factor.Finding, error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.stored = append(p.stored, "")
			return factor.Finding{Outcome: outcome, ID: "touch-1"}, nil
		},
	}, nil
}

func (p *plugged) Kinds() []string { return []string{"touch"} }

func (p *plugged) Describe(r factor.Record) (factor.Item, error) {
	return factor.Item{ID: r.ID, Factor: "touch", Kind: "touch"}, nil
}

func (p *plugged) Enroll(e factor.Enrolment) (factor.Draft, error) {
	return factor.Draft{ID: "touch-1", Show: map[string]string{"id": "touch-1"}, Commit: func(rs factor.Records, _ factor.Secret, _ time.Time) error {
		return rs.Put("touch-1", []byte("{}"))
	}}, nil
}

func atSeat(uint32) (session.Place, error) {
	return session.Place{Session: "1", Owner: 1001, Local: policy.Yes, Alone: true}, nil
}

// seated is a daemon with alice's key and her token.
func seated(t *testing.T, p *plugged, places factordtest.Places) *factordtest.Daemon {
	t.Helper()
	needRoot(t)
	d := factordtest.NewDaemon(t, factordtest.Options{Config: phoneRule, Factors: []factor.Factor{p}, Places: places})
	d.MustEnroll("alice", "touch")
	return d
}

const raceLine = "AUTH user=alice service=sudo conv=prompt race=1 first=1"

// A key is armed before the question, and touch and code race.
func TestAutoRace(t *testing.T) {
	const question = "INQUIRE SECRET Touch the key, or type a code:%20"
	p := newPlugged()
	d := seated(t, p, atSeat)
	tok := d.MustEnroll("alice", "totp")
	begin := func(t *testing.T) *line {
		t.Helper()
		r := dialRaw(t, d)
		r.send(raceLine)
		r.expect(question)
		<-p.asked
		return r
	}
	t.Run("touch", func(t *testing.T) {
		r := begin(t)
		p.answer <- factor.Proven
		r.expect("S VERDICT allow basis=factor factor=touch rule=phone")
	})
	records := func() int { return len(factordtestAudit(d)) }
	t.Run("code", func(t *testing.T) {
		before := records()
		r := begin(t)
		r.send("D " + factordtest.TOTP(t, tok, d.Clock.Now()) + "\nEND")
		r.expect("S VERDICT allow basis=factor factor=totp rule=phone")
		<-p.ended
		if n := records() - before; n != 1 {
			t.Errorf("%d audit records", n)
		}
	})
	t.Run("wrong code, then touch", func(t *testing.T) {
		r := begin(t)
		r.send("D 000000\nEND")
		r.expect("S INFO wrong code")
		r.expect(question)
		p.answer <- factor.Proven
		r.expect("S VERDICT allow basis=factor factor=touch rule=phone")
	})
	t.Run("a wrong touch", func(t *testing.T) {
		r := begin(t)
		p.answer <- factor.Wrong
		r.expect("S VERDICT deny reason=attempts rule=phone")
	})
	t.Run("lapsed beside the question", func(t *testing.T) {
		r := begin(t)
		p.lapse <- &factor.Lapse{Text: "not touched in time", Late: true, Err: errors.New("no touch")}
		r.send("D 000000\nEND") // whichever comes first
		r.expect("S INFO wrong code: is the phone's time set automatically? a touch works too")
		r.expect("S INFO not touched in time")
		r.expect("INQUIRE SECRET Passcode, or Enter for a touch:%20")
		r.send("END")
		r.expect(question)
		<-p.asked
		p.answer <- factor.Proven
		r.expect("S VERDICT allow basis=factor factor=touch rule=phone")
	})
	t.Run("client gone", func(t *testing.T) {
		r := begin(t)
		begun := time.Now()
		r.nc.Close()
		<-p.ended
		if took := time.Since(begun); took > 200*time.Millisecond {
			t.Errorf("ended after %v", took)
		}
	})
	t.Run("client gone while it is armed", func(t *testing.T) {
		p.slow = true
		defer func() { p.slow = false }()
		r := dialRaw(t, d)
		r.send(raceLine)
		<-p.asked
		begun := time.Now()
		r.nc.Close()
		<-p.ended
		if took := time.Since(begun); took > 200*time.Millisecond {
			t.Errorf("ended after %v", took)
		}
	})
}

// factordtestAudit are the records of the chain.
func factordtestAudit(d *factordtest.Daemon) []string {
	data, _ := factordtest.Call(d.Socket, -1, "AUDIT")
	return data
}

// Without a race a code that can be typed is asked for; where there is none, nothing is.
func TestAutoWithoutRace(t *testing.T) {
	p := newPlugged()
	d := seated(t, p, atSeat)
	at := func(on string, answers ...string) (*talk, wire.Verdict) {
		k := &talk{Talk: factordtest.Talk{Answers: answers}, when: map[string]func(){on: func() { p.answer <- factor.Proven }}}
		v, err := factordtest.Converse(d.Socket, -1, wire.Auth{User: "alice", Service: "sudo", First: true, Conv: wire.ConvPrompt}, k)
		if err != nil {
			t.Fatal(err)
		}
		return k, v
	}
	k, v := at("Touch the key")
	expect(t, v, "allow factor touch")
	if strings.Join(k.Shown, "|") != "Touch the key" {
		t.Errorf("shown %q", k.Shown)
	}
	p.lapse <- &factor.Lapse{Text: "not touched in time", Late: true, Err: errors.New("no touch")}
	k, v = at("not touched", "")
	if got := strings.Join(k.Shown, "|"); !v.Allow || got != "Touch the key|not touched in time|Press Enter for a touch: |Touch the key" {
		t.Errorf("shown %q, %+v", got, v)
	}
	d.MustEnroll("alice", "totp")
	k, v = at("Touch the key", "")
	expect(t, v, "allow factor touch")
	if strings.Join(k.Shown, "|") != "Passcode, or Enter for a touch: |Touch the key" {
		t.Errorf("shown %q", k.Shown)
	}
}

// Who has shown no first factor learns nothing of the key from the prompt.
func TestAutoIsDiscreet(t *testing.T) {
	p := newPlugged()
	d := seated(t, p, atSeat)
	r := dialRaw(t, d)
	r.send("AUTH user=alice service=sudo conv=prompt race=1")
	r.expect("INQUIRE SECRET Passcode:%20")
	if len(p.asked) > 0 {
		t.Error("the key was asked")
	}
}

// What has to be answered before a key can be asked, is asked for.
func TestQuestions(t *testing.T) {
	var heard []string
	question := func(text string, echo bool) factor.Question {
		return factor.Question{Text: text, Echo: echo, Answer: func(s factor.Secret) { heard = append(heard, string(s)) }}
	}
	begin := func(t *testing.T, questions ...factor.Question) (*plugged, *line) {
		t.Helper()
		heard = nil
		p := newPlugged()
		p.questions = questions
		d := seated(t, p, atSeat)
		d.MustEnroll("alice", "totp")
		r := dialRaw(t, d)
		r.send("AUTH user=alice service=sudo conv=prompt first=1")
		r.expect("INQUIRE SECRET Passcode, or Enter for a touch:%20")
		r.send("END")
		return p, r
	}
	t.Run("answered", func(t *testing.T) {
		p, r := begin(t, question("PIN: ", false), question("Type yes: ", true), question("PIN: ", false), question("PIN: ", false))
		r.expect("INQUIRE SECRET PIN:%20")
		r.send("D  1234\nEND")
		r.expect("INQUIRE PROMPT Type yes:%20")
		r.send("END") // Enter is an answer
		for range 2 {
			r.expect("INQUIRE SECRET PIN:%20")
			r.send("D 1\nEND")
		}
		<-p.asked
		p.answer <- factor.Proven
		r.expect("S INFO Touch the key")
		r.expect("S VERDICT allow basis=factor factor=touch rule=phone")
		if got := strings.Join(heard, "|"); got != " 1234||1|1" {
			t.Errorf("heard %q", got)
		}
	})
	t.Run("too many", func(t *testing.T) {
		q := question("PIN: ", false)
		p, r := begin(t, q, q, q, q, q)
		for range 4 {
			r.expect("INQUIRE SECRET PIN:%20")
			r.send("END")
		}
		r.expect("S INFO too many wrong answers: log in again")
		r.expect("INQUIRE SECRET Passcode, or Enter for a touch:%20")
		r.send("CAN")
		r.expect("S VERDICT deny reason=cancelled rule=phone")
		if len(p.asked) > 0 {
			t.Error("the key was asked")
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		_, r := begin(t, question("PIN: ", false))
		r.expect("INQUIRE SECRET PIN:%20")
		r.send("CAN")
		r.expect("S VERDICT deny reason=cancelled rule=phone")
	})
	t.Run("gone", func(t *testing.T) {
		p, r := begin(t, question("PIN: ", false))
		r.expect("INQUIRE SECRET PIN:%20")
		r.nc.Close()
		for p.settled() == 0 {
			time.Sleep(time.Millisecond)
		}
	})
	t.Run("after a wrong code", func(t *testing.T) {
		_, r := begin(t, question("PIN: ", false))
		r.expect("INQUIRE SECRET PIN:%20")
		r.send("D 1\nEND")
		r.expect("S INFO Touch the key")
	})
}

// A touch that never comes ends with the attempt.
func TestAutoNever(t *testing.T) {
	needRoot(t)
	for name, line := range map[string]string{"race": raceLine, "alone": "AUTH user=alice service=sudo conv=prompt first=1", "nobody to ask": "AUTH user=alice service=sudo conv=none first=1"} {
		t.Run(name, func(t *testing.T) {
			p := newPlugged()
			d := factordtest.NewDaemon(t, factordtest.Options{Config: phoneRule, Factors: []factor.Factor{p}, Places: factordtest.Places(atSeat), AttemptTime: 300 * time.Millisecond})
			d.MustEnroll("alice", "touch")
			r := dialRaw(t, d)
			r.send(line)
			<-p.asked
			switch name {
			case "race":
				r.expect("INQUIRE SECRET Touch the key:%20")
			case "alone":
				r.expect("S INFO Touch the key")
			}
			r.expect("S VERDICT deny reason=timeout rule=phone")
			<-p.ended
		})
	}
}
