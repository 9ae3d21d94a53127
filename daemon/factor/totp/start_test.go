package totp

import (
	"context"
	"strings"
	"testing"

	"github.com/factord/factord/daemon/factor"
)

// begin begins an enrolment in a login.
func (u *user) begin() factor.Start {
	u.t.Helper()
	s, err := u.f.Start(context.Background(), u.login())
	if err != nil {
		u.t.Fatal(err)
	}
	return s
}

// confirms settles an answer to it.
func (u *user) confirms(s factor.Start, answer string) factor.Finding {
	u.t.Helper()
	typed := factor.Secret(answer)
	c, err := s.Confirm(context.Background(), u.login(), typed)
	if err != nil {
		u.t.Fatal(err)
	}
	typed.Wipe() // as the session does, which settles later
	finding, err := c.Settle(u.rs)
	if err != nil {
		u.t.Fatal(err)
	}
	return finding
}

func TestStart(t *testing.T) {
	u := newUser(t, 1)
	u.f.rand = strings.NewReader(rfcSecret)
	s := u.begin()
	if last := s.Show[len(s.Show)-1]; last != "Secret: GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ  (time-based)" || len(s.Show) < 20 {
		t.Errorf("shown %q", s.Show)
	}
	right := reference(rfcSecret, u.step())
	for _, wrong := range []string{"000000", "", "1234567", "hello", reference(rfcSecret, u.step()+9)} {
		if finding := u.confirms(s, wrong); finding.Outcome != factor.Wrong || finding.Note == "" || len(u.login().Records) != 0 {
			t.Errorf("%q: %+v, and %d records", wrong, finding, len(u.login().Records))
		}
	}
	if finding := u.confirms(s, right); finding.Outcome != factor.Proven || finding.ID != "totp-1" {
		t.Fatalf("%+v", finding)
	}
	u.want(right, factor.Replayed)
	if tok := u.token("totp-1"); string(tok.Secret) != rfcSecret || !tok.Created.Equal(u.now) {
		t.Errorf("kept %+v", tok)
	}
}

// What is too wide for a terminal is not drawn, and all that is has room in the cue
// of pam_factord (MAX_CUE), which holds 12,000 bytes until the next question.
func TestStartOfLongNames(t *testing.T) {
	for size := 1; size <= 256; size++ {
		u := newUser(t, 1)
		u.f.issuer = strings.Repeat("i", min(size, 64))
		l := u.login()
		l.User = strings.Repeat("u", size)
		s, err := u.f.Start(context.Background(), l)
		if err != nil {
			t.Fatal(err)
		}
		total := 0
		for _, line := range s.Show {
			total += len(line) + 1
			if columns := len([]rune(line)); columns > maxColumns {
				t.Errorf("%d bytes of name: a line of %d columns", size, columns)
			}
		}
		drawn := len(s.Show) > 2
		if total > 11_000 || size == 1 && !drawn || size == 256 && drawn || !strings.HasPrefix(s.Show[len(s.Show)-1], "Secret: ") {
			t.Errorf("%d bytes of name: %d lines, %d bytes", size, len(s.Show), total)
		}
	}
}
