package totp

import (
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor"
)

func (u *user) restored(present ...factor.Record) {
	u.t.Helper()
	if err := u.f.Restored(u.rs, present, u.now); err != nil {
		u.t.Fatal(err)
	}
}

// Whatever was accepted between the backup and now is refused after it, also
// from a phone whose drift the backup doesn't know.
func TestNothingIsAcceptedTwiceOverARestore(t *testing.T) {
	for _, window := range []int{0, 1, 3} {
		for drift := int64(-maxDrift); drift <= maxDrift; drift++ {
			u := newUser(t, window)
			tok := u.timed("totp-1", rfcSecret)
			backup := maps.Clone(u.rs.Values)
			tok.TOTP.Drift = drift * driftUnits
			u.keep(tok)
			code := reference(rfcSecret, u.step()+drift+int64(window)) // the latest there is
			u.want(code, factor.Proven)

			u.rs.Values = backup
			u.restored()
			for range 2*maxDrift + 2*window + 2 {
				u.want(code, factor.Replayed)
				u.now = u.now.Add(30 * time.Second)
			}
			u.want(reference(rfcSecret, u.step()), factor.Proven)
		}
	}
}

func TestRestoredSaysWhy(t *testing.T) {
	u := newUser(t, 1)
	u.timed("totp-1", rfcSecret)
	u.restored()
	found := u.want(reference(rfcSecret, u.step()), factor.Replayed)
	if !strings.Contains(found.Log, `codes of "totp-1" count again in 60 s, after a restored backup`) {
		t.Errorf("log %q", found.Log)
	}
	if found.Note != "codes count again in 60 s: factord was restored from a backup" {
		t.Errorf("the person hears %q", found.Note)
	}
	u.now = u.now.Add(90 * time.Second)
	u.want(reference(rfcSecret, u.step()+1), factor.Proven)
	u.now = u.now.Add(-time.Hour)
	if found := u.want("000000", factor.Wrong); !strings.Contains(found.Log, "set back") {
		t.Errorf("log %q", found.Log)
	}
}

func TestRestoredKeepsWhatIsHigher(t *testing.T) {
	u := newUser(t, 1)
	tok := u.timed("totp-1", rfcSecret)
	at := u.step()
	tok.TOTP.Floor, tok.TOTP.Spent = at+10, []int64{at + 12}
	u.keep(tok)
	puts := u.rs.Puts
	u.restored()
	if u.rs.Puts != puts {
		t.Errorf("changed to %+v", u.token("totp-1").TOTP)
	}
	u.now = u.now.Add(9 * 30 * time.Second)
	u.restored()
	if s := u.token("totp-1").TOTP; s.Floor != at+12 || s.Restored != at+12 || len(s.Spent) > 0 {
		t.Errorf("steps %+v", s)
	}
}

func TestRestoredCounter(t *testing.T) {
	u := newUser(t, 1)
	u.counted("hotp-1", rfcSecret, 0)
	u.restored()
	puts := u.rs.Puts
	u.restored() // again
	if u.rs.Puts != puts {
		t.Error("a second time changes something")
	}
	if o, err := u.f.Offer(t.Context(), u.login()); err != nil || !o.Enrolled || o.Advice != "hotp-1 has to be resynced: factorctl resync hotp-1" {
		t.Errorf("offer %+v, %v", o, err)
	}
	want := factor.Finding{ID: "hotp-1", Log: `"hotp-1" has to be resynced after a restored backup: factorctl resync hotp-1 --user alice`}
	for _, code := range appendixD {
		if found := u.want(code, factor.Wrong); !reflect.DeepEqual(found, want) {
			t.Errorf("%s: finding %+v", code, found)
		}
	}
	item, err := u.f.Describe(u.login().Records[0])
	if err != nil || item.Detail["resync"] != "needed after a restored backup" {
		t.Errorf("described as %v, %v", item.Detail, err)
	}
	if log, err := u.resync("hotp-1", appendixD[6], appendixD[7]); err != nil || !strings.HasSuffix(log, "moved from 0 to 8") {
		t.Errorf("resync: %q, %v", log, err)
	}
	u.want(appendixD[7], factor.Replayed)
	u.want(appendixD[8], factor.Proven)
	if tok := u.token("hotp-1"); tok.detail()["resync"] != "" {
		t.Errorf("detail %v", tok.detail())
	}
}

// Two spent codes in a row are no proof of where the token is now. What the
// replaced database knows to be spent is not found again, whoever gives it.
func TestRestoredCounterKeepsWhatIsKnownToBeSpent(t *testing.T) {
	record := func(id, secret string, next uint64) factor.Record {
		other := newUser(t, 1)
		other.counted(id, secret, next)
		return factor.Record{ID: id, Value: other.rs.Values[id]}
	}
	timed := newUser(t, 1)
	timed.timed("totp-1", rfcSecret)
	for name, c := range map[string]struct {
		present []factor.Record
		want    uint64
	}{
		"higher":           {[]factor.Record{record("hotp-1", rfcSecret, 4)}, 4},
		"under another id": {[]factor.Record{record("hotp-3", rfcSecret, 4)}, 4},
		"lower":            {[]factor.Record{record("hotp-1", rfcSecret, 1)}, 2},
		"another secret":   {[]factor.Record{record("hotp-1", other(1), 9)}, 2},
		"not readable":     {[]factor.Record{{ID: "hotp-1", Value: []byte("{}")}, record("hotp-2", rfcSecret, 3)}, 3},
		"timed":            {[]factor.Record{{ID: "totp-1", Value: timed.rs.Values["totp-1"]}}, 2},
		"nothing":          {nil, 2},
	} {
		u := newUser(t, 1)
		u.counted("hotp-1", rfcSecret, 2)
		u.restored(c.present...)
		if got := u.token("hotp-1").HOTP; got.Next != c.want || !got.Resync {
			t.Errorf("%s: %+v, want %d", name, got, c.want)
		}
	}
	u := newUser(t, 1)
	u.counted("hotp-1", rfcSecret, 0)
	u.restored(record("hotp-1", rfcSecret, 4))
	if _, err := u.resync("hotp-1", appendixD[0], appendixD[1]); !errors.Is(err, factor.ErrResync) {
		t.Errorf("two spent codes: %v", err)
	}
	u.restored(record("hotp-1", rfcSecret, 5)) // waits already, and rises
	if log, err := u.resync("hotp-1", appendixD[5], appendixD[6]); err != nil || !strings.HasSuffix(log, "moved from 5 to 7") {
		t.Errorf("resync: %q, %v", log, err)
	}
	u.want(appendixD[2], factor.Replayed)
}

// A token that waits does not hide what is the matter with another.
func TestRestoredCounterBesideATimedOne(t *testing.T) {
	u := newUser(t, 1)
	tok := u.counted("hotp-1", rfcSecret, 0)
	tok.HOTP.Resync = true
	u.keep(tok)
	u.timed("totp-2", other(2))
	found := u.want(reference(other(2), u.step()-8), factor.Wrong)
	if !strings.Contains(found.Log, "factorctl resync hotp-1 --user alice; code of \"totp-2\" was valid 4 min ago") {
		t.Errorf("log %q", found.Log)
	}
	if found := u.want(reference(other(2), u.step()), factor.Proven); !reflect.DeepEqual(found, factor.Finding{Outcome: factor.Proven, ID: "totp-2"}) {
		t.Errorf("finding %+v", found)
	}
}

// One record that can't be read keeps the others from nothing, and stays.
func TestRestoredAmongDamaged(t *testing.T) {
	u := newUser(t, 1)
	u.counted("hotp-1", rfcSecret, 0)
	u.rs.Put("hotp-2", []byte(`{"v":2}`))
	u.timed("totp-3", other(3))
	u.restored()
	if !u.token("hotp-1").HOTP.Resync || u.token("totp-3").TOTP.Restored == 0 || string(u.rs.Values["hotp-2"]) != `{"v":2}` {
		t.Errorf("kept %s", u.rs.Values)
	}
	broken := errors.New("disk on fire")
	if err := u.f.Restored(failing{Memory: u.rs, list: broken}, nil, u.now); !errors.Is(err, broken) {
		t.Error(err)
	}
	u.now = u.now.Add(time.Hour)
	if err := u.f.Restored(failing{Memory: u.rs, put: broken}, nil, u.now); !errors.Is(err, broken) {
		t.Error(err)
	}
	if err := u.f.Restored(failing{Memory: u.rs, list: factor.ErrDamaged}, nil, u.now); err != nil {
		t.Error(err)
	}
}

func TestDriftIsShown(t *testing.T) {
	for _, c := range []struct {
		sixteenths int64
		period     int
		want       string
	}{{0, 30, ""}, {8, 30, "+15 s"}, {-8, 30, "-15 s"}, {32, 30, "+60 s"}, {1, 15, ""}, {-3, 60, "-11 s"}, {32, 120, "+240 s"}} {
		tok, _ := newToken(kindTOTP)
		tok.TOTP.Drift, tok.TOTP.Period = c.sixteenths, c.period
		if got := tok.detail()["drift"]; got != c.want {
			t.Errorf("%d/16 of %d s: %q, want %q", c.sixteenths, c.period, got, c.want)
		}
	}
}
