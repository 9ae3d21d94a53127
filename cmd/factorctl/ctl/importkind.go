package ctl

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
)

// importedBy is the factor that imports a file: the one that was named, or that whose form
// the file has. What is no use is refused with what is meant, whatever was named.
func importedBy(named, path string, text []byte) (string, error) {
	text = bytes.TrimSpace(text)
	begins := func(words ...string) bool {
		for _, w := range words {
			if bytes.HasPrefix(text, []byte(w)) {
				return true
			}
		}
		return false
	}
	switch {
	case begins("sk-ssh-", "sk-ecdsa-"):
		return "", fmt.Errorf("%s is the public half of a key file, which has no key handle\nhint: factorctl import %s", path, other(path))
	case begins("v1:", "v2:"): // ykpamcfg: a challenge and what its answer hashes to
		return "", fmt.Errorf("%s is a file of ykpamcfg, which holds no secret that could be taken over\nhint: factorctl enroll hmac programs the slot anew", path)
	case named != "":
		return named, nil
	case begins("-----BEGIN OPENSSH PRIVATE KEY-----"), mapping().Match(text):
		return "fido2", nil
	}
	return unnamedImport, nil
}

// other is the private half's name.
func other(path string) string {
	if name, ok := strings.CutSuffix(path, ".pub"); ok {
		return name
	}
	return "with the private half"
}

// mapping is a line of pam_u2f: USER:KEY-HANDLE,PUBLIC-KEY,…
func mapping() *regexp.Regexp { return regexp.MustCompile(`(?m)^[^:,#\s]+:[^:,\s]+,[^:,\s]+`) }
