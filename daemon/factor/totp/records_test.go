package totp

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/record"
	"github.com/factord/factord/daemon/factordtest/records"
)

// rfcSecret is the secret of the vectors in RFC 4226 and 6238.
const rfcSecret = "12345678901234567890"

const rfcBase32 = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

// other returns a secret that is none of the others.
func other(n int) string { return fmt.Sprintf("another-secret-%05d", n) }

// reference is RFC 4226, 5.3 with SHA-1 and 6 digits, written once more.
func reference(secret string, moving int64) string {
	mac := hmac.New(sha1.New, []byte(secret))
	binary.Write(mac, binary.BigEndian, moving)
	sum := mac.Sum(nil)
	n := binary.BigEndian.Uint32(sum[sum[19]&15:]) & 0x7fffffff
	return fmt.Sprintf("%06d", n%1000000)
}

// user is one user's tokens and clock.
type user struct {
	t   *testing.T
	f   *Factor
	rs  *records.Memory
	now time.Time
}

func newUser(t *testing.T, window int) *user {
	return &user{t: t, f: New(Config{Issuer: "example.com", Window: window}), rs: &records.Memory{}, now: stepTime(56_000_000)}
}

// stepTime is the middle of a step of 30 s.
func stepTime(step int64) time.Time { return time.Unix(step*30+15, 0) }

func (u *user) step() int64 { return u.now.Unix() / 30 }

// keep puts a token as it is.
func (u *user) keep(tok *token) {
	u.t.Helper()
	if tok.Name == "" {
		tok.Name = tok.ID
	}
	if err := record.Check(tok); err != nil {
		u.t.Fatal(err)
	}
	if err := record.Put(u.rs, tok); err != nil {
		u.t.Fatal(err)
	}
}

func (u *user) timed(id, secret string) *token {
	tok, _ := newToken(kindTOTP)
	tok.ID, tok.Secret = id, seed(secret)
	u.keep(tok)
	return tok
}

func (u *user) counted(id, secret string, next uint64) *token {
	tok, _ := newToken(kindHOTP)
	tok.ID, tok.Secret, tok.HOTP.Next = id, seed(secret), next
	u.keep(tok)
	return tok
}

// resync gives two codes and returns what the log is told.
func (u *user) resync(id, first, second string) (string, error) {
	return u.f.Resync(u.rs, id, factor.Secret(first), factor.Secret(second), u.now)
}

func (u *user) token(id string) *token {
	u.t.Helper()
	tok, err := record.Decode[token](factor.Record{ID: id, Value: u.rs.Values[id]})
	if err != nil {
		u.t.Fatal(err)
	}
	return tok
}

func (u *user) login() factor.Login {
	list, _ := u.rs.List()
	return factor.Login{User: "alice", Now: u.now, Records: list}
}

// answer gives an answer that has the form of a code, and returns what is found.
func (u *user) answer(text string) factor.Finding {
	u.t.Helper()
	c, err := u.f.Verify(context.Background(), u.login(), factor.Secret(text))
	if err != nil {
		u.t.Fatalf("verifying %q: %v", text, err)
	}
	if !c.Guessable {
		u.t.Errorf("%q is not guessable", text)
	}
	found, err := c.Settle(u.rs)
	if err != nil {
		u.t.Fatalf("settling %q: %v", text, err)
	}
	return found
}

func (u *user) want(text string, outcome factor.Outcome) factor.Finding {
	u.t.Helper()
	found := u.answer(text)
	if found.Outcome != outcome {
		u.t.Errorf("%q at step %d: outcome %d, want %d (%+v)", text, u.step(), found.Outcome, outcome, found)
	}
	return found
}
