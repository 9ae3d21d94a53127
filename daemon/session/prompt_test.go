package session

import (
	"testing"

	"github.com/factord/factord/daemon/factor"
)

var granted = offer{Offer: factor.Offer{Hint: "bypass code"}}

// A list is read aloud as people say one.
func TestPrompt(t *testing.T) {
	for _, c := range []struct {
		who  *attempt
		want string
	}{
		{person(true), "Passcode: "},
		{person(true, paper), "Backup code: "},
		{person(true, passcode, counting), "Passcode: "},
		{person(true, passcode, paper), "Passcode or backup code: "},
		{person(true, passcode, paper, granted), "Passcode, backup code or bypass code: "},
		{person(false, passcode, paper, granted), "Passcode: "},
	} {
		if got := c.who.prompt(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
