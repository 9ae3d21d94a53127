package conf

import (
	"strings"
	"testing"
)

// A rule that only keys can meet which are plugged in here is no use for logins from afar.
func TestKeysFromAfar(t *testing.T) {
	for rule, want := range map[string]string{
		`services=["sshd"]
factors=["touch","hmac"]`: "f:2: rule #1: sshd serves logins from elsewhere, and its factors are keys that are plugged in here",
		`networks=["10.0.0.0/8"]
factors=["piv"]`: `f:2: rule #1: without "local" its networks are elsewhere`,
		`networks=["10.0.0.0/8","local"]
factors=["piv"]`: "",
		`services=["sshd","sudo"]
factors=["fido2"]`: "",
		`services=["sshd"]
factors=["fido2","totp"]`: "",
		`services=["sshd"]`: "",
		`services=["sshd"]
mode="exempt"`: "",
		`factors=["touch"]`: "",
	} {
		c, err := Parse("f", []byte("[[rule]]\n"+rule+"\n"), BuiltIn())
		if err != nil && want != "" {
			t.Fatalf("%s: %v", rule, err)
		}
		var got string
		if c != nil {
			got = strings.Join(c.Warnings, "\n")
		}
		if want == "" && strings.Contains(got, "plugged in here") || !strings.HasPrefix(got, want) {
			t.Errorf("%s: warned %q, want %q", rule, got, want)
		}
	}
}

func TestU2FIsFIDO2(t *testing.T) {
	if _, err := Parse("f", []byte("[[rule]]\nfactors=[\"u2f\"]\n"), BuiltIn()); err == nil || !strings.Contains(err.Error(), `write "fido2"`) {
		t.Error(err)
	}
}
