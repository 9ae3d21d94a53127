package touch_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor/yubico"
	"github.com/factord/factord/daemon/factor/yubico/ykval"
	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/factordtest/keysim"
	"github.com/factord/factord/daemon/factordtest/yksim"
	"github.com/factord/factord/daemon/wire"
	"github.com/factord/factord/daemon/wire/agent"
)

func TestLogin(t *testing.T) {
	d := newDesk(t)
	d.enrollOTP()
	if data := d.mustEnrollTouch(); !strings.Contains(data, `"serial":12345678,"token":"yubico-1"}`) {
		t.Errorf("enrolled %s", data)
	}
	d.byTouch()
	if last := d.audit(); !strings.Contains(last, `"id":"touch-1"`) || !strings.Contains(last, `OTP of \"yubico-1\", captured from YubiKey 12345678`) {
		t.Errorf("audit: %s", last)
	}
	d.byTouch()
}

// An OTP comes once, whichever way it comes.
func TestReplay(t *testing.T) {
	d := newDesk(t)
	var last string
	types := func() string { last = d.otp.Touch(); return last }
	d.keys.Plug(&keysim.Key{Serial: serial, Types: types})
	d.enrollOTP()
	d.mustEnrollTouch()
	d.expect(d.typed(last), "deny replayed") // enrolling has spent it
	d.byTouch()
	d.expect(d.typed(last), "deny replayed")
	otp := d.otp.Touch()
	d.expect(d.typed(otp), "factor yubico")
	d.keys.Plug(&keysim.Key{Serial: serial, Types: func() string { return otp }})
	l := d.race("sudo")
	l.expect(question(ask))
	d.keys.Touch(serial)
	l.expect("S VERDICT deny reason=attempts rule=any")
	l.expect("ERR 113 too many wrong answers; this code was used already: use another one")
	d.expect(d.typed(d.otp.Touch()), "factor yubico")
}

// A code is typed while the key waits; another attempt then has it.
func TestTypedInstead(t *testing.T) {
	d := newDesk(t)
	d.enrollOTP()
	d.mustEnrollTouch()
	ended := d.keys.Ended()
	l := d.race("sudo")
	l.expect(question(ask))
	l.send("D " + d.otp.Touch() + "\nEND")
	l.expect("S VERDICT allow basis=factor factor=yubico rule=any")
	d.Wait(func() bool { return d.keys.Ended() == ended+1 })
}

func TestStates(t *testing.T) {
	d := newDesk(t)
	d.enrollOTP()
	d.mustEnrollTouch()
	t.Run("absent", func(t *testing.T) {
		d.keys.Pull(serial)
		l := d.race("sudo")
		l.expect(question("Plug in YubiKey 12345678, then touch it, or type a code:"))
		d.otp.Plug()
		d.keys.Plug(&keysim.Key{Serial: serial, Types: d.otp.Touch})
		d.armed()
		d.keys.Touch(serial)
		l.expect(allowed)
	})
	t.Run("busy", func(t *testing.T) {
		d.keys.Hold(serial, true)
		l := d.race("sudo")
		l.expect(question("Another program holds YubiKey 12345678: close it, then touch the key, or type a code:"))
		d.keys.Hold(serial, false)
		d.armed()
		d.keys.Touch(serial)
		l.expect(allowed)
	})
	t.Run("pulled out and back", func(t *testing.T) {
		l := d.race("sudo")
		l.expect(question(ask))
		d.keys.Pull(serial)
		d.until(agent.Absent)
		d.otp.Plug()
		d.keys.Plug(&keysim.Key{Serial: serial, Types: d.otp.Touch})
		d.armed()
		d.keys.Touch(serial)
		l.expect(allowed)
	})
	t.Run("another key", func(t *testing.T) {
		d.keys.Plug(&keysim.Key{Serial: 999, Types: yksim.NewKey("vvccccccccbe").Touch})
		defer d.keys.Pull(999)
		l := d.race("sudo")
		l.expect(question(ask))
		if d.keys.Touch(999) {
			t.Error("another key's touch counts")
		}
		d.keys.Touch(serial)
		l.expect(allowed)
	})
	for name, c := range map[string]struct {
		code agent.Code
		text string
	}{
		"not touched": {agent.NoTouch, "YubiKey 12345678 was not touched in time"},
		"held":        {agent.Held, "another program holds YubiKey 12345678: close it and try again"},
		"gone":        {agent.Gone, "YubiKey 12345678 is not plugged in: plug it in and try again"},
		"no access":   {agent.NoAccess, "keys that are plugged in here can't be asked now"},
	} {
		t.Run(name, func(t *testing.T) {
			l := d.race("sudo")
			l.expect(question(ask))
			d.keys.Fail(&agent.Error{Code: c.code, Text: "test"})
			d.Wait(func() bool { return len(d.keys.Waiting()) == 0 })
			d.keys.Fail(nil)
			l.send("END") // it was for the touch
			l.expect("S INFO " + c.text)
			l.expect(question("YubiKey touch, or Enter for a touch of YubiKey 12345678:"))
			l.send("D " + d.otp.Touch() + "\nEND")
			l.expect("S VERDICT allow basis=factor factor=yubico rule=any")
		})
	}
	t.Run("fails at once", func(t *testing.T) {
		d.keys.Fail(&agent.Error{Code: agent.NoAccess, Text: "test"})
		defer d.keys.Fail(nil)
		l := d.race("sudo")
		l.expect("S INFO keys that are plugged in here can't be asked now")
		l.expect(question("YubiKey touch, or Enter for a touch of YubiKey 12345678:"))
	})
}

// The key is let go when its login ends, however it does.
func TestGone(t *testing.T) {
	d := newDesk(t)
	d.enrollOTP()
	d.mustEnrollTouch()
	for range 5 {
		l := d.race("sudo")
		l.expect(question(ask))
		ended := d.keys.Ended()
		begun := time.Now()
		l.nc.Close()
		d.Wait(func() bool { return d.keys.Ended() > ended })
		if took := time.Since(begun); took > 200*time.Millisecond {
			t.Errorf("let go after %v", took)
		}
	}
	d.byTouch()
}

// Of two that wait for one key, a touch counts for the older, and both are told.
func TestTwoAtOnce(t *testing.T) {
	d := newDesk(t)
	d.enrollOTP()
	d.mustEnrollTouch()
	first := d.race("sudo")
	first.expect(question(ask))
	second := d.race("locker")
	second.expect(question("Touch YubiKey 12345678 for sudo first, then again for this, or type a code:"))
	d.Wait(func() bool { all := d.keys.Waiting(); return len(all) == 2 && all[0].Behind == "locker" })
	d.keys.Touch(serial)
	first.expect(allowed)
	d.armed()
	d.keys.Touch(serial)
	second.expect(allowed)
}

func TestManyAtOnce(t *testing.T) {
	d := newDesk(t)
	d.enrollOTP()
	d.mustEnrollTouch()
	all := make(chan error)
	const logins = 10
	for n := range logins {
		go func() {
			v, err := factordtest.Converse(d.Socket, -1, wire.Auth{User: "alice", Service: fmt.Sprint("login-", n), First: true, Conv: wire.ConvInfo}, &factordtest.Talk{})
			if err == nil && !v.Allow {
				err = fmt.Errorf("%+v", v)
			}
			all <- err
		}()
	}
	for range logins {
		d.Wait(func() bool { return d.keys.Touch(serial) })
		if err := <-all; err != nil {
			t.Error(err)
		}
	}
}

func TestNotHere(t *testing.T) {
	d := newDesk(t)
	d.enrollOTP()
	d.mustEnrollTouch()
	d.away = true
	ended := d.keys.Ended()
	l := d.race("sudo")
	l.expect(question("YubiKey touch:"))
	d.MustCall("REMOVE user=alice id=yubico-1")
	d.expect(d.Login(sudo), "deny denied")
	if d.keys.Ended() != ended || len(d.keys.Waiting()) > 0 {
		t.Error("the key was asked")
	}
	if _, err := factordtest.Call(d.Socket, aliceUID, "ENROLL factor=touch"); err == nil || !strings.Contains(err.Error(), "only at this machine's own seat") {
		t.Errorf("enrolling from elsewhere: %v", err)
	}
}

// Without the token below a record is of no use, and says so; an id that comes again is
// another token's.
func TestTokenRemoved(t *testing.T) {
	d := newDesk(t)
	d.enrollOTP()
	d.mustEnrollTouch()
	d.MustCall("REMOVE user=alice id=yubico-1")
	if list := d.MustCall("LIST user=alice"); !strings.Contains(list, "yubico-1 (removed: this is of no use any more)") {
		t.Errorf("list: %s", list)
	}
	v := d.Login(sudo)
	if d.expect(v, "deny denied"); v.Text != "the token of your YubiKey was removed: enrol it again (factorctl enroll touch)" {
		t.Errorf("text %q", v.Text)
	}
	d.Clock.Add(time.Minute)
	d.enrollOTP()
	if d.expect(d.Login(sudo), "deny cancelled"); strings.Contains(d.MustCall("EXPLAIN user=alice service=sudo"), `"usable":["touch"`) {
		t.Error("another token of the same id serves")
	}
	d.mustEnrollTouch()
	d.byTouch()
}

// What is removed while the key waits proves nothing.
func TestRemovedMeanwhile(t *testing.T) {
	for _, id := range []string{"yubico-1", "touch-1"} {
		t.Run(id, func(t *testing.T) {
			d := newDesk(t)
			d.enrollOTP()
			d.mustEnrollTouch()
			l := d.race("sudo")
			l.expect(question(ask))
			d.MustCall("REMOVE user=alice id=" + id)
			d.keys.Touch(serial)
			l.expect("S VERDICT deny reason=attempts rule=any")
		})
	}
}

// Wrong OTPs from a key count like typed ones, and lock nobody out.
func TestWrongOTP(t *testing.T) {
	d := newDesk(t)
	d.enrollOTP()
	d.mustEnrollTouch()
	stranger := yksim.NewKey(alicesID)
	for _, types := range []func() string{stranger.Touch, yksim.NewKey("vvccccccccbe").Touch, func() string { return "123456" }, func() string { return "" }} {
		d.keys.Plug(&keysim.Key{Serial: serial, Types: types})
		for range 6 {
			l := d.race("sudo")
			l.expect(question(ask))
			d.keys.Touch(serial)
			if got, err := l.r.ReadString('\n'); err != nil || !strings.HasPrefix(got, "S VERDICT deny") {
				t.Fatalf("%q, %v", got, err)
			}
		}
	}
	d.keys.Plug(&keysim.Key{Serial: serial, Types: d.otp.Touch})
	d.byTouch() // as a Yubico OTP is: no guess
}

// A code of six digits from what says that it is the key is a guess like any other.
func TestHOTP(t *testing.T) {
	d := newDesk(t)
	tok := d.MustEnroll("alice", "hotp")
	n := uint64(0)
	d.keys.Plug(&keysim.Key{Serial: serial, Types: func() string { n++; return factordtest.HOTP(t, tok, n-1) }})
	if data := d.mustEnrollTouch(); !strings.Contains(data, `"token":"hotp-1"`) {
		t.Errorf("enrolled %s", data)
	}
	d.expect(d.typed(factordtest.HOTP(t, tok, 0)), "deny replayed")
	d.byTouch()
	d.MustEnroll("alice", "totp")
	d.keys.Plug(&keysim.Key{Serial: serial, Types: func() string { return "000000" }})
	refused := ""
	for range 8 {
		l := d.race("sudo")
		got, _ := l.r.ReadString('\n')
		if !strings.HasPrefix(got, "INQUIRE") {
			refused = got
			break
		}
		d.keys.Touch(serial)
		l.r.ReadString('\n')
	}
	if !strings.Contains(refused, "rate-limited") {
		t.Errorf("guesses from a key go on: %q", refused)
	}
}

func TestEnrolBoth(t *testing.T) {
	d := newDesk(t)
	if _, err := d.enrollTouch(); err == nil || !strings.Contains(err.Error(), "there is no [[yubico.server]]") {
		t.Errorf("a key that nobody can verify: %v", err)
	}
	privateID, aesKey := d.otp.Secrets()
	wrong := strings.Repeat("0", len(aesKey))
	if _, err := d.enrollTouch("seed=1 public-id="+alicesID, privateID+" "+wrong); err == nil || !strings.Contains(err.Error(), "not those of the YubiKey") {
		t.Errorf("wrong secrets: %v", err)
	}
	if list := d.MustCall("LIST user=alice"); list != "[]" {
		t.Errorf("something was kept: %s", list)
	}
	data, err := d.enrollTouch("seed=1 public-id="+alicesID, privateID+" "+aesKey)
	if err != nil || !strings.Contains(data, `"token":"yubico-1","token-added":true`) {
		t.Fatalf("%s, %v", data, err)
	}
	d.byTouch()
	d.expect(d.typed(d.otp.Touch()), "factor yubico")
	if _, err := d.enrollTouch(); err == nil || !strings.Contains(err.Error(), "enrolled already") {
		t.Errorf("twice: %v", err)
	}
}

// servers accept what they are told to.
type servers struct {
	err error
}

func (s *servers) Verify(_ context.Context, otp string) (ykval.Answer, error) {
	if s.err != nil {
		return ykval.Answer{}, s.err
	}
	return ykval.Answer{Outcome: ykval.Accepted}, nil
}

func TestServer(t *testing.T) {
	s := &servers{}
	d := deskWith(t, yubico.Config{Servers: s})
	var last string
	d.keys.Plug(&keysim.Key{Serial: serial, Types: func() string { last = d.otp.Touch(); return last }})
	if data := d.mustEnrollTouch(); !strings.Contains(data, `"token-added":true`) {
		t.Errorf("enrolled %s", data)
	}
	d.expect(d.typed(last), "deny replayed") // though the server would take it again
	d.byTouch()
	d.expect(d.typed(last), "deny replayed")
	s.err = errors.New("out of order")
	l := d.race("sudo")
	l.expect(question(ask))
	d.keys.Touch(serial)
	l.send("END")
	l.expect("S INFO the validation server for YubiKeys can't be asked")
	s.err = nil
	d.expect(d.typed(last), "deny replayed") // it was sent, so it is spent
	d.byTouch()
}

// A token is no proof beside itself: what is captured from it is not either.
func TestNotBesideItself(t *testing.T) {
	d := newDesk(t)
	d.enrollOTP()
	d.mustEnrollTouch()
	if _, err := factordtest.Call(d.Socket, aliceUID, "RESYNC id=yubico-1", ""); err == nil || !strings.Contains(err.Error(), "no factor but yubico-1") {
		t.Errorf("resync: %v", err)
	}
}

// Who has more than one key may touch any.
func TestSeveralKeys(t *testing.T) {
	d := newDesk(t)
	d.enrollOTP()
	d.mustEnrollTouch()
	spare := yksim.NewKey("vvccccccccde")
	privateID, aesKey := spare.Secrets()
	d.keys.Plug(&keysim.Key{Serial: 7, Types: spare.Touch})
	d.keys.Pull(serial)
	touched := d.touchWhen(7)
	d.MustCall("ENROLL factor=touch user=alice seed=1 public-id=vvccccccccde", privateID+" "+aesKey)
	<-touched
	for _, key := range []uint32{7, serial} {
		d.keys.Plug(&keysim.Key{Serial: serial, Types: d.otp.Touch})
		l := d.race("sudo")
		l.expect(question("Touch YubiKey 12345678 or 7, or type a code:"))
		d.keys.Touch(key)
		l.expect(allowed)
	}
	d.keys.Plug(&keysim.Key{Serial: 7, Types: d.otp.Touch}) // one key's OTP from another
	l := d.race("sudo")
	l.expect(question("Touch YubiKey 12345678 or 7, or type a code:"))
	d.keys.Touch(7)
	l.expect("S VERDICT deny reason=attempts rule=any")
}

// Keys that show no number are listened to apart from the others.
func TestNumberless(t *testing.T) {
	d := newDesk(t)
	d.enrollOTP()
	d.mustEnrollTouch()
	old := yksim.NewKey("vvccccccccde")
	privateID, aesKey := old.Secrets()
	d.keys.Plug(&keysim.Key{Types: old.Touch})
	d.keys.Pull(serial)
	touched := d.touchWhen(0)
	d.MustCall("ENROLL factor=touch user=alice seed=1 public-id=vvccccccccde", privateID+" "+aesKey)
	<-touched
	d.plug()
	l := d.race("sudo")
	l.expect("S INFO 1  touch of YubiKey 12345678")
	l.expect("S INFO 2  touch of your YubiKey")
	l.expect(question(ask))
	if d.keys.Touch(0) {
		t.Error("a key without a number does for one that has it")
	}
	l.send("D 2\nEND")
	l.expect(question("Touch your YubiKey, or type a code:"))
	d.keys.Touch(0)
	l.expect(allowed)
}

// Where text shows only with a question, Enter begins it and the next question has the cue;
// where nobody can answer, the key is all there is.
func TestOtherConversations(t *testing.T) {
	d := newDesk(t)
	d.enrollOTP()
	d.mustEnrollTouch()
	for conv, want := range map[wire.Conv]string{
		wire.ConvFlush: "YubiKey touch, or Enter for a touch of YubiKey 12345678: |Touch YubiKey 12345678, then press Enter: ",
		wire.ConvInfo:  "Touch YubiKey 12345678",
		wire.ConvNone:  "",
	} {
		touched := d.touchWhen(serial)
		p := &factordtest.Talk{Answers: []string{"", ""}}
		v, err := factordtest.Converse(d.Socket, -1, wire.Auth{User: "alice", Service: "sudo", First: true, Conv: conv}, p)
		<-touched
		if got := strings.Join(p.Shown, "|"); err != nil || !v.Allow || got != want {
			t.Errorf("%v: %+v, %v; shown %q", conv, v, err, got)
		}
	}
}

// BenchmarkTouchToAllow is the time from the end of typing to the verdict.
func BenchmarkTouchToAllow(b *testing.B) {
	d := newDesk(b)
	d.enrollOTP()
	d.mustEnrollTouch()
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		l := d.race("sudo")
		l.expect(question(ask))
		b.StartTimer()
		d.keys.Touch(serial)
		l.expect(allowed)
	}
}
