package conf

import "strings"

// TOTP is [totp].
type TOTP struct {
	Issuer string // what an authenticator shows beside the account; "": the name of this machine
	Window int    // steps accepted on each side of the current one
}

// MaxWindow is the widest window: at 30 s a step, codes of more than 5 minutes ago
// would be as good as passwords.
const MaxWindow = 10

const (
	defaultWindow = 1
	maxIssuer     = 64 // bytes
)

func readTOTP(t *table) TOTP {
	defer t.done()
	issuer, _ := t.text("issuer")
	switch {
	case len(issuer) > maxIssuer:
		t.fail("issuer", "", "is longer than %d bytes", maxIssuer)
	case !isPrintable(issuer):
		t.fail("issuer", "", "%q has a character that can't be shown", issuer)
	case strings.Contains(issuer, ":"):
		// The label of an otpauth URI is issuer:account.
		t.fail("issuer", "leave the colon out", "%q has a colon", issuer)
	}
	return TOTP{Issuer: issuer, Window: t.number("window", defaultWindow, 0, MaxWindow)}
}
