package conf

import (
	"fmt"
	"slices"
	"strings"

	"github.com/factord/factord/daemon/policy"
)

// Factors are names of factors.
type Factors []string

// FactorNames returns every name that a rule may have in its factors, whether or not a given factord can do it.
func FactorNames() Factors {
	return Factors{"duo", "totp", "backup", "yubico", "touch", "hmac", "piv", "fido2"}
}

// BuiltIn returns the names of the factors that this factord can do.
func BuiltIn() Factors { return FactorNames() }

// deviceFactors returns those that need a key plugged into this machine, which can be asked to wait for a touch.
func deviceFactors() Factors { return Factors{"touch", "hmac", "piv", "fido2"} }

func readFactor(s string) (string, flaw) {
	if slices.Contains(FactorNames(), s) {
		return s, flaw{}
	}
	hint := "the factors are " + strings.Join(FactorNames(), ", ")
	switch s {
	case "bypass":
		hint = "leave it out: a bypass code from root is always accepted, unless the rule says bypass = false"
	case "u2f", "webauthn":
		hint = `write "fido2": it covers keys of U2F too`
	case "hotp":
		hint = `write "totp": it covers HOTP tokens too`
	}
	return "", flaw{fmt.Sprintf("unknown factor %q", s), hint}
}

// warnUnknownFactors tells which factors of a rule this factord can't do.
func warnUnknownFactors(t *table, r *policy.Rule, known Factors) {
	missing := 0
	for _, f := range r.Factors {
		if !slices.Contains(known, f) {
			missing++
			t.report.warn(t.line("factors"), "rule %s: factor %q is not built into this factord, it is passed over", title(r), f)
		}
	}
	if missing > 0 && missing == len(r.Factors) {
		t.report.warn(t.line("factors"), "rule %s: no factor of it is built into this factord, so nobody can pass it", title(r))
	}
}

// loginFactors are those that a person can set up in the middle of a login.
func loginFactors() []string { return []string{"totp", "duo"} }
