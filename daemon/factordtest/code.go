package factordtest

import (
	"testing"
	"time"

	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"
)

// TOTP returns the 6-digit code of a token at a time.
func TOTP(t testing.TB, tok Token, at time.Time) string {
	t.Helper()
	code, err := totp.GenerateCode(tok.Secret(), at)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// HOTP returns the 6-digit code of a token at a counter.
func HOTP(t testing.TB, tok Token, counter uint64) string {
	t.Helper()
	code, err := hotp.GenerateCode(tok.Secret(), counter)
	if err != nil {
		t.Fatal(err)
	}
	return code
}
