package token

import (
	"encoding/base32"
	"testing"
	"time"
)

// TestRFC6238 has the vectors of RFC 6238, appendix B.
func TestRFC6238(t *testing.T) {
	const digits = "1234567890"
	secret := func(n int) string {
		s := make([]byte, n)
		for i := range s {
			s[i] = digits[i%10]
		}
		return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(s)
	}
	for _, test := range []struct {
		algorithm string
		size      int
		unix      int64
		code      string
	}{
		{"SHA1", 20, 59, "94287082"},
		{"SHA256", 32, 59, "46119246"},
		{"SHA512", 64, 59, "90693936"},
		{"SHA1", 20, 1111111109, "07081804"},
		{"SHA256", 32, 1234567890, "91819424"},
		{"SHA512", 64, 20000000000, "47863826"},
	} {
		c, err := ParseClock("otpauth://totp/a:b?digits=8&period=30&algorithm=" + test.algorithm + "&secret=" + secret(test.size))
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Code(c.Step(time.Unix(test.unix, 0))); got != test.code {
			t.Errorf("%s at %d: %s, want %s", test.algorithm, test.unix, got, test.code)
		}
	}
}

func TestParseClockRefuses(t *testing.T) {
	for _, uri := range []string{"", "otpauth://hotp/a?secret=ABCDEFGH", "https://totp/a?secret=ABCDEFGH", "otpauth://totp/a",
		"otpauth://totp/a?secret=1", "otpauth://totp/a?secret=ABCDEFGH&digits=5", "otpauth://totp/a?secret=ABCDEFGH&period=0",
		"otpauth://totp/a?secret=ABCDEFGH&algorithm=MD5"} {
		if _, err := ParseClock(uri); err == nil {
			t.Errorf("took %q", uri)
		}
	}
}

func TestFindAndWrong(t *testing.T) {
	c, err := ParseClock("otpauth://totp/a?secret=ABCDEFGHIJKLMNOP")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_800_000_000, 0)
	step := c.Step(now)
	if got, found := c.Find(c.Code(step-2), now, 2); !found || got != step-2 {
		t.Errorf("found %d, %v", got, found)
	}
	if _, found := c.Find(c.Wrong(now, 40), now, 40); found {
		t.Error("the wrong code is right")
	}
}
