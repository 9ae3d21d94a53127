package conf

import (
	"fmt"
	"strings"

	"github.com/factord/factord/daemon/policy"
	"unicode"
)

const (
	maxRuleName = 64  // bytes
	maxName     = 256 // bytes of a user, group or service
)

func isPrintable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// checkRuleName keeps names apart from the numbers of unnamed rules, and from what would garble a log.
func checkRuleName(s string) flaw {
	switch {
	case s == "":
		return flaw{"is empty", "leave it out"}
	case len(s) > maxRuleName:
		return flaw{fmt.Sprintf("is longer than %d bytes", maxRuleName), ""}
	case !isPrintable(s):
		return flaw{fmt.Sprintf("%q has a character that can't be shown", s), ""}
	case isNumber(strings.TrimSpace(s)):
		return flaw{fmt.Sprintf("%q looks like the number of a rule without a name", s), "choose a name that does not begin with #"}
	}
	return flaw{}
}

// isNumber reports whether s looks like what an unnamed rule is called.
func isNumber(s string) bool {
	digits, ok := strings.CutPrefix(s, "#")
	return ok && digits != "" && strings.Trim(digits, "0123456789") == ""
}

const alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// readUser accepts the user names that factord resolves. Others would never match.
func readUser(s string) (string, flaw) {
	if !policy.ValidUser(s) {
		return "", flaw{fmt.Sprintf("%q is not a user name", s),
			`it begins with a letter, digit, "_" or ".", and goes on with these, "@", "\", "-" and inner spaces`}
	}
	return s, flaw{}
}

// readGroup accepts what a directory may call a group, which is more than what a user may be called.
func readGroup(s string) (string, flaw) {
	if s == "" || len(s) > maxName || !isPrintable(s) || strings.TrimSpace(s) != s {
		return "", flaw{fmt.Sprintf("%q is not a group name", s), ""}
	}
	return s, flaw{}
}

// readService accepts names of files in /etc/pam.d.
func readService(s string) (string, flaw) {
	if s == "" || len(s) > maxName || strings.Trim(s, alphanumeric+"_.@+:-") != "" {
		return "", flaw{fmt.Sprintf("%q is not the name of a service", s), "it is the name of a file in /etc/pam.d"}
	}
	return s, flaw{}
}
