package pam_test

import (
	"slices"
	"strings"
	"testing"
)

// What an application may do to a module, against a factord that would allow. A
// phase that was not asked for properly is refused, by no code that a stack takes
// for an allow or passes over.
func TestModuleApplications(t *testing.T) {
	t.Parallel()
	applications(t, build{})
}

func applications(t *testing.T, b build) {
	question := append(after("INQUIRE SECRET Passcode:%20"), "<", "<", allow+"\nOK\n")
	cancelled := append(after("INQUIRE SECRET Passcode:%20"), "<", "S VERDICT deny reason=cancelled\nERR 108 cancelled\n")
	for _, tc := range []struct {
		words  string
		factor []string // what factord says
		want   string
	}{
		{"authenticate", question, "authenticate: Success"},
		{"silent authenticate", question, "asked: Passcode: \nauthenticate: Success"},
		{"behaviour=null authenticate", cancelled, "authenticate: Critical error"},
		{"behaviour=nothing authenticate", cancelled, "authenticate: Critical error"},
		{"behaviour=fails authenticate", cancelled, "authenticate: Critical error"},
		{"behaviour=ignores authenticate", cancelled, "authenticate: Critical error"},
		{"behaviour=again authenticate", cancelled, "authenticate: Critical error"},
		{"mute authenticate", cancelled, "authenticate: Critical error"},
		{"answer=513*1 authenticate", cancelled, "authenticate: Critical error"},
		{"answer=100000*1 authenticate", cancelled, "authenticate: Critical error"},
		{"answer=512*% authenticate", append(after("INQUIRE SECRET Passcode:%20"), "<", "<", "<", allow+"\nOK\n"), "authenticate: Success"},
		{"closed authenticate", question, "authenticate: Success"},
		{"closed behaviour=looks authenticate", question, "descriptors when asked:.\nauthenticate: Success"},
		{"behaviour=looks authenticate", question, "descriptors when asked: 0 1 2.\nauthenticate: Success"},
		{"authenticate descriptors", question, "authenticate: Success\ndescriptors: 0 1 2."},
		{"pending authenticate", question[:1], "authenticate: Critical error"},
		{"ignored pending authenticate", question, "authenticate: Success"},
		{"user= authenticate", question, "authenticate: " + saysAuthErr},
		{"user behaviour=ignores authenticate", question, "authenticate: " + saysAuthErr},
		{"user=100000*a authenticate", question[:1], "authenticate: " + saysUnavail},
		{"rhost=100000*a authenticate", question[:1], "not available.\nauthenticate: "}, // too much for libpam's own audit
		{"tty=100000*\x1b authenticate", question[:1], "not available.\nauthenticate: "},
		{"tty=ssh key=16385*A authenticate", append(after("INQUIRE AUTHINFO"), "<", allow+"\nOK\n"), "authenticate: Success"},
		{"tty=ssh key=16384*A authenticate", slices.Concat(after("INQUIRE AUTHINFO"), slices.Repeat([]string{"<"}, 18), []string{allow + "\nOK\n"}), "authenticate: Success"},
		{"rhost=192.0.2.1 authenticate rhost=192.0.2.2 acct_mgmt", question, "acct_mgmt: " + saysUnavail},
		{"authenticate user=daemon acct_mgmt", question, "acct_mgmt: " + saysUnavail},
		{"authenticate acct_mgmt", question, "acct_mgmt: Success"},
		{"authenticate user= authenticate user=root acct_mgmt", question, "authenticate: " + saysAuthErr + "\nacct_mgmt: " + saysUnavail},
		{"authenticate user behaviour=ignores authenticate user=root acct_mgmt", question, "authenticate: " + saysAuthErr + "\nacct_mgmt: " + saysUnavail},
		{"authenticate acct_mgmt acct_mgmt", question, "acct_mgmt: Success\nacct_mgmt: " + saysUnavail},
	} {
		words := strings.Fields(tc.words)
		s, _ := scripted(t, b)
		s.lines <- tc.factor
		close(s.lines) // asked again, it goes away
		got := b.app(t, s.service("timeout=5"), "root", words...)
		if !strings.Contains(got, tc.want) {
			t.Errorf("%.80q: %.500q, want %q", tc.words, got, tc.want)
		}
		if last := got[strings.LastIndexByte(strings.TrimSpace(got), '\n')+1:]; !strings.Contains(tc.want, "Success") &&
			(strings.Contains(last, "Success") || strings.Contains(last, "PAM_IGNORE")) {
			t.Errorf("%.80q: %q", tc.words, got)
		}
	}
}

// What is shown moves no cursor, whatever factord sends.
func TestModuleText(t *testing.T) {
	t.Parallel()
	texts(t, build{})
}

func texts(t *testing.T, b build) {
	for sent, shown := range map[string]string{
		"Pixel 5, Größe 日本 😀":                       "Pixel 5, Größe 日本 😀",
		"a%1B[2Jb%0Ac%7F":                           "a?[2Jb?c?",
		"a\x1b[2Jb\tc":                              "a?[2Jb?c",
		"C1: \u009b2J":                              "C1: ??2J",
		"C1: %C2%9B2J":                              "C1: ??2J",
		"eight bits: \x9b2J":                        "eight bits: ?2J",
		"cut: \xe6\x97":                             "cut: ??",
		"overlong: \xc1\x9b":                        "overlong: ??",
		"overlong: \xe0\x82\x9b, \xf0\x80\x82\x9b":  "overlong: ???, ????",
		"surrogate: \xed\xa0\x80, \xf5\x80\x80\x80": "surrogate: ???, ????",
	} {
		s, _ := scripted(t, b)
		s.lines <- append(after("S INFO "+sent, "INQUIRE PROMPT "+sent+":%20"), "<", "<", allow+"\nOK\n")
		if got, want := b.app(t, s.service(""), "root", "authenticate"), "shown: "+shown+"\nasked: "+shown+": \n"; !strings.HasPrefix(got, want) {
			t.Errorf("%q: %q, want %q", sent, got, want)
		}
	}
}
