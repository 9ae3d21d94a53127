package key_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/key"
	"github.com/factord/factord/daemon/factordtest/keysim"
	"github.com/factord/factord/daemon/wire/agent"
)

// device does what a test says.
type device func(ctx context.Context, j key.Job) error

func (d device) Do(ctx context.Context, j key.Job) error { return d(ctx, j) }

func capture(d key.Device) *key.Asking {
	return &key.Asking{Device: d, Key: "YubiKey 7", Job: key.Job{Verb: agent.Capture, Queue: key.Queue(7), For: "sudo",
		Request: &agent.CaptureRequest{Serials: []uint32{7}}, Reply: &agent.CaptureReply{}}}
}

// What the person is told, and when.
func TestCues(t *testing.T) {
	for name, c := range map[string]struct {
		verb     string
		progress []key.Progress
		want     string
	}{
		"listening":    {agent.Capture, []key.Progress{{State: agent.Ready}}, "Touch YubiKey 7"},
		"touch":        {agent.HMAC, []key.Progress{{State: agent.Ready}, {State: agent.Touch}}, "Touch YubiKey 7"},
		"absent":       {agent.HMAC, []key.Progress{{State: agent.Absent}}, "Plug in YubiKey 7, then touch it"},
		"busy":         {agent.HMAC, []key.Progress{{State: agent.Busy}}, "Another program holds YubiKey 7: close it, then touch the key"},
		"not its turn": {agent.HMAC, []key.Progress{{Ahead: "the locker"}}, "Touch YubiKey 7 for the locker first, then again for this"},
		"and another":  {agent.Capture, []key.Progress{{State: agent.Ready, Behind: "sudo"}}, "Touch YubiKey 7 for this; sudo waits for the next touch"},
		"silent":       {agent.HMAC, []key.Progress{{State: agent.Ready}}, "Waiting for YubiKey 7"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := capture(device(func(ctx context.Context, j key.Job) error {
				looked := make(chan struct{})
				go func() {
					defer close(looked)
					for _, p := range c.progress {
						j.Say(p)
					}
				}()
				<-looked
				<-ctx.Done()
				return context.Cause(ctx)
			}))
			a.Job.Verb = c.verb
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w, err := a.Ask(ctx)
			if err != nil || w == nil || w.Cue != c.want {
				t.Fatalf("%+v, %v", w, err)
			}
			cancel()
			if err := w.Until(ctx, func(string) {}); !errors.Is(err, context.Canceled) || a.Evidence() {
				t.Errorf("until %v", err)
			}
		})
	}
}

// A job that is given up has ended when that is known.
func TestCancelled(t *testing.T) {
	d := keysim.New()
	ctx, cancel := context.WithCancel(t.Context())
	a := capture(d)
	w, err := a.Ask(ctx)
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	cancel()
	if err := w.Until(ctx, func(string) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("until %v", err)
	}
	if d.Ended() != 1 || time.Since(begun) > 200*time.Millisecond {
		t.Errorf("%d jobs ended after %v", d.Ended(), time.Since(begun))
	}
}

func TestFailures(t *testing.T) {
	for code, c := range map[agent.Code]struct {
		late, outage bool
		text         string
	}{
		agent.Internal: {outage: true}, agent.Protocol: {outage: true}, agent.NotPermitted: {outage: true}, agent.NoAccess: {outage: true}, 99: {outage: true},
		agent.Gone:     {late: true, text: "YubiKey 7 is not plugged in: plug it in and try again"},
		agent.Held:     {late: true, text: "another program holds YubiKey 7: close it and try again"},
		agent.NoTouch:  {late: true, text: "YubiKey 7 was not touched in time"},
		agent.Late:     {late: true, text: "YubiKey 7 did not answer in time: try again"},
		agent.Declined: {text: "it was declined at YubiKey 7, or nobody touched it"}, agent.WrongKey: {text: "YubiKey 7 has not what was enrolled: was it set up anew? ask your administrator"},
		agent.WrongPIN: {text: "wrong PIN: 2 tries are left"}, agent.Blocked: {text: "the PIN of YubiKey 7 is blocked: use another factor, and unblock it with the maker's program"},
		agent.Replug: {text: "pull out YubiKey 7, plug it in and try again"}, agent.NoPIN: {text: "YubiKey 7 has no PIN, and one is needed: set one with the maker's program"},
		agent.LastTry: {text: "one try of the PIN is left, and was not used"}, agent.Unsupported: {text: "YubiKey 7 can't do this"},
		agent.Garbled: {text: "YubiKey 7 gave no clear answer: pull it out, plug it in and try again"},
	} {
		a := capture(device(func(context.Context, key.Job) error { return &agent.Error{Code: code, Tries: 2, Text: "test"} }))
		_, err := a.Ask(t.Context())
		var lapse *factor.Lapse
		var out *factor.Outage
		switch {
		case c.outage:
			if !errors.As(err, &out) || out.Unreachable {
				t.Errorf("%d: %v", code, err)
			}
		case !errors.As(err, &lapse) || lapse.Text != c.text || lapse.Late != c.late:
			t.Errorf("%d: %+v", code, lapse)
		}
		if a.Evidence() {
			t.Errorf("%d: evidence", code)
		}
	}
	for name, d := range map[string]key.Device{
		"none":     nil,
		"panics":   device(func(context.Context, key.Job) error { panic("test") }),
		"an error": device(func(context.Context, key.Job) error { return errors.New("test") }),
	} {
		a := capture(d)
		var out *factor.Outage
		if _, err := a.Ask(t.Context()); !errors.As(err, &out) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// answer answers the question that err is.
func answer(t *testing.T, err error, want, with string) {
	t.Helper()
	var q *factor.Question
	if !errors.As(err, &q) {
		t.Fatalf("%v, want the question %q", err, want)
	}
	if q.Text != want {
		t.Errorf("asked %q, want %q", q.Text, want)
	}
	s := factor.Secret(with)
	q.Answer(s)
	s.Wipe()
}

func TestPIN(t *testing.T) {
	wrong := func(left int) error { return &agent.Error{Code: agent.WrongPIN, Tries: left, Text: "wrong"} }
	t.Run("right", func(t *testing.T) {
		p := &key.PIN{Key: "YubiKey 7", Tries: 3}
		answer(t, p.Next(), "PIN of YubiKey 7: ", "123456")
		if err := p.Next(); err != nil || string(p.Secret()) != "123456" || p.LastTry() {
			t.Errorf("%v", err)
		}
		if secret := p.Secret(); true {
			p.Wipe()
			if string(secret) == "123456" {
				t.Error("the PIN is still there")
			}
		}
	})
	t.Run("twice wrong, then the last try", func(t *testing.T) {
		p := &key.PIN{Key: "YubiKey 7"}
		answer(t, p.Next(), "PIN of YubiKey 7: ", "1")
		answer(t, p.After(wrong(2)), "Wrong, 2 tries are left. PIN of YubiKey 7: ", "2")
		if err := p.Next(); err != nil {
			t.Fatal(err)
		}
		answer(t, p.After(wrong(1)), "Wrong, 1 try is left. PIN of YubiKey 7: ", "3")
		if p.LastTry() {
			t.Error("the last try is spent without a yes")
		}
		answer(t, p.Next(), "A wrong PIN would block it now. Type yes to try: ", "yes")
		if err := p.Next(); err != nil || !p.LastTry() {
			t.Errorf("%v, %v", err, p.LastTry())
		}
		blocked := &agent.Error{Code: agent.Blocked}
		if err := p.After(blocked); err != error(blocked) {
			t.Errorf("%v", err)
		}
	})
	for name, said := range map[string]string{"no": "no", "Enter": "", "something like yes": "Yes"} {
		t.Run("the last try: "+name, func(t *testing.T) {
			p := &key.PIN{Key: "YubiKey 7", Tries: 3}
			answer(t, p.Next(), "PIN of YubiKey 7: ", "1")
			answer(t, p.After(&agent.Error{Code: agent.LastTry, Tries: 1}), "A wrong PIN would block it now. Type yes to try: ", said)
			var lapse *factor.Lapse
			if err := p.Next(); !errors.As(err, &lapse) || p.LastTry() {
				t.Errorf("%v, %v", err, p.LastTry())
			}
		})
	}
	t.Run("Enter", func(t *testing.T) {
		p := &key.PIN{Key: "YubiKey 7", Tries: 1}
		answer(t, p.Next(), "PIN of YubiKey 7, 1 try is left: ", "")
		var lapse *factor.Lapse
		if err := p.Next(); !errors.As(err, &lapse) || lapse.Text != "no PIN was given" {
			t.Errorf("%v", err)
		}
	})
}

// A key that is touched at the question for its PIN types an OTP there. Three of those
// would shut it.
func TestPINIsNoOTP(t *testing.T) {
	for answer, want := range map[string]bool{"cccccchbtukfbgturecfllberrvkinnctnndvgt": true, "dvgtiblfkbgturecfllberrvkinnctnn": true,
		"123456": false, "cccccchbtu": false, "correct horse battery staple, and more": false} {
		p := &key.PIN{Key: "YubiKey 7", Tries: 3}
		var q *factor.Question
		if !errors.As(p.Next(), &q) {
			t.Fatal("no question")
		}
		q.Answer(factor.Secret(answer))
		var lapse *factor.Lapse
		if got := errors.As(p.Next(), &lapse); got != want {
			t.Errorf("%q: refused %v", answer, got)
		}
	}
}

func TestOfferOnlyHere(t *testing.T) {
	choices := []key.Choice{key.Touch(7), key.Touch(8)}
	d := keysim.New()
	if o, err := key.Offer(factor.Login{Wanted: true, Local: true}, d, choices); err != nil || !o.Usable || !o.Auto || o.Enter != "a touch of YubiKey 7" || len(o.Choices) != 2 {
		t.Errorf("here: %+v, %v", o, err)
	}
	for name, l := range map[string]factor.Login{"elsewhere": {Wanted: true}, "not wanted": {Local: true}} {
		if o, err := key.Offer(l, d, choices); err != nil || o.Usable || !o.Enrolled || len(o.Choices) > 0 {
			t.Errorf("%s: %+v, %v", name, o, err)
		}
	}
	if o, err := key.Offer(factor.Login{Wanted: true, Local: true}, d, nil); err != nil || o.Usable || !strings.Contains(o.Refused, "neither touch nor PIN") {
		t.Errorf("none serves: %+v, %v", o, err)
	}
}

func TestFor(t *testing.T) {
	for service, want := range map[string]string{"sudo": "sudo", "": "another login", strings.Repeat("ä", 40): strings.Repeat("ä", 16)} {
		if got := key.For(factor.Login{Service: service}); got != want {
			t.Errorf("%q: %q", service, got)
		}
	}
}

// A look at enrolment is the user's own: root's places are not theirs to fill.
func TestLooksAreTheUsers(t *testing.T) {
	var users []string
	d := device(func(_ context.Context, j key.Job) error {
		users = append(users, j.User)
		j.Reply.(*agent.KeysReply).Keys = []agent.Key{{Serial: 7, Card: &agent.PIV{}}}
		return nil
	})
	all := func(agent.Key) bool { return true }
	if serial, err := key.One(t.Context(), d, "alice", 0, "PIV", all); serial != 7 || err != nil {
		t.Errorf("%d, %v", serial, err)
	}
	if serial, err := key.OneCard(t.Context(), d, "bob"); serial != 7 || err != nil {
		t.Errorf("%d, %v", serial, err)
	}
	if got := strings.Join(users, " "); got != "alice bob" {
		t.Errorf("in the name of %q", got)
	}
}
