package totp

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor"
)

func TestWindow(t *testing.T) {
	for window := range 4 {
		for offset := int64(-6); offset <= 6; offset++ {
			u := newUser(t, window)
			u.timed("totp-1", rfcSecret)
			want := factor.Wrong
			if -int64(window) <= offset && offset <= int64(window) {
				want = factor.Proven
			}
			code := reference(rfcSecret, u.step()+offset)
			u.want(code, want)
			u.want(code, factor.Replayed)
		}
	}
}

func TestConfigBounds(t *testing.T) {
	if f := New(Config{Window: -1}); f.window != 0 {
		t.Errorf("negative window became %d", f.window)
	}
	if f := New(Config{Window: 1000}); f.window != maxWindow {
		t.Errorf("huge window became %d", f.window)
	}
	if f := New(Config{}); f.issuer == "" || f.rand == nil || f.window != 0 {
		t.Errorf("zero Config: %+v", f)
	}
}

func TestReplay(t *testing.T) {
	u := newUser(t, 1)
	u.timed("totp-1", rfcSecret)
	at := u.step()
	u.want(reference(rfcSecret, at), factor.Proven)
	used := u.token("totp-1").Used
	if !used.Equal(u.now) {
		t.Errorf("used %v, want %v", used, u.now)
	}
	puts := u.rs.Puts
	u.want(reference(rfcSecret, at), factor.Replayed)
	u.want(reference(rfcSecret, at-1), factor.Replayed) // never used, but older
	u.now = stepTime(at + 20)                           // ten minutes later
	found := u.want(reference(rfcSecret, at), factor.Replayed)
	if found.ID != "totp-1" || !strings.Contains(found.Log, `code of "totp-1" was spent before`) || found.Note != "" {
		t.Errorf("finding %+v", found)
	}
	if u.rs.Puts != puts {
		t.Error("a replayed code changed the token")
	}
	u.now = stepTime(at + 22)
	u.want(reference(rfcSecret, at), factor.Wrong) // out of reach
	u.want(reference(rfcSecret, at+22), factor.Proven)
}

// The code at these steps is the same.
func TestCollision(t *testing.T) {
	for _, c := range []struct{ step, apart int64 }{
		{56188870, 1}, {56295193, 2}, {57577835, 3}, {56553527, 15}, {56352032, 20},
	} {
		code := reference(rfcSecret, c.step)
		if code != reference(rfcSecret, c.step+c.apart) {
			t.Fatalf("steps %d and +%d do not collide", c.step, c.apart)
		}
		for lead := int64(-1); lead <= 1; lead++ {
			u := newUser(t, 1)
			u.timed("totp-1", rfcSecret)
			u.now = stepTime(c.step + lead)
			u.want(code, factor.Proven)
			if floor := u.token("totp-1").TOTP.Floor; floor != c.step {
				t.Errorf("floor %d, want the lower of %d and +%d", floor, c.step, c.apart)
			}
			for later := lead; later <= c.apart+1; later++ {
				u.now = stepTime(c.step + later)
				u.want(code, factor.Replayed)
			}
		}
		// The steps between are not lost.
		u := newUser(t, 1)
		u.timed("totp-1", rfcSecret)
		u.now = stepTime(c.step)
		u.want(code, factor.Proven)
		u.now = stepTime(c.step + c.apart + 1)
		u.want(reference(rfcSecret, c.step+c.apart+1), factor.Proven)
	}
}

func TestOutsideWindow(t *testing.T) {
	u := newUser(t, 1)
	u.timed("totp-1", rfcSecret)
	at := u.step()
	found := u.want(reference(rfcSecret, at-8), factor.Wrong)
	if want := `code of "totp-1" was valid 4 min ago: this clock or the phone's is off`; found.Log != want || found.ID != "totp-1" {
		t.Errorf("finding %+v, want log %q", found, want)
	}
	found = u.want(reference(rfcSecret, at+12), factor.Wrong)
	if want := `code of "totp-1" is valid in 6 min: this clock or the phone's is off`; found.Log != want {
		t.Errorf("log %q, want %q", found.Log, want)
	}
	if tok := u.token("totp-1"); tok.TOTP.Floor != noStep || !slices.Equal(tok.TOTP.Spent, []int64{at - 8, at + 12}) || !tok.Used.IsZero() {
		t.Errorf("state %+v", tok.TOTP)
	}
	u.want(reference(rfcSecret, at+12), factor.Replayed)
	u.want(reference(rfcSecret, at), factor.Proven) // the floor did not move
	u.now = stepTime(at + 12)
	u.want(reference(rfcSecret, at+12), factor.Replayed) // its time has come
	u.want(reference(rfcSecret, at+13), factor.Proven)
	if tok := u.token("totp-1"); len(tok.TOTP.Spent) != 0 {
		t.Errorf("spent below the floor: %v", tok.TOTP.Spent)
	}
	u.want(reference(rfcSecret, at+12+21), factor.Wrong)
	if tok := u.token("totp-1"); len(tok.TOTP.Spent) != 0 {
		t.Errorf("spent what is out of reach: %v", tok.TOTP.Spent)
	}
}

func TestReachOfEveryPeriod(t *testing.T) {
	for _, period := range []int{15, 30, 45, 60, 90, 120} {
		for _, minutes := range []time.Duration{-10, -5, 5, 10} {
			u := newUser(t, 0)
			tok, _ := newToken(kindTOTP)
			tok.ID, tok.Secret, tok.TOTP.Period = "totp-1", seed(rfcSecret), period
			u.keep(tok)
			code := reference(rfcSecret, u.now.Add(minutes*time.Minute).Unix()/int64(period))
			if u.want(code, factor.Wrong).Log == "" {
				t.Errorf("period %d: a code %d min off is not recognised", period, minutes)
			}
			u.want(code, factor.Replayed)
		}
	}
}

func TestSpentIsBounded(t *testing.T) {
	u := newUser(t, 1)
	tok, _ := newToken(kindTOTP)
	tok.ID, tok.Secret = "totp-1", seed(rfcSecret)
	at := u.step()
	for i := range int64(maxSpent) {
		tok.TOTP.Spent = append(tok.TOTP.Spent, at-100+i)
	}
	u.keep(tok)
	u.want(reference(rfcSecret, at+5), factor.Wrong)
	spent := u.token("totp-1").TOTP.Spent
	if len(spent) != maxSpent || spent[0] != at-99 || spent[maxSpent-1] != at+5 {
		t.Errorf("kept %d, from %d to %d", len(spent), spent[0]-at, spent[len(spent)-1]-at)
	}

	// None of these can go: their time is to come.
	for i := range tok.TOTP.Spent {
		tok.TOTP.Spent[i] = at + 100 + int64(i)
	}
	u.keep(tok)
	c, err := u.f.Verify(t.Context(), u.login(), factor.Secret(reference(rfcSecret, at+5)))
	if err != nil {
		t.Fatal(err)
	}
	puts := u.rs.Puts
	if found, err := c.Settle(u.rs); err == nil || found.Outcome != factor.Wrong || u.rs.Puts != puts {
		t.Errorf("a full set was changed: %+v, %v", found, err)
	}
	u.want(reference(rfcSecret, at), factor.Proven)
}

func TestClockSetBack(t *testing.T) {
	u := newUser(t, 1)
	u.timed("totp-1", rfcSecret)
	at := u.step()
	u.want(reference(rfcSecret, at), factor.Proven)
	u.now = stepTime(at - 120)
	found := u.want(reference(rfcSecret, at-120), factor.Replayed)
	if !strings.Contains(found.Log, "this clock is at least 60 min behind") {
		t.Errorf("log %q", found.Log)
	}
	if found := u.want("000000", factor.Wrong); !strings.Contains(found.Log, "set back") {
		t.Errorf("log of a wrong code: %q", found.Log)
	}
	u.now = stepTime(at - 10)
	u.want(reference(rfcSecret, at), factor.Replayed)
	u.want(reference(rfcSecret, at+1), factor.Wrong)
	u.now = stepTime(at + 1)
	u.want(reference(rfcSecret, at+1), factor.Replayed)
	u.want(reference(rfcSecret, at+2), factor.Proven)
}

func TestDriftIsLearnt(t *testing.T) {
	for _, phone := range []int64{-1, 1} {
		u := newUser(t, 1)
		u.timed("totp-1", rfcSecret)
		login := func(offset int64) {
			t.Helper()
			u.now = u.now.Add(5 * time.Minute)
			u.want(reference(rfcSecret, u.step()+offset), factor.Proven)
		}
		login(phone)
		if d := u.token("totp-1").TOTP.drift(); d != 0 {
			t.Errorf("drift %d after one login", d)
		}
		for range 8 {
			login(phone)
		}
		if d := u.token("totp-1").TOTP.drift(); d != phone {
			t.Errorf("drift %d after nine logins, want %d", d, phone)
		}
		for range 20 {
			login(2 * phone)
		}
		if d := u.token("totp-1").TOTP.drift(); d != 2*phone {
			t.Errorf("drift %d, want %d", d, 2*phone)
		}
		for range 20 {
			login(3 * phone) // inside the window around the drift
		}
		if tok := u.token("totp-1").TOTP; tok.drift() != 2*phone || tok.Drift != 2*phone*driftUnits {
			t.Errorf("drift %d in sixteenths, want it held at 2 steps", tok.Drift)
		}
		item, err := u.f.Describe(u.login().Records[0])
		if want := map[int64]string{-1: "-60 s", 1: "+60 s"}[phone]; err != nil || item.Detail["drift"] != want {
			t.Errorf("described as %q, want %q (%v)", item.Detail["drift"], want, err)
		}
		u.now = u.now.Add(5 * time.Minute)
		u.want(reference(rfcSecret, u.step()-phone), factor.Wrong) // 3 steps from the drift
	}
}

// Never more than 2*window+1 steps are open to a guess.
func TestCandidates(t *testing.T) {
	for drift := int64(-2); drift <= 2; drift++ {
		open := 0
		for offset := int64(-8); offset <= 8; offset++ {
			u := newUser(t, 1)
			tok, _ := newToken(kindTOTP)
			tok.ID, tok.Secret, tok.TOTP.Drift = "totp-1", seed(rfcSecret), drift*driftUnits
			u.keep(tok)
			if u.answer(reference(rfcSecret, u.step()+offset)).Outcome == factor.Proven {
				open++
			}
		}
		if open != 3 {
			t.Errorf("drift %d: %d candidates", drift, open)
		}
	}
}

func TestEdgesOfTime(t *testing.T) {
	for _, now := range []time.Time{{}, time.Unix(-1, 0), time.Unix(0, 0), time.Unix(1<<62, 0)} {
		u := newUser(t, 1)
		u.timed("totp-1", rfcSecret)
		u.now = now
		u.want("000000", factor.Wrong)
	}
}
