package conf

import (
	"strings"
	"testing"
)

// Whatever way a secret is written wrong, no error shows it.
func TestSecretsAreNotShown(t *testing.T) {
	const digits, letters = "5ecretsecretsecret0123456789abcdefabcdef", "qwertzuiopasdfghjklyxcvbnmqwertzuiopasdf"
	for _, lines := range []string{
		"skey_file = 'SECRET'", "skey_file = SECRET", "skey_file = ''\nskey = 'SECRET'", "skey = 'SECRET '",
		"skey=SECRET", "skey = SECRET", "\tskey\t=\tSECRET", "'skey' = SECRET", "SKEY = SECRET", "skey = xSECRET",
		"skey = 'SECRET", "skey = \"SECRET", "skey = SECRET'", "skey SECRET", "skey: SECRET",
		"skey = [SECRET]", "skey = ['SECRET']", "skey = { SECRET = 1 }", "skey = '''\nSECRET",
		"skey = \"\"\"\n\\uSECRET\"\"\"", "skey = \"\\uSECRET\"",
		"skey = 1_SECRET", "skey = 1.SECRET", "skey = 0xSECRET", "skey = tSECRET", "skey = 2026-11-22SECRET",
		"x = { skey = SECRET }", "[[yubico.server]]\napi_key = SECRET", "secret = SECRET", "proxy = 'http://u:%SECRET@proxy:1'",
	} {
		for _, secret := range []string{digits, letters} {
			_, err := Parse("f", []byte(duoSection+strings.ReplaceAll(lines, "SECRET", secret)+duoRule), Factors{"duo"})
			if err == nil || strings.Contains(err.Error(), secret[:3]) || strings.Contains(err.Error(), secret[2:8]) || !strings.HasPrefix(err.Error(), "f:") {
				t.Errorf("%s: %v", lines, err)
			}
		}
	}
	_, err := Parse("f", []byte(duoSection+"skey=abc"+duoRule), Factors{"duo"})
	if err == nil || err.Error() != "f:4: duo.skey: the line is not TOML\nhint: put the value in quotes; it may be a secret and is not shown" {
		t.Error(err)
	}
}
