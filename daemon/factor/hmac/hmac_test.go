package hmac_test

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/hmac"
	"github.com/factord/factord/daemon/factordtest"
	"github.com/factord/factord/daemon/factordtest/keysim"
	"github.com/factord/factord/daemon/policy"
	"github.com/factord/factord/daemon/session"
	"github.com/factord/factord/daemon/store"
	"github.com/factord/factord/daemon/wire"
	"github.com/factord/factord/daemon/wire/agent"
)

const (
	serial   = 12345678
	aliceUID = 1001

	rules = `
[[rule]]
name = "lax"
services = ["lax"]
factors = ["hmac"]
presence = false
[[rule]]
name = "strict"
factors = ["hmac", "totp"]
callers = ["root", "user"]
`
)

// desk is a machine at which alice sits, with her YubiKey in it.
type desk struct {
	*factordtest.Daemon
	t    *testing.T
	keys *keysim.Keys
	key  *keysim.Key
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	factordtest.NeedRoot(t)
	d := &desk{t: t, keys: keysim.New(), key: &keysim.Key{Serial: serial, Secrets: map[int][]byte{}}}
	d.Daemon = factordtest.NewDaemon(t, factordtest.Options{
		Config:  rules,
		Factors: []factor.Factor{hmac.New(hmac.Config{Device: d.keys})},
		Places: factordtest.Places(func(uint32) (session.Place, error) {
			return session.Place{Session: "1", Owner: aliceUID, Local: policy.Yes, Alone: true}, nil
		}),
	})
	d.keys.Plug(d.key)
	return d
}

// person answers questions and touches the key when told to.
type person struct {
	factordtest.Talk
	d *desk
}

func (p *person) Info(text string) {
	p.Talk.Info(text)
	if strings.HasPrefix(text, "Touch ") {
		p.d.keys.Touch(serial)
	}
}

// enroll programs the slot as it is told, and tries it.
func (d *desk) enroll(uid int, options string, answers ...string) (shown hmac.Shown, said []string, err error) {
	d.t.Helper()
	c, err := factordtest.Dial(d.Socket, uid)
	if err != nil {
		d.t.Fatal(err)
	}
	defer c.Close()
	l := wire.NewLines(c)
	if err := wire.Greet(l); err != nil {
		d.t.Fatal(err)
	}
	p := &person{d: d, Talk: factordtest.Talk{Answers: answers}}
	err = wire.Call(l, strings.TrimSpace("ENROLL factor=hmac "+options), p, func(line []byte) {
		if json.Unmarshal(line, &shown) == nil && shown.Secret != "" {
			secret, _ := hex.DecodeString(shown.Secret)
			d.key.Secrets[shown.Slot] = secret
		}
	})
	return shown, p.Shown, err
}

func (d *desk) mustEnroll(options string, answers ...string) hmac.Shown {
	d.t.Helper()
	shown, said, err := d.enroll(-1, "user=alice "+options, append(answers, "")...)
	if err != nil {
		d.t.Fatalf("%v; said %q", err, said)
	}
	return shown
}

func (d *desk) login(service string) (wire.Verdict, []string) {
	d.t.Helper()
	p := &person{d: d}
	v, err := factordtest.Converse(d.Socket, -1, wire.Auth{User: "alice", Service: service, First: true, Conv: wire.ConvPrompt}, p)
	if err != nil {
		d.t.Fatal(err)
	}
	return v, p.Shown
}

func (d *desk) expect(service, want string) wire.Verdict {
	d.t.Helper()
	v, shown := d.login(service)
	got := "deny " + v.Reason.String()
	if v.Allow {
		got = "allow " + v.Factor
	}
	if got != want {
		d.t.Errorf("%s: got %q (%s), want %q; shown %q", service, got, v.Text, want, shown)
	}
	return v
}

func TestLogin(t *testing.T) {
	d := newDesk(t)
	shown := d.mustEnroll("slot=2")
	if shown.Command != "ykman --device 12345678 otp chalresp --touch 2" || len(shown.Secret) != 40 || strings.Contains(shown.Command, shown.Secret) {
		t.Errorf("shown %+v", shown)
	}
	d.expect("sudo", "allow hmac")
	d.expect("lax", "allow hmac")
	if list := d.MustCall("LIST user=alice"); !strings.Contains(list, `"slot":"2"`) || strings.Contains(list, "presence") || strings.Contains(list, shown.Secret) {
		t.Errorf("list: %s", list)
	}
	if v, said := d.login("sudo"); !v.Allow || strings.Join(said, "|") != "Touch YubiKey 12345678" {
		t.Errorf("shown %q", said)
	}
}

// Each login has a challenge of its own.
func TestFreshChallenges(t *testing.T) {
	d := newDesk(t)
	d.mustEnroll("")
	var seen [][]byte
	mac := d.key.Answer
	d.key.Answer = func(slot int, challenge []byte) []byte {
		seen = append(seen, bytes.Clone(challenge))
		return make([]byte, sha1.Size)
	}
	d.expect("sudo", "deny denied")
	d.expect("sudo", "deny denied")
	if len(seen) != 2 || bytes.Equal(seen[0], seen[1]) || len(seen[0]) != 32 || seen[0][31] == 0 {
		t.Errorf("challenges %x", seen)
	}
	d.key.Answer = mac
	d.expect("sudo", "allow hmac")
}

func TestWrongAnswers(t *testing.T) {
	d := newDesk(t)
	d.mustEnroll("")
	for name, answer := range map[string][]byte{"none": {}, "short": make([]byte, 19), "long": make([]byte, 22), "zeros": make([]byte, 20)} {
		d.key.Answer = func(int, []byte) []byte { return answer }
		v, _ := d.login("sudo")
		if v.Allow {
			t.Errorf("%s: allowed", name)
		}
	}
	d.key.Answer = nil
	d.expect("sudo", "allow hmac")
	d.key.Touchless = true // it was programmed anew, with the same secret
	v, shown := d.login("sudo")
	if v.Allow || v.Reason.String() == "denied" || !strings.Contains(strings.Join(shown, "|"), "does not ask for a touch any more: enrol it again") {
		t.Errorf("%+v, shown %q", v, shown)
	}
}

func TestPresence(t *testing.T) {
	d := newDesk(t)
	d.key.Touchless = true
	if _, said, err := d.enroll(-1, "user=alice", "", "", ""); err == nil || !strings.Contains(err.Error(), "asks for no touch") {
		t.Errorf("without a touch: %v, %q", err, said)
	}
	if _, _, err := d.enroll(aliceUID, "no-presence=1", "", "", ""); err == nil || !strings.Contains(err.Error(), "only root") {
		t.Errorf("by alice: %v", err)
	}
	shown := d.mustEnroll("no-presence=1 slot=1")
	if shown.Command != "ykman --device 12345678 otp chalresp 1" {
		t.Errorf("shown %+v", shown)
	}
	if list := d.MustCall("LIST user=alice"); !strings.Contains(list, `"presence":"none: only for rules with presence = false"`) {
		t.Errorf("list: %s", list)
	}
	d.expect("lax", "allow hmac")
	if v := d.expect("sudo", "deny denied"); v.Text != "your YubiKey asks for neither touch nor PIN, which does not do here" {
		t.Errorf("text %q", v.Text)
	}
	if _, err := factordtest.Call(d.Socket, aliceUID, "ENROLL factor=backup"); err == nil || !strings.Contains(err.Error(), "none of your factors can be used") {
		t.Errorf("a key that is there vouches for alice: %v", err)
	}
	if d.MustCall("ENROLL factor=hmac user=bob no-confirm=1 no-presence=1"); !strings.Contains(d.MustCall("LIST user=bob"), `"presence":"none`) {
		t.Error("an untried slot counts as one that asks for a touch")
	}
	if _, err := factordtest.Call(d.Socket, -1, "ENROLL factor=hmac user=bob slot=1 no-confirm=1"); err == nil || !strings.Contains(err.Error(), "known only when it was tried") {
		t.Errorf("untried: %v", err)
	}
	if _, err := factordtest.Call(d.Socket, -1, "ENROLL factor=totp user=bob no-presence=1 no-confirm=1"); err == nil {
		t.Error("a totp token without presence")
	}
}

func TestEnrol(t *testing.T) {
	d := newDesk(t)
	secret := strings.Repeat("0a", 20)
	d.key.Secrets[2], _ = hex.DecodeString(secret)
	if shown := d.mustEnroll("seed=1", secret); shown.Command != "" || shown.Secret != "" {
		t.Errorf("shown again: %+v", shown)
	}
	d.expect("sudo", "allow hmac")
	for options, want := range map[string]string{
		"":               "enrolled already",
		"slot=3":         "no slot",
		"slot=1 seed=1":  "ykpamcfg",
		"serial=99":      "not plugged in",
		"serial=x":       "serial number",
		"digits=6":       `no "digits"`,
		"slot=1 serial=": "serial number",
	} {
		if _, _, err := d.enroll(-1, "user=alice "+options, "v2:0011:2233:4455:10000:2", ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", options, err)
		}
	}
	d.key.Answer = func(int, []byte) []byte { return make([]byte, 20) }
	if _, said, err := d.enroll(-1, "user=alice slot=1", "", "", ""); err == nil || !strings.Contains(err.Error(), "another secret") {
		t.Errorf("a slot with another secret: %v, %q", err, said)
	}
	d.keys.Plug(&keysim.Key{Serial: 7})
	if _, _, err := d.enroll(-1, "user=bob"); err == nil || !strings.Contains(err.Error(), "several YubiKeys") {
		t.Errorf("two keys: %v", err)
	}
	d.keys.Pull(7)
	d.keys.Pull(serial)
	if _, _, err := d.enroll(-1, "user=bob"); err == nil || !strings.Contains(err.Error(), "no YubiKey with challenge-response is plugged in") {
		t.Errorf("no key: %v", err)
	}
}

// A slip at enrolment is no end: the person tries again.
func TestEnrolAgain(t *testing.T) {
	d := newDesk(t)
	d.keys.Fail(nil)
	tries := 0
	d.key.Answer = func(slot int, challenge []byte) []byte {
		if tries++; tries == 1 {
			return make([]byte, 20)
		}
		d.key.Answer = nil
		return make([]byte, 20)
	}
	_, said, err := d.enroll(-1, "user=alice", "", "", "")
	if err != nil || !strings.Contains(strings.Join(said, "|"), "has another secret: program it, then press Enter") {
		t.Errorf("%v, %q", err, said)
	}
	d.expect("sudo", "allow hmac")
}

func TestKeyStates(t *testing.T) {
	d := newDesk(t)
	d.mustEnroll("")
	d.keys.Pull(serial)
	done := make(chan []string)
	go func() {
		v, shown := d.login("sudo")
		if !v.Allow {
			t.Errorf("%+v", v)
		}
		done <- shown
	}()
	d.Wait(func() bool { all := d.keys.Waiting(); return len(all) == 1 && all[0].State == agent.Absent })
	d.keys.Plug(d.key)
	if got := strings.Join(<-done, "|"); got != "Plug in YubiKey 12345678, then touch it|Touch YubiKey 12345678" {
		t.Errorf("shown %q", got)
	}
	d.keys.Fail(&agent.Error{Code: agent.WrongKey, Text: "no such slot"})
	if v := d.expect("sudo", "deny cancelled"); v.Allow {
		t.Error("allowed")
	}
	d.keys.Fail(nil)
	d.MustCall("REMOVE user=alice id=hmac-1")
	d.expect("sudo", "deny not-enrolled")
}

// untilTouch begins a login of alice's, and returns when its key waits for a touch.
func (d *desk) untilTouch() <-chan wire.Verdict {
	d.t.Helper()
	done := make(chan wire.Verdict, 1)
	go func() {
		v, err := factordtest.Converse(d.Socket, -1, wire.Auth{User: "alice", Service: "sudo", First: true, Conv: wire.ConvInfo}, &factordtest.Talk{})
		if err != nil {
			d.t.Error(err)
		}
		done <- v
	}()
	d.Wait(func() bool { all := d.keys.Waiting(); return len(all) == 1 && all[0].State == agent.Touch })
	return done
}

// What is removed while the key waits proves nothing.
func TestRemovedMeanwhile(t *testing.T) {
	d := newDesk(t)
	d.mustEnroll("")
	done := d.untilTouch()
	d.MustCall("REMOVE user=alice id=hmac-1")
	d.keys.Touch(serial)
	if v := <-done; v.Allow {
		t.Errorf("%+v", v)
	}
}

// What asks for no presence any more proves nothing where it is demanded.
func TestTouchlessMeanwhile(t *testing.T) {
	d := newDesk(t)
	d.mustEnroll("")
	done := d.untilTouch()
	err := d.Store.Update(t.Context(), func(tx *store.Tx) error {
		rs := tx.Scope("alice", "hmac")
		value, _, err := rs.Get("hmac-1")
		touchless := bytes.Replace(value, []byte(`"slot"`), []byte(`"no-presence":true,"slot"`), 1)
		return errors.Join(err, rs.Put("hmac-1", touchless))
	})
	if err != nil {
		t.Fatal(err)
	}
	d.keys.Touch(serial)
	if v := <-done; v.Allow {
		t.Errorf("%+v", v)
	}
	if list := d.MustCall("LIST user=alice"); !strings.Contains(list, `"presence":"none`) {
		t.Errorf("list: %s", list)
	}
}

// What was proven where no presence was demanded is not remembered where it is.
func TestRememberedPresence(t *testing.T) {
	for _, touchless := range []bool{true, false} {
		d := newDesk(t)
		d.key.Touchless = touchless
		d.mustEnroll("no-presence=1")
		login := func(presence bool, want string) {
			t.Helper()
			d.Configure(fmt.Sprintf("[[rule]]\nname=\"r\"\nfactors=[\"hmac\", \"totp\"]\nremember=\"1h\"\npresence=%v\n", presence))
			v, err := factordtest.Converse(d.Socket, -1, wire.Auth{User: "alice", Service: "sudo", First: true, Conv: wire.ConvPrompt, TTY: "tty1", RUser: "alice"}, &person{d: d})
			if err != nil {
				t.Fatal(err)
			}
			got := v.Reason.String()
			if v.Allow {
				got = v.Basis.String()
			}
			if got != want {
				t.Errorf("touchless %v, presence %v: %+v, want %q", touchless, presence, v, want)
			}
		}
		login(false, "factor")
		login(false, "remembered")
		if touchless {
			login(true, "denied")
			login(false, "remembered")
			continue
		}
		login(true, "factor")
		login(true, "remembered")
		login(false, "remembered")
		login(true, "remembered")
	}
}

func TestNoDevice(t *testing.T) {
	f := hmac.New(hmac.Config{})
	o, err := f.Offer(t.Context(), factor.Login{Wanted: true, Local: true, Records: []factor.Record{{ID: "hmac-1",
		Value: []byte(`{"v":1,"name":"a","created":"2033-05-18T03:33:30Z","serial":7,"slot":2,"secret":"` + strings.Repeat("00", 20) + `"}`)}}})
	if err == nil || o.Usable {
		t.Errorf("%+v, %v", o, err)
	}
}
