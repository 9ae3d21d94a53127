package session_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/wire"
)

// Whose factor is outside, and not in this rule, counts as one without a factor.
func TestOutsideNotPermittedOutsideIsNotEnrolled(t *testing.T) {
	for name, c := range map[string]struct{ rule, want string }{
		"enrols":   {"[[rule]]\nfactors=[\"totp\", \"backup\"]\nenroll=\"login\"\n", "ENROLLING"},
		"enrolled": {"[[rule]]\nfactors=[\"totp\"]\nmode=\"enrolled\"\n", "allow"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPhone()
			d := phoneDaemon(t, p, c.rule)
			r := dialRaw(t, d)
			r.send("AUTH user=alice service=sudo conv=flush first=1")
			got, _ := r.r.ReadString('\n')
			if strings.Contains(got, c.want) {
				t.Errorf("who has a phone outside: %q", got)
			}
		})
	}
}

// The tombstone is of a name, and an account may have two.
func TestOutsideTombstoneAlias(t *testing.T) {
	d := newDaemon(t, starting)
	d.MustEnroll("alice", "totp")
	d.MustCall("REMOVE id=totp-1 user=alice")
	d.Users.Set("alice2", 1001)
	r := dialRaw(t, d)
	r.send("AUTH user=alice service=sudo conv=flush first=1")
	got, _ := r.r.ReadString('\n')
	if strings.Contains(got, "ENROLLING") {
		t.Fatalf("alice: %q", got)
	}
	r = dialRaw(t, d)
	r.send("AUTH user=alice2 service=sudo conv=flush first=1")
	got, _ = r.r.ReadString('\n')
	if strings.Contains(got, "ENROLLING") {
		t.Errorf("alias of alice: %q", got)
	}
}

// Nobody is asked outside when the uid's quota is used up.
type noting struct {
	*phone
	note   chan string
	offers chan int
}

func (n noting) Offer(ctx context.Context, l factor.Login) (factor.Offer, error) {
	if l.Wanted {
		select {
		case n.offers <- 1:
		default:
		}
	}
	return n.phone.Offer(ctx, l)
}

func (n noting) Choose(ctx context.Context, l factor.Login, i int) (factor.Claim, error) {
	c, err := n.phone.Choose(ctx, l, i)
	c.Outside.Admit = func(rs factor.Records) error {
		v, _ := rs.Note()
		n.note <- string(v)
		return rs.PutNote([]byte("open"))
	}
	settle := c.Settle
	c.Settle = func(rs factor.Records) (factor.Finding, error) {
		f, err := settle(rs)
		if f.Outcome == factor.Denied {
			err = rs.PutNote([]byte("fraud"))
		}
		return f, err
	}
	return c, err
}

func TestOutsideQuotaForgetsADenial(t *testing.T) {
	n := noting{newPhone(), make(chan string, 200), make(chan int, 500)}
	d := factordtest.NewDaemon(t, factordtest.Options{Config: "[[rule]]\nservices=[\"free\"]\nmode=\"exempt\"\ncallers=[\"user\"]\n" + phoneRule, Factors: []factor.Factor{n}})
	for range 61 {
		if _, err := factordtest.Login(d.Socket, 1001, wire.Auth{User: "alice", Service: "free"}, &factordtest.Talk{}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		n.answer <- factor.Denied
		v, err := factordtest.Converse(d.Socket, 1001, wire.Auth{User: "alice", Service: "swaylock", Conv: wire.ConvPrompt}, &factordtest.Talk{Answers: []string{""}})
		t.Logf("%+v %v", v, err)
	}
	if len(n.note) > 0 {
		t.Errorf("%d times somebody was asked of whose answer there would be no record", len(n.note))
	}
}

// EXPLAIN by the user, in a loop, asks outside each time.
func TestOutsideStartLeaksNothing(t *testing.T) {
	d := newDaemon(t, starting)
	for i, until := range []int{0, 1, 2, 3} {
		r := dialRaw(t, d)
		r.send("AUTH user=bob service=sudo conv=flush first=1")
		for {
			got, err := r.r.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(got, "INQUIRE") {
				break
			}
		}
		switch until {
		case 1:
			r.send("D 12")
		case 2:
			r.send("D 123456\nEND\nD 123456\nEND\nD 1")
		case 3:
			r.send("END\nEND\nCAN\nNOP")
		}
		r.nc.Close()
		_ = i
	}
	time.Sleep(200 * time.Millisecond)
	if s := d.MustCall("LIST user=bob"); strings.Contains(s, "totp") {
		t.Error(s)
	}
}

// Explain asks nobody, it says.
func TestOutsideExplainAsksOutside(t *testing.T) {
	n := noting{newPhone(), make(chan string, 200), make(chan int, 500)}
	d := factordtest.NewDaemon(t, factordtest.Options{Config: phoneRule, Factors: []factor.Factor{n}})
	for range 100 {
		if _, err := factordtest.Call(d.Socket, 1001, "EXPLAIN service=sshd rhost=8.8.8.8"); err != nil {
			t.Fatal(err)
		}
	}
	if len(n.offers) > 0 {
		t.Errorf("100 EXPLAINs of a user asked %d times outside, unmetered", len(n.offers))
	}
}

// While the uid's quota is used up, answers are not looked at: the transaction that
// counts them would be rolled back.
func TestOutsideQuotaFreeGuesses(t *testing.T) {
	p := newPhone()
	d := phoneDaemon(t, p, "[[rule]]\nservices=[\"free\"]\nmode=\"exempt\"\ncallers=[\"user\"]\n"+phoneRule)
	tok := d.MustEnroll("alice", "totp")
	for range 61 {
		factordtest.Login(d.Socket, 1001, wire.Auth{User: "alice", Service: "free"}, &factordtest.Talk{})
	}
	right := factordtest.TOTP(t, tok, d.Clock.Now())
	for _, answer := range []string{"999999999", right, "000000"} {
		v, err := factordtest.Login(d.Socket, 1001, wire.Auth{User: "alice", Service: "swaylock"}, &factordtest.Talk{Answers: []string{answer}})
		if err != nil || v.Allow || v.Text != "too many logins: wait a minute, then try again" {
			t.Fatalf("%s: %+v %v", answer, v, err)
		}
	}
	if v := d.Login(wire.Auth{User: "alice", Service: "sudo"}, right); !v.Allow || p.settled() > 0 {
		t.Errorf("the code was looked at: %+v; the phone's %d times", v, p.settled())
	}
}

// Who has proven a factor outside has had one, and may not set one up when the
// server outside has forgotten them.
type forgetful struct {
	*phone
	gone bool
}

func (f *forgetful) Offer(ctx context.Context, l factor.Login) (factor.Offer, error) {
	if f.gone {
		return factor.Offer{}, nil
	}
	return f.phone.Offer(ctx, l)
}

func TestOutsideOutsideLeavesNoTombstone(t *testing.T) {
	f := &forgetful{phone: newPhone()}
	d := factordtest.NewDaemon(t, factordtest.Options{Config: phoneRule + "enroll=\"login\"\n", Factors: []factor.Factor{f}})
	f.answer <- factor.Proven
	v, err := factordtest.Converse(d.Socket, -1, wire.Auth{User: "alice", Service: "sudo", Conv: wire.ConvPrompt, First: true}, &factordtest.Talk{Answers: []string{""}})
	if err != nil || !v.Allow {
		t.Fatal(v, err)
	}
	f.gone = true
	r := dialRaw(t, d)
	r.send("AUTH user=alice service=sudo conv=flush first=1")
	if got, _ := r.r.ReadString('\n'); strings.Contains(got, "ENROLLING") {
		t.Errorf("who has just shown a phone: %q", got)
	}
}

// A push that nobody waits for any more leaves a record, and a denial of it ends the
// attempt.
func TestOutsideAbandonedIsRecorded(t *testing.T) {
	for name, c := range map[string]struct {
		say  string // beside the pending push; "" hangs up
		deny bool
		want string
	}{
		"hangs up":                    {},
		"gives up":                    {say: "CAN", want: "cancelled"},
		"types a code, push not seen": {say: "D 999999999\nEND", want: "allow"},
		"gives up after a denial":     {say: "CAN", deny: true, want: "push-denied"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPhone()
			d := phoneDaemon(t, p, phoneRule)
			r := dialRaw(t, d)
			r.send("AUTH user=alice service=sudo conv=flush")
			r.expect("INQUIRE SECRET Passcode:%20")
			r.send("END")
			r.expect("INQUIRE SECRET Approve it, then press Enter:%20")
			if c.deny {
				p.answer <- factor.Denied
				d.Wait(func() bool { return len(p.answer) == 0 })
			}
			if c.say == "" {
				r.nc.Close()
			} else {
				r.send(c.say)
				if got, _ := r.r.ReadString('\n'); !strings.Contains(got, c.want) {
					t.Errorf("heard %q", got)
				}
			}
			d.Wait(func() bool { return strings.Contains(d.MustCall("AUDIT"), `"factor":"touch"`) })
		})
	}
}
