package session_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
)

// A client that says race=1 though it can't be asked gets a zero verdict while the
// push goes on; the reservation is never settled.
func TestOutsideRaceWithoutConversation(t *testing.T) {
	for _, conv := range []string{"none", "info"} {
		t.Run(conv, func(t *testing.T) {
			p := newPhone()
			d := phoneDaemon(t, p, phoneRule)
			r := dialRaw(t, d)
			r.send("AUTH user=alice service=sudo race=1 conv=" + conv)
			<-p.asked
			p.answer <- factor.Proven
			got, _ := r.r.ReadString('\n')
			for strings.HasPrefix(got, "S INFO") {
				got, _ = r.r.ReadString('\n')
			}
			t.Logf("heard %q", got)
			if !strings.Contains(got, "allow") {
				t.Errorf("an approved push: %q", got)
			}
			r.nc.Close()
			time.Sleep(300 * time.Millisecond)
			if p.settled() != 1 {
				t.Errorf("booked once, settled %d times", p.settled())
			}
		})
	}
}

// A number typed beside a pending push replaces it without settling it.
func TestOutsideSecondChoiceLeaksTheFirst(t *testing.T) {
	p := newPhone()
	d := phoneDaemon(t, p, phoneRule)
	r := dialRaw(t, d)
	r.send("AUTH user=alice service=sudo conv=flush first=1")
	r.expect("S INFO 1  push to Pixel 5")
	r.expect("S INFO 2  call Pixel 5")
	r.r.ReadString('\n')
	r.send("END")
	<-p.asked
	r.r.ReadString('\n')
	r.send("D 2\nEND")
	<-p.asked
	got, _ := r.r.ReadString('\n')
	t.Logf("heard %q", got)
	r.nc.Close()
	time.Sleep(500 * time.Millisecond)
	if p.settled() != 2 {
		t.Errorf("two were asked at a time, %d settled", p.settled())
	}
}

// A long code that somebody outside looks at costs a failure even while the
// source waits; so one source drives up the failures over all sources.
func TestOutsideOneSourceLocksAll(t *testing.T) {
	p := newPhone()
	d := phoneDaemon(t, p, phoneRule)
	tok := d.MustEnroll("alice", "totp")
	for range 40 {
		_, err := factordtest.Login(d.Socket, -1, wire.Auth{User: "alice", Service: "sshd", RHost: "192.0.2.1"}, &factordtest.Talk{Answers: []string{"111111111", "111111111", "111111111"}})
		if err != nil {
			t.Fatal(err)
		}
	}
	v, err := factordtest.Login(d.Socket, -1, wire.Auth{User: "alice", Service: "sshd", RHost: "198.51.100.9"}, &factordtest.Talk{Answers: []string{factordtest.TOTP(t, tok, d.Clock.Now())}})
	if err != nil || !v.Allow {
		t.Errorf("from another network: %+v %v", v, err)
	}
}

// Without a proven first factor the bare Enter names nothing of what the user has.
func TestOutsideEnterTells(t *testing.T) {
	p := newPhone()
	d := phoneDaemon(t, p, phoneRule)
	k := &talk{Talk: factordtest.Talk{Answers: []string{"", ""}}, when: map[string]func(){"Approve": func() { p.answer <- factor.Lapsed }}}
	_, err := factordtest.Converse(d.Socket, -1, wire.Auth{User: "alice", Service: "sshd", RHost: "192.0.2.1", Conv: wire.ConvFlush}, k)
	if shown := strings.Join(k.Shown, "|"); err != nil || shown != "Passcode: |Approve it, then press Enter: |no code was given|Passcode: " {
		t.Errorf("shown %q, %v", shown, err)
	}
}

// A factor that panics while it asks leaves a goroutine that reads beside the
// session, and a booking.
type panicker struct{ *phone }

func (p panicker) Choose(ctx context.Context, l factor.Login, n int) (factor.Claim, error) {
	c, err := p.phone.Choose(ctx, l, n)
	c.Outside.Ask = func(context.Context) (*factor.Wait, error) { panic("boom") }
	return c, err
}

func TestOutsidePanicInAsk(t *testing.T) {
	p := panicker{newPhone()}
	d := factordtest.NewDaemon(t, factordtest.Options{Config: phoneRule, Factors: []factor.Factor{p}})
	r := dialRaw(t, d)
	r.send("AUTH user=alice service=sudo conv=prompt")
	r.expect("INQUIRE SECRET Passcode:%20")
	r.send("END")
	got, _ := r.r.ReadString('\n')
	t.Logf("%q", got)
	got, _ = r.r.ReadString('\n')
	t.Logf("%q", got)
	r.send("NOP")
	got, _ = r.r.ReadString('\n')
	t.Logf("%q", got)
	if p.settled() != 1 {
		t.Errorf("settled %d times", p.settled())
	}
}

// What a server outside says can make a line that no client takes.
type talker struct {
	*phone
	choice, cue string
}

func (p talker) Offer(ctx context.Context, l factor.Login) (factor.Offer, error) {
	o, err := p.phone.Offer(ctx, l)
	o.Choices, o.Hint = []string{p.choice}, "passcode"
	return o, err
}

func (p talker) Choose(ctx context.Context, l factor.Login, n int) (factor.Claim, error) {
	c, err := p.phone.Choose(ctx, l, n)
	ask := c.Outside.Ask
	c.Outside.Ask = func(ctx context.Context) (*factor.Wait, error) {
		w, err := ask(ctx)
		w.Cue = p.cue
		return w, err
	}
	return c, err
}

func TestOutsideLongCue(t *testing.T) {
	p := talker{newPhone(), "push", "Push sent to " + strings.Repeat("📱", 300)}
	d := factordtest.NewDaemon(t, factordtest.Options{Config: phoneRule, Factors: []factor.Factor{p}})
	p.answer <- factor.Proven
	v, err := factordtest.Converse(d.Socket, -1, wire.Auth{User: "alice", Service: "sudo", Conv: wire.ConvFlush, First: true}, &factordtest.Talk{Answers: []string{"", ""}})
	if err != nil || !v.Allow {
		t.Errorf("%+v, %v", v, err)
	}
}

// A guess that was looked at costs its failure, though the client hangs up.
func TestOutsideHangUpGivesGuessBack(t *testing.T) {
	p := newPhone()
	looked := make(chan struct{}, 100)
	s := slow{p, looked}
	d := factordtest.NewDaemon(t, factordtest.Options{Config: phoneRule, Factors: []factor.Factor{s}})
	for range 6 { // the sixth brings a wait
		r := dialRaw(t, d)
		r.send("AUTH user=alice service=sudo rhost=192.0.2.1 conv=prompt")
		r.expect("INQUIRE SECRET Passcode:%20")
		r.send("D 111111\nEND")
		<-looked
		r.nc.Close()
		d.Wait(func() bool { return d.Connections() == 0 })
	}
	r := dialRaw(t, d)
	r.send("AUTH user=alice service=sudo rhost=192.0.2.1 conv=prompt")
	r.expect("INQUIRE SECRET Passcode:%20")
	r.send("D 111111\nEND")
	if got, _ := r.r.ReadString('\n'); !strings.Contains(got, "rate-limited") || len(looked) > 0 {
		t.Errorf("the seventh guess in a row: %q; looked at: %d", got, len(looked))
	}
}

// slow looks at a guess at once, and answers late.
type slow struct {
	*phone
	looked chan struct{}
}

func (s slow) Verify(ctx context.Context, l factor.Login, answer factor.Secret) (factor.Claim, error) {
	c, err := s.phone.Verify(ctx, l, answer)
	if err == nil {
		c.Outside.Ask = func(ctx context.Context) (*factor.Wait, error) {
			s.looked <- struct{}{}
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}
	}
	return c, err
}

// The user's own client hangs up while factors are asked; a bypass code of root's
// makes the session go on as if a record were damaged.
func TestOutsideTalksDuringOffer(t *testing.T) {
	s := slowOffer{newPhone()}
	d := factordtest.NewDaemon(t, factordtest.Options{Config: phoneRule, Factors: []factor.Factor{s}})
	d.MustEnroll("alice", "totp")
	d.MustCall("BYPASS user=alice for=1h")
	r := dialRaw(t, d)
	r.send("AUTH user=alice service=sudo conv=prompt first=1")
	time.Sleep(50 * time.Millisecond)
	r.send("NOP")
	got, _ := r.r.ReadString('\n')
	if !strings.Contains(got, "VERDICT deny") {
		t.Errorf("who talks out of turn is asked on: %q", got)
	}
}

type slowOffer struct{ *phone }

func (s slowOffer) Offer(ctx context.Context, l factor.Login) (factor.Offer, error) {
	if l.Wanted && !l.Discreet {
		select {
		case <-ctx.Done():
			return factor.Offer{}, context.Cause(ctx)
		case <-time.After(2 * time.Second):
		}
	}
	return s.phone.Offer(ctx, l)
}

// A lapsed push costs the answer that asked for it, and no other.
func TestOutsideAnswersLeftAfterLapses(t *testing.T) {
	p := newPhone()
	d := phoneDaemon(t, p, phoneRule)
	p.answer <- factor.Lapsed
	p.answer <- factor.Lapsed
	for _, conv := range []wire.Conv{wire.ConvPrompt, wire.ConvFlush} {
		answers := []string{"", "", "999999999"}
		if conv == wire.ConvFlush {
			p.answer <- factor.Lapsed
			p.answer <- factor.Lapsed
			answers = []string{"", "", "", "", "999999999"}
		}
		k := &factordtest.Talk{Answers: answers}
		v, err := factordtest.Converse(d.Socket, -1, wire.Auth{User: "alice", Service: "sudo", Conv: conv, First: true}, k)
		if err != nil || !v.Allow {
			t.Errorf("%v: %+v %v %q", conv, v, err, k.Shown)
		}
	}
}

// A client that speaks while somebody is waited for hears its verdict, and then the end.
func TestOutsideTalksWhileWaitedFor(t *testing.T) {
	for _, conv := range []string{"prompt", "info", "none"} {
		p := newPhone()
		r := dialRaw(t, phoneDaemon(t, p, phoneRule))
		r.send("AUTH user=alice service=sudo conv=" + conv)
		if conv == "prompt" {
			r.expect("INQUIRE SECRET Passcode:%20")
			r.send("END")
		}
		<-p.asked
		if conv != "none" {
			r.expect("S INFO Approve it")
		}
		r.send("D 123456\nEND")
		heard, err := io.ReadAll(r.r)
		if err != nil || !strings.Contains(string(heard), "reason=protocol") {
			t.Errorf("%s: %q, %v", conv, heard, err)
		}
	}
}

// So does one that speaks before that, while somebody is being asked.
func TestOutsideTalksDuringAsk(t *testing.T) {
	needRoot(t)
	p := newPlugged()
	p.slow = true
	d := factordtest.NewDaemon(t, factordtest.Options{Config: phoneRule, Factors: []factor.Factor{p}, Places: factordtest.Places(atSeat)})
	d.MustEnroll("alice", "touch")
	r := dialRaw(t, d)
	r.send("AUTH user=alice service=sudo conv=none first=1")
	<-p.asked
	r.send("END")
	r.expect("S VERDICT deny reason=protocol rule=phone")
}

// tardy says yes when the client has hung up, and not before.
type tardy struct {
	*phone
	asking chan struct{}
}

func (p *tardy) Verify(ctx context.Context, l factor.Login, answer factor.Secret) (factor.Claim, error) {
	c, err := p.phone.Verify(ctx, l, answer)
	if err == nil {
		c.Outside.Ask = func(ctx context.Context) (*factor.Wait, error) {
			close(p.asking)
			<-ctx.Done()
			return nil, nil
		}
	}
	return c, err
}

// A yes for one who has hung up lets nobody in, and is not recorded as if it had.
func TestOutsideHangsUpDuringAsk(t *testing.T) {
	p := &tardy{newPhone(), make(chan struct{})}
	d := factordtest.NewDaemon(t, factordtest.Options{Config: phoneRule, Factors: []factor.Factor{p}})
	r := dialRaw(t, d)
	r.send("AUTH user=alice service=sudo conv=prompt")
	r.expect("INQUIRE SECRET Passcode:%20")
	r.send("D 999999999\nEND")
	<-p.asking
	r.nc.Close()
	d.Wait(func() bool { return p.settled() == 1 && len(factordtestAudit(d)) > 0 })
	if records := strings.Join(factordtestAudit(d), "\n"); strings.Contains(records, `"allow"`) {
		t.Errorf("recorded: %s", records)
	}
}
