package session_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factordtest"
)

type chaos struct {
	admitted, settled, proven, running atomic.Int64
}

func (p *chaos) Name() string { return "touch" }
func (p *chaos) Offer(ctx context.Context, l factor.Login) (factor.Offer, error) {
	if !l.Discreet && l.Wanted {
		select {
		case <-time.After(time.Duration(rand.IntN(3)) * time.Millisecond):
		case <-ctx.Done():
			return factor.Offer{}, context.Cause(ctx)
		}
	}
	if l.Discreet {
		return factor.Offer{Enrolled: true, Usable: true, Undisclosed: true}, nil
	}
	return factor.Offer{Enrolled: true, Usable: true, Enter: "a push", Choices: []string{"push to P", "call P"}}, nil
}
func (p *chaos) Verify(_ context.Context, l factor.Login, answer factor.Secret) (factor.Claim, error) {
	if !answer.Digits(6, 9) {
		return factor.Claim{}, factor.ErrNotMine
	}
	c := p.claim(false)
	c.Guessable = answer.Digits(6, 8)
	return c, nil
}
func (p *chaos) Choose(_ context.Context, l factor.Login, n int) (factor.Claim, error) {
	if n > 1 {
		return factor.Claim{}, factor.ErrNotMine
	}
	return p.claim(true), nil
}
func (p *chaos) claim(waits bool) factor.Claim {
	outcome := factor.Lapsed
	return factor.Claim{
		Outside: &factor.Outside{
			Admit: func(rs factor.Records) error {
				if rand.IntN(20) == 0 {
					return &factor.Held{Text: "held", Log: "held"}
				}
				p.admitted.Add(1)
				return nil
			},
			Ask: func(ctx context.Context) (*factor.Wait, error) {
				select {
				case <-time.After(time.Duration(rand.IntN(4)) * time.Millisecond):
				case <-ctx.Done():
					return nil, context.Cause(ctx)
				}
				if rand.IntN(10) == 0 {
					return nil, &factor.Outage{Text: "down", Err: io.ErrNoProgress, Unreachable: true}
				}
				if !waits {
					outcome = factor.Wrong
					return nil, nil
				}
				return &factor.Wait{Cue: "cue", Until: func(ctx context.Context, say func(string)) error {
					p.running.Add(1)
					defer p.running.Add(-1)
					say("ringing")
					select {
					case <-time.After(time.Duration(rand.IntN(12)) * time.Millisecond):
						switch rand.IntN(8) {
						case 0:
							panic("chaos")
						case 1:
							return io.ErrUnexpectedEOF
						case 2:
							outcome = factor.Denied
						case 3:
							outcome = factor.Proven
						}
						return nil
					case <-ctx.Done():
						return context.Cause(ctx)
					}
				}}, nil
			},
		},
		Settle: func(rs factor.Records) (factor.Finding, error) {
			p.settled.Add(1)
			if outcome == factor.Proven {
				p.proven.Add(1)
			}
			return factor.Finding{Outcome: outcome, ID: "x"}, nil
		},
	}
}

func TestOutsideChaos(t *testing.T) {
	p := &chaos{}
	d := factordtest.NewDaemon(t, factordtest.Options{Config: phoneRule, Factors: []factor.Factor{p}})
	time.Sleep(100 * time.Millisecond)
	before := runtime.NumGoroutine()
	var wg sync.WaitGroup
	var verdicts, allows, hung atomic.Int64
	var odd sync.Map
	for w := range 12 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 80 {
				nc, err := factordtest.Dial(d.Socket, -1)
				if err != nil {
					t.Error(err)
					return
				}
				conv := []string{"prompt", "flush", "prompt race=1", "flush race=1", "info", "none"}[rand.IntN(6)]
				first := []string{"", " first=1"}[rand.IntN(2)]
				user := []string{"alice", "bob", "nobodyatall"}[rand.IntN(3)]
				nc.SetDeadline(time.Now().Add(250 * time.Millisecond))
				fmt.Fprintf(nc, "AUTH user=%s service=sudo rhost=192.0.2.%d%s conv=%s\n", user, w, first, conv)
				buf := make([]byte, 4096)
				var heard strings.Builder
				for range rand.IntN(40) {
					n, err := nc.Read(buf)
					heard.Write(buf[:n])
					if err != nil {
						if strings.Contains(err.Error(), "timeout") {
							hung.Add(1)

						}
						break
					}
					if !strings.Contains(string(buf[:n]), "INQUIRE") {
						if rand.IntN(15) == 0 {
							break
						}
						continue
					}
					text := []string{"END\n", "END\n", "D 111111\nEND\n", "D 123456789\nEND\n", "CAN\n", "D 12", "END\nEND\n", "D 111111\nEND\nNOP\n", "D \n", "NOP\n", "\n", "D %zz\nEND\n"}[rand.IntN(12)]
					io.WriteString(nc, text)
					if rand.IntN(6) == 0 {
						time.Sleep(time.Duration(rand.IntN(10)) * time.Millisecond)
						break
					}
				}
				nc.Close()
				h := heard.String()
				if n := strings.Count(h, "S VERDICT"); n > 1 {
					odd.Store(h, conv)
				} else if n == 1 {
					verdicts.Add(1)
				}
				if strings.Contains(h, "reason=internal") {
					allows.Add(0)
				}
				if strings.Contains(h, "S VERDICT allow") {
					allows.Add(1)
					if strings.Contains(h, "user=nobody") {
						odd.Store(h, conv)
					}
				}
				_ = i
			}
		}()
	}
	wg.Wait()
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) && (p.settled.Load() != p.admitted.Load() || runtime.NumGoroutine() > before+2) {
		time.Sleep(50 * time.Millisecond)
	}
	t.Logf("admitted %d settled %d proven %d running %d verdicts %d allows %d hung %d goroutines %d -> %d", p.admitted.Load(), p.settled.Load(), p.proven.Load(), p.running.Load(), verdicts.Load(), allows.Load(), hung.Load(), before, runtime.NumGoroutine())
	if p.admitted.Load() != p.settled.Load() {
		t.Error("reservations leak")
	}
	if runtime.NumGoroutine() > before+2 {
		t.Error("goroutines leak")
		b := make([]byte, 1<<16)
		t.Log(string(b[:runtime.Stack(b, true)]))
	}
	n := 0
	odd.Range(func(k, v any) bool { t.Errorf("%v: %q", v, k); n++; return n < 5 })
	if allows.Load() > p.proven.Load() {
		t.Error("more allows than proofs")
	}
}
