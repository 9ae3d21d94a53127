package totp

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factor"
)

// appendixD are the codes of RFC 4226, appendix D, at the counters 0 to 9.
var appendixD = strings.Fields("755224 287082 359152 969429 338314 254676 287922 162583 399871 520489")

func TestResync(t *testing.T) {
	u := newUser(t, 1)
	u.counted("hotp-1", rfcSecret, 0)
	log, err := u.resync("hotp-1", appendixD[3], appendixD[4])
	if want := `counter of "hotp-1" moved from 0 to 5`; err != nil || log != want {
		t.Errorf("log %q, %v, want %q", log, err, want)
	}
	tok := u.token("hotp-1")
	if tok.HOTP.Next != 5 || !tok.Used.IsZero() {
		t.Errorf("counter %d, used %v", tok.HOTP.Next, tok.Used)
	}
	for _, code := range appendixD[:5] {
		u.want(code, factor.Replayed)
	}
	u.want(appendixD[5], factor.Proven)
}

func TestResyncWindow(t *testing.T) {
	for _, c := range []struct {
		name  string
		ahead int64
		found bool
	}{
		{"where it is", 0, true},
		{"the last place", resyncWindow - 1, true},
		{"one too far", resyncWindow, false},
		{"the first is spent", -1, false},
		{"both are spent", -2, false},
		{"long ago", -900, false},
	} {
		const next = 5000
		u := newUser(t, 1)
		u.counted("hotp-1", rfcSecret, next)
		puts := u.rs.Puts
		_, err := u.resync("hotp-1", reference(rfcSecret, next+c.ahead), reference(rfcSecret, next+c.ahead+1))
		if c.found != (err == nil) || !c.found && (err != factor.ErrResync || u.rs.Puts != puts) {
			t.Errorf("%s: %v", c.name, err)
		}
		want := uint64(next)
		if c.found {
			want = uint64(next + c.ahead + 2)
		}
		if got := u.token("hotp-1").HOTP.Next; got != want {
			t.Errorf("%s: counter %d, want %d", c.name, got, want)
		}
	}
}

func TestNoResync(t *testing.T) {
	u := newUser(t, 1)
	u.counted("hotp-1", rfcSecret, 0)
	puts := u.rs.Puts
	for name, codes := range map[string][2]string{
		"the same twice":    {appendixD[3], appendixD[3]},
		"wrong order":       {appendixD[4], appendixD[3]},
		"one between":       {appendixD[3], appendixD[5]},
		"the second wrong":  {appendixD[3], "000000"},
		"the first wrong":   {"000000", appendixD[4]},
		"nothing":           {"", ""},
		"seven digits":      {"0" + appendixD[3], "0" + appendixD[4]},
		"no digits":         {"75522x", appendixD[1]},
		"another's prefix":  {"ubhe" + appendixD[3], "ubhe" + appendixD[4]},
		"both in one":       {appendixD[3] + appendixD[4], ""},
		"one of each token": {appendixD[3], reference(other(1), 4)},
	} {
		if log, err := u.resync("hotp-1", codes[0], codes[1]); err != factor.ErrResync || log != "" {
			t.Errorf("%s: %q, %v", name, log, err)
		}
	}
	if u.rs.Puts != puts {
		t.Error("a refused resync changed the token")
	}
}

func TestResyncReadsCodesAsLoginsDo(t *testing.T) {
	u := newUser(t, 1)
	tok := u.counted("hotp-1", rfcSecret, 0)
	tok.HOTP.Prefix = "ubhe00123456"
	u.keep(tok)
	if _, err := u.resync("hotp-1", "969 429", "UBHE00123456338314"); err != nil {
		t.Error(err)
	}
}

func TestResyncOf(t *testing.T) {
	u := newUser(t, 1)
	u.timed("totp-1", rfcSecret)
	u.counted("hotp-2", rfcSecret, math.MaxUint64-1)
	u.counted("hotp-3", rfcSecret, math.MaxUint64-3)
	u.rs.Put("hotp-4", []byte("{}"))
	for id, want := range map[string]string{
		"totp-1": "time-based", "hotp-2": "the end of its counter", "hotp-4": "reading", "hotp-5": "there is no",
	} {
		if _, err := u.resync(id, appendixD[0], appendixD[1]); err == nil || !strings.Contains(err.Error(), want) || errors.Is(err, factor.ErrResync) {
			t.Errorf("%s: %v", id, err)
		}
	}
	// The last two codes that there are.
	if _, err := u.resync("hotp-3", reference(rfcSecret, -3), reference(rfcSecret, -2)); err != nil {
		t.Error(err)
	}
	if tok := u.token("hotp-3"); !tok.worn() {
		t.Errorf("counter %d", tok.HOTP.Next)
	}
}

// The codes at 56188870 and the next counter are the same: typed as a pair they
// are taken for one code typed twice, and the pair after them will do.
func TestResyncOnCollision(t *testing.T) {
	const at = 56188870
	u := newUser(t, 1)
	u.counted("hotp-1", rfcSecret, at-100)
	code := reference(rfcSecret, at)
	if _, err := u.resync("hotp-1", code, code); err != factor.ErrResync {
		t.Error(err)
	}
	if _, err := u.resync("hotp-1", code, reference(rfcSecret, at+2)); err != nil {
		t.Error(err)
	}
	if next := u.token("hotp-1").HOTP.Next; next != at+3 {
		t.Errorf("counter %d", next)
	}
}

func BenchmarkResync(b *testing.B) {
	tok, _ := newToken(kindHOTP)
	tok.ID, tok.Secret = "hotp-1", seed(rfcSecret)
	for b.Loop() {
		if _, err := tok.pair(factor.Secret("000000"), factor.Secret("000001")); err != factor.ErrResync {
			b.Fatal(err)
		}
	}
}
