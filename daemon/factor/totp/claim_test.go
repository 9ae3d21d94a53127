package totp

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factordtest/records"
)

func TestSeveralTokens(t *testing.T) {
	u := newUser(t, 1)
	u.timed("totp-2", other(2))
	u.counted("hotp-10", other(10), 7)
	long := u.timed("totp-3", other(3))
	long.Digits = 8
	u.keep(long)
	before := *u.rs
	u.rs.Puts = 0

	if found := u.want(reference(other(10), 7), factor.Proven); found.ID != "hotp-10" {
		t.Errorf("finding %+v", found)
	}
	if u.rs.Puts != 1 || string(u.rs.Values["totp-2"]) != string(before.Values["totp-2"]) {
		t.Error("a token was written that did not match")
	}
	if found := u.want("111111", factor.Wrong); found.ID != "" || found.Log != "" || u.rs.Puts != 1 {
		t.Errorf("finding %+v", found)
	}
	if found := u.want(reference(other(10), 7), factor.Replayed); found.ID != "hotp-10" {
		t.Errorf("finding %+v", found)
	}
	for _, answer := range []string{"1234567", "123456789", "push", "1", "", "abcd-efgh-jkmn", "1234 5678 9012"} {
		if _, err := u.f.Verify(t.Context(), u.login(), factor.Secret(answer)); err != factor.ErrNotMine {
			t.Errorf("%q: %v", answer, err)
		}
	}
}

// Should two records have one secret, their code still works only once.
func TestOneSecretTwice(t *testing.T) {
	for _, kind := range []string{kindTOTP, kindHOTP} {
		u := newUser(t, 1)
		code := reference(rfcSecret, u.step())
		for _, id := range []string{kind + "-2", kind + "-10"} {
			if kind == kindTOTP {
				u.timed(id, rfcSecret)
			} else {
				u.counted(id, rfcSecret, uint64(u.step()))
			}
		}
		if found := u.want(code, factor.Proven); found.ID != kind+"-2" {
			t.Errorf("finding %+v", found)
		}
		if used := u.token(kind + "-10").Used; !used.IsZero() {
			t.Errorf("the second token was used at %v", used)
		}
		u.want(code, factor.Replayed)
		u.rs.Delete(kind + "-2")
		u.want(code, factor.Replayed)
	}
}

// Replayed at one token and right at another is right; both are in one answer.
func TestProvenBeatsReplayed(t *testing.T) {
	u := newUser(t, 1)
	a := u.timed("totp-1", rfcSecret)
	a.TOTP.Floor = u.step()
	u.keep(a)
	u.counted("hotp-2", rfcSecret, uint64(u.step()))
	if found := u.want(reference(rfcSecret, u.step()), factor.Proven); found.ID != "hotp-2" || found.Log != "" {
		t.Errorf("finding %+v", found)
	}
}

func TestSettlesOnWhatIsKeptNow(t *testing.T) {
	u := newUser(t, 1)
	u.timed("totp-1", rfcSecret)
	answer := factor.Secret(reference(rfcSecret, u.step()))
	first, err1 := u.f.Verify(t.Context(), u.login(), answer)
	second, err2 := u.f.Verify(t.Context(), u.login(), answer)
	third, err3 := u.f.Verify(t.Context(), u.login(), answer)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	answer.Wipe() // the claims have their own
	if found, err := first.Settle(u.rs); err != nil || found.Outcome != factor.Proven {
		t.Errorf("first connection: %+v, %v", found, err)
	}
	if found, err := second.Settle(u.rs); err != nil || found.Outcome != factor.Replayed {
		t.Errorf("second connection: %+v, %v", found, err)
	}
	u.rs.Delete("totp-1")
	if found, err := third.Settle(u.rs); err != nil || found.Outcome != factor.Wrong {
		t.Errorf("token removed meanwhile: %+v, %v", found, err)
	}
}

func TestUnreadableRecord(t *testing.T) {
	u := newUser(t, 1)
	u.timed("totp-1", rfcSecret)
	claim, err := u.f.Verify(t.Context(), u.login(), factor.Secret(reference(rfcSecret, u.step())))
	if err != nil {
		t.Fatal(err)
	}
	u.rs.Put("totp-2", []byte(`{"v":2}`))
	if o, err := u.f.Offer(t.Context(), u.login()); err == nil || !reflect.DeepEqual(o, factor.Offer{}) {
		t.Errorf("offer %+v, %v", o, err)
	}
	if _, err := u.f.Verify(t.Context(), u.login(), factor.Secret("123 456")); err == nil || err == factor.ErrNotMine {
		t.Errorf("verifying digits: %v", err)
	}
	if _, err := u.f.Verify(t.Context(), u.login(), factor.Secret("abcd-efgh-jkmn")); err != factor.ErrNotMine {
		t.Errorf("verifying a backup code: %v", err)
	}
	if found, err := claim.Settle(u.rs); err == nil || found.Outcome != factor.Wrong {
		t.Errorf("settling: %+v, %v", found, err)
	}
}

func TestOffer(t *testing.T) {
	u := newUser(t, 1)
	if o, err := u.f.Offer(t.Context(), u.login()); err != nil || !reflect.DeepEqual(o, (factor.Offer{})) {
		t.Errorf("no token: %+v, %v", o, err)
	}
	u.timed("totp-1", rfcSecret)
	want := factor.Offer{Enrolled: true, Usable: true, Hint: "passcode", Guessable: true, Advice: adviceTime}
	if o, err := u.f.Offer(t.Context(), u.login()); err != nil || !reflect.DeepEqual(o, want) {
		t.Errorf("one token: %+v, %v", o, err)
	}
	u = newUser(t, 1)
	u.counted("hotp-1", rfcSecret, 0)
	want.Advice = adviceCounter
	if o, err := u.f.Offer(t.Context(), u.login()); err != nil || !reflect.DeepEqual(o, want) {
		t.Errorf("one that counts: %+v, %v", o, err)
	}
}

// failing fails at the nth call.
type failing struct {
	*records.Memory
	list, put error
}

func (f failing) List() ([]factor.Record, error) {
	if f.list != nil {
		return nil, f.list
	}
	return f.Memory.List()
}

func (f failing) Put(id string, v []byte) error {
	if f.put != nil {
		return f.put
	}
	return f.Memory.Put(id, v)
}

func TestStoreFails(t *testing.T) {
	full := errors.New("disk full")
	for _, fail := range []failing{{list: full}, {put: full}} {
		u := newUser(t, 1)
		u.timed("totp-1", rfcSecret)
		fail.Memory = u.rs
		c, err := u.f.Verify(context.Background(), u.login(), factor.Secret(reference(rfcSecret, u.step())))
		if err != nil {
			t.Fatal(err)
		}
		if found, err := c.Settle(fail); err == nil || found.Outcome != factor.Wrong {
			t.Errorf("finding %+v, %v", found, err)
		}
	}
}

// Whatever is answered, only a code of now proves.
func FuzzVerify(f *testing.F) {
	for _, s := range []string{"755224", "755 224", "ubhe00123456755224", "00000000", "", " ", "abcd-efgh-jkmn", strings.Repeat("9", 99)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, answer string) {
		u := newUser(t, 1)
		u.timed("totp-1", rfcSecret)
		keyed := u.counted("hotp-2", other(2), 0)
		keyed.HOTP.Prefix = "ubhe00123456"
		u.keep(keyed)
		made := make(map[string]bool)
		for i := int64(-1); i <= 1; i++ {
			made[reference(rfcSecret, u.step()+i)] = true
		}
		for i := range int64(11) {
			made[reference(other(2), i)] = true
		}
		c, err := u.f.Verify(t.Context(), u.login(), factor.Secret(answer))
		if err == factor.ErrNotMine {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		found, err := c.Settle(u.rs)
		if err != nil {
			t.Fatal(err)
		}
		digits := strings.ReplaceAll(answer, " ", "")
		code := digits[max(len(digits)-6, 0):]
		if found.Outcome == factor.Proven && !made[code] {
			t.Errorf("%q is accepted", answer)
		}
		if c, err := u.f.Verify(t.Context(), u.login(), factor.Secret(answer)); err == nil {
			if again, err := c.Settle(u.rs); err != nil || again.Outcome == factor.Proven {
				t.Errorf("%q is accepted again", answer)
			}
		}
	})
}
