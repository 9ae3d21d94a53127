package totp

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const maxName = 64 // bytes

// checkName holds for names that a user gives to a token. They are shown in
// terminals, so what is not seen must not be in them.
func checkName(name string) error {
	hidden := func(r rune) bool { return !unicode.IsPrint(r) }
	switch {
	case name == "" || len(name) > maxName:
		return fmt.Errorf("name is not of 1 to %d bytes", maxName)
	case !utf8.ValidString(name), strings.ContainsFunc(name, hidden), name != strings.TrimSpace(name):
		return fmt.Errorf("name %q has characters that can't be seen", name)
	}
	return nil
}
