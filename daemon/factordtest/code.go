package factordtest

import (
	"testing"
	"time"

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
