package totp

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factor"
)

func TestLookAhead(t *testing.T) {
	for _, ahead := range []uint64{0, 10, 100} {
		for _, c := range []struct {
			offset int64
			want   factor.Outcome
		}{
			{-101, factor.Wrong}, {-100, factor.Replayed}, {-1, factor.Replayed},
			{0, factor.Proven}, {int64(ahead), factor.Proven}, {int64(ahead) + 1, factor.Wrong},
		} {
			u := newUser(t, 0)
			tok := u.counted("hotp-1", rfcSecret, 7000)
			tok.HOTP.LookAhead = ahead
			u.keep(tok)
			u.want(reference(rfcSecret, 7000+c.offset), c.want)
			next := uint64(7000)
			if c.want == factor.Proven {
				next += uint64(c.offset) + 1
			}
			if got := u.token("hotp-1"); got.HOTP.Next != next || got.Used.IsZero() == (c.want == factor.Proven) {
				t.Errorf("offset %d: counter %d, want %d", c.offset, got.HOTP.Next, next)
			}
		}
	}
}

func TestSkippedCodesAreSpent(t *testing.T) {
	u := newUser(t, 0)
	u.counted("hotp-1", rfcSecret, 0)
	u.want("338314", factor.Proven) // counter 4
	for _, code := range strings.Fields("755224 287082 359152 969429 338314") {
		if found := u.want(code, factor.Replayed); found.Log != `code of "hotp-1" was spent before` {
			t.Errorf("log %q", found.Log)
		}
	}
	u.want("254676", factor.Proven)
}

// The codes at these counters are the same.
func TestCounterCollision(t *testing.T) {
	u := newUser(t, 0)
	u.counted("hotp-1", rfcSecret, 56188870)
	u.want("617002", factor.Proven)
	u.want("617002", factor.Replayed)
	if next := u.token("hotp-1").HOTP.Next; next != 56188871 {
		t.Errorf("counter %d", next)
	}
}

func TestEndOfCounter(t *testing.T) {
	u := newUser(t, 0)
	u.counted("hotp-1", rfcSecret, math.MaxUint64-2)
	u.want(reference(rfcSecret, -1), factor.Wrong) // 2^64-1 has none after it
	u.want(reference(rfcSecret, -2), factor.Proven)
	if o, err := u.f.Offer(t.Context(), u.login()); err != nil || !o.Enrolled || o.Usable {
		t.Errorf("a worn token is offered: %+v, %v", o, err)
	}
	u.want(reference(rfcSecret, -2), factor.Replayed)
	u.want(reference(rfcSecret, -1), factor.Wrong)
	u.want(reference(rfcSecret, 0), factor.Wrong) // it does not begin again
}

// A key that types its code presses the digits without Shift.
func TestKeyboards(t *testing.T) {
	u := newUser(t, 0)
	u.counted("hotp-1", rfcSecret, 0)
	u.want("è((éé'", factor.Proven) // 755224 in France
	u.want("è((éé'", factor.Replayed)
	u.want("287082", factor.Proven)
	u.want("ščáěěá", factor.Wrong) // a code of another token, typed in Prague
}

func TestPrefix(t *testing.T) {
	u := newUser(t, 0)
	tok := u.counted("hotp-1", rfcSecret, 0)
	tok.HOTP.Prefix = "ubhe00123456"
	u.keep(tok)
	u.want("ubhe00123456755224", factor.Proven)
	u.want("UBHE00123456287082", factor.Proven)
	u.want("359152", factor.Proven)
	u.want("ubhe00123456755224", factor.Replayed)
	u.want("ubhe00123456000000", factor.Wrong)
	u.want(`ubheàà&é"'(-ç-ç'éç`, factor.Proven) // 969429 in France
	u.want(`UBHEÀÀ&É"'(-""_"&'`, factor.Proven) // 338314 with Caps Lock
	u.want("gxd.00123456254676", factor.Proven) // Dvorak
	u.want("lbhf00123456287922", factor.Proven) // Colemak
	u.want(`vkcp**"«»()@"@«)-/`, factor.Wrong)  // Bépo: 162589
	u.want(`vkcp**"«»()@"@«)-»`, factor.Proven) // and 162583
	for _, answer := range []string{"ubhe00123457969429", "he00123456969429", "ubhe00123456", "00123456969429", "gxd.00123457969429", "ubheàà&é\"'(-ç-ç'é"} {
		if _, err := u.f.Verify(t.Context(), u.login(), factor.Secret(answer)); err != factor.ErrNotMine {
			t.Errorf("%q: %v", answer, err)
		}
	}
}

// Two tokens of eight and six digits: a prefix of digits does not confuse them.
func TestPrefixOfDigits(t *testing.T) {
	u := newUser(t, 0)
	tok := u.counted("hotp-1", rfcSecret, 0)
	tok.HOTP.Prefix = "77"
	u.keep(tok)
	long := u.counted("hotp-2", other(1), 0)
	long.Digits = 8
	u.keep(long)
	if found := u.want("77755224", factor.Proven); found.ID != "hotp-1" {
		t.Errorf("finding %+v", found)
	}
	u.want(fmt.Sprintf("%08d", 0), factor.Wrong)
}
