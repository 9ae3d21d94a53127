package backup

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor"
)

func granted(t *testing.T, b *Bypass, m *memory, now, highest time.Time, d time.Duration) string {
	t.Helper()
	code, err := b.Grant(m, now, highest, d)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func TestBypassOnce(t *testing.T) {
	b, m := NewBypass(Config{}), newMemory()
	if o, err := b.Offer(t.Context(), login(m, noon)); err != nil || !reflect.DeepEqual(o, (factor.Offer{})) {
		t.Errorf("none: offer %+v, %v", o, err)
	}
	code := granted(t, b, m, noon, noon, time.Hour)
	if o, err := b.Offer(t.Context(), login(m, noon)); err != nil || !reflect.DeepEqual(o, (factor.Offer{Usable: true, Hint: "bypass code"})) {
		t.Errorf("one: offer %+v, %v", o, err)
	}
	if v := string(m.values["bypass-1"]); strings.Contains(v, code) || strings.Contains(v, strings.ReplaceAll(code, "-", "")) {
		t.Errorf("the record has the code: %s", v)
	}
	if found := want(t, b, m, login(m, noon), "7k2m-x9qa-04vd", factor.Wrong); !reflect.DeepEqual(found, factor.Finding{}) {
		t.Errorf("finding %+v", found)
	}
	found := want(t, b, m, login(m, noon.Add(59*time.Minute)), code, factor.Proven)
	if found.ID != "bypass-1" || found.Note == "" {
		t.Errorf("finding %+v", found)
	}
	found = want(t, b, m, login(m, noon.Add(2*time.Hour)), code, factor.Replayed)
	if found.ID != "bypass-1" || found.Note != "" || !strings.Contains(found.Log, "was used at 2026-05-04T12:59:00Z") {
		t.Errorf("finding %+v", found)
	}
	if o, err := b.Offer(t.Context(), login(m, noon)); err != nil || o.Usable || o.Enrolled {
		t.Errorf("used: offer %+v, %v", o, err)
	}
	for _, text := range []string{"", "123456", "7k2mx9qa04v"} {
		if _, err := b.Verify(t.Context(), login(m, noon), factor.Secret(text)); err != factor.ErrNotMine {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestBypassExpires(t *testing.T) {
	for _, d := range []time.Duration{time.Minute, time.Hour, 30 * 24 * time.Hour} {
		b, m := NewBypass(Config{}), newMemory()
		code := granted(t, b, m, noon, noon, d)
		late := login(m, noon.Add(d))
		if o, err := b.Offer(t.Context(), late); err != nil || o.Usable {
			t.Errorf("%v: offer %+v, %v", d, o, err)
		}
		found := want(t, b, m, late, code, factor.Wrong)
		if !strings.HasPrefix(found.Log, "bypass code expired at ") || found.ID != "bypass-1" {
			t.Errorf("%v: finding %+v", d, found)
		}
		want(t, b, m, login(m, noon.Add(d-time.Second)), code, factor.Proven)
	}
}

func TestBypassLife(t *testing.T) {
	b, m := NewBypass(Config{}), newMemory()
	for _, d := range []time.Duration{0, -time.Hour, time.Minute - 1, 30*24*time.Hour + 1} {
		if _, err := b.Grant(m, noon, noon, d); err == nil {
			t.Errorf("granted for %v", d)
		}
	}
	if _, err := b.Grant(m, noon, time.Time{}, time.Hour); err == nil {
		t.Error("granted at an unknown time")
	}
	if len(m.values) != 0 {
		t.Error("a refused one is kept")
	}
}

// The clock (now) and the highest time seen, in seconds after the one hour's
// grant, at which they were madeNow and madeHigh.
func TestClockSetBack(t *testing.T) {
	second := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Second) }
	for _, c := range []struct {
		name              string
		madeNow, madeHigh int
		now, high         int
		want              state
	}{
		{"at once", 0, 0, 0, 0, valid},
		{"later", 0, 0, 1800, 1800, valid},
		{"the store has not seen now", 0, 0, 1800, 0, valid},
		{"the store lagged when it was made", 0, -3600, 1800, 1800, valid},
		{"corrected by 5 s", 0, 0, 1795, 1800, valid},
		{"set back by 6 s", 0, 0, 1794, 1800, stale},
		{"set back before the grant", 0, 0, -3600, 0, stale},
		{"5 s before the grant", 0, 0, -5, 0, valid},
		{"set back after it has expired", 0, 0, 1800, 7200, stale},
		{"expired", 0, 0, 3600, 3600, expired},
		{"made while the clock was behind", 0, 86400, 0, 86400, valid},
		{"then later", 0, 86400, 1800, 86400, valid},
		{"then set back", 0, 86400, -6, 86400, stale},
		{"then past what was seen", 0, 86400, 86401, 86401, expired},
		{"a store that forgot", 0, 86400, 1800, 80000, stale},
	} {
		b, m := NewBypass(Config{}), newMemory()
		granted(t, b, m, second(c.madeNow), second(c.madeHigh), time.Hour)
		k, err := b.tickets.decode(login(m, noon).Records[0])
		if err != nil {
			t.Fatal(err)
		}
		if got := k.state(at(second(c.now), second(c.high))); got != c.want {
			t.Errorf("%s: state %d, want %d", c.name, got, c.want)
		}
	}
}

func TestStaleIsNotSpent(t *testing.T) {
	b, m := NewBypass(Config{}), newMemory()
	code := granted(t, b, m, noon, noon, time.Hour)
	l := login(m, noon.Add(time.Minute))
	l.Highest = noon.Add(2 * time.Hour)
	if o, err := b.Offer(t.Context(), l); err != nil || o.Usable {
		t.Errorf("offer %+v, %v", o, err)
	}
	if found := want(t, b, m, l, code, factor.Wrong); !strings.Contains(found.Log, "clock is behind") {
		t.Errorf("finding %+v", found)
	}
	l.Highest = time.Time{}
	want(t, b, m, l, code, factor.Wrong) // unknown
	want(t, b, m, login(m, noon.Add(time.Minute)), code, factor.Proven)
}

func TestTenOutstanding(t *testing.T) {
	b, m := NewBypass(Config{}), newMemory()
	var codes []string
	for range 10 {
		codes = append(codes, granted(t, b, m, noon, noon, time.Hour))
	}
	if _, err := b.Grant(m, noon, noon, time.Hour); err == nil || !strings.Contains(err.Error(), "hint:") {
		t.Errorf("an eleventh: %v", err)
	}
	want(t, b, m, login(m, noon), codes[3], factor.Proven)
	soon := noon.Add(30 * time.Minute)
	granted(t, b, m, soon, soon, time.Hour)
	want(t, b, m, login(m, soon), codes[3], factor.Replayed) // remembered for an hour
	want(t, b, m, login(m, soon), codes[9], factor.Proven)
	if _, ok := m.values["bypass-11"]; !ok || len(m.values) != 11 {
		t.Errorf("kept %d", len(m.values))
	}

	later := noon.Add(2 * time.Hour)
	granted(t, b, m, later, later, time.Hour)
	if _, ok := m.values["bypass-12"]; !ok || len(m.values) != 2 { // and bypass-11, just expired
		t.Errorf("after cleaning %d are kept", len(m.values))
	}
	want(t, b, m, login(m, later), codes[3], factor.Wrong)
}

func TestGrantRemovesJunk(t *testing.T) {
	b, m := NewBypass(Config{}), newMemory()
	old := granted(t, b, m, noon, noon, time.Hour)
	good := string(m.values["bypass-1"])
	for _, junk := range []string{"", "{}", strings.Replace(good, `"v":1`, `"v":2`, 1), strings.Replace(good, "bypass", "invite", 1),
		strings.Replace(good, `"for":3600000000000`, `"for":9223372036854775807`, 1), good + "x"} {
		m.values["bypass-5"] = []byte(junk)
		if o, err := b.Offer(t.Context(), login(m, noon)); err == nil || o.Usable {
			t.Errorf("%q: offer %+v, %v", junk, o, err)
		}
		if found, err := answer(t, b, m, login(m, noon), old); err == nil || found.Outcome != factor.Wrong {
			t.Errorf("%q: %+v, %v", junk, found, err)
		}
		if _, err := b.Describe(factor.Record{ID: "bypass-5", Value: []byte(junk)}); err == nil {
			t.Errorf("%q: described", junk)
		}
	}
	code := granted(t, b, m, noon, noon, time.Hour)
	want(t, b, m, login(m, noon), code, factor.Proven)
	want(t, b, m, login(m, noon), old, factor.Proven)
	item, err := b.Describe(login(m, noon).Records[0])
	if err != nil || item.ID != "bypass-1" || item.Factor != "bypass" || item.Detail["expires"] != "2026-05-04T13:00:00Z" {
		t.Errorf("described as %+v, %v", item, err)
	}
}

func TestInvite(t *testing.T) {
	v, m := NewInvite(Config{}), newMemory()
	code, err := v.Grant(m, noon, noon, 0)
	if err != nil {
		t.Fatal(err)
	}
	redeem := func(text string, after time.Duration, want factor.Outcome) {
		t.Helper()
		now := noon.Add(after)
		if got, err := v.Redeem(m, factor.Secret(text), now, now); err != nil || got != want {
			t.Errorf("%q after %v: %d, %v, want %d", text, after, got, err, want)
		}
	}
	redeem("", 0, factor.Wrong)
	redeem("123456", 0, factor.Wrong)
	redeem("7k2m-x9qa-04vd", 0, factor.Wrong)
	redeem(code, 24*time.Hour, factor.Wrong)
	redeem(strings.ToUpper(code), 24*time.Hour-time.Second, factor.Proven)
	redeem(code, time.Hour, factor.Replayed)
	m.fail = "list"
	if got, err := v.Redeem(m, factor.Secret(code), noon, noon); err == nil || got != factor.Wrong {
		t.Errorf("store fails: %d, %v", got, err)
	}
}

// An invitation lets nobody in, even if its record is among the bypass codes.
func TestInviteIsNoBypass(t *testing.T) {
	b, v, m := NewBypass(Config{}), NewInvite(Config{}), newMemory()
	code, err := v.Grant(m, noon, noon, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if found, err := answer(t, b, m, login(m, noon), code); err == nil || found.Outcome != factor.Wrong {
		t.Errorf("as bypass: %+v, %v", found, err)
	}
	m.values["bypass-1"] = []byte(strings.Replace(string(m.values["invite-1"]), "invite", "bypass", 1))
	m.Delete("invite-1")
	want(t, b, m, login(m, noon), code, factor.Wrong)
}

func TestGrantFails(t *testing.T) {
	for _, fail := range []string{"list", "delete", "put"} {
		b, m := NewBypass(Config{}), newMemory()
		m.values["bypass-1"] = nil
		m.fail = fail
		if code, err := b.Grant(m, noon, noon, time.Hour); err == nil {
			t.Errorf("%s fails: granted %q", fail, code)
		}
	}
	if _, err := NewBypass(Config{Rand: strings.NewReader("too short")}).Grant(newMemory(), noon, noon, time.Hour); err == nil {
		t.Error("made a code of too little")
	}
}
