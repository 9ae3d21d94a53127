package pam_test

import (
	"slices"
	"strings"
	"testing"
)

// A program may set its items whenever it is shown or asked something: what the
// module had of them is then freed. And a verdict is for the user who was asked about.
func TestModuleItems(t *testing.T) {
	t.Parallel()
	items(t, build{})
}

func items(t *testing.T, b build) {
	question := append(after("INQUIRE SECRET Passcode:%20"), "<", "<")
	allowed := slices.Concat(question, []string{allow + "\nOK\n"})
	for _, tc := range []struct {
		args, words string
		factor      []string // what factord says
		want        string
		heard       string // what it hears
	}{
		{"single_field=6", "behaviour=moves authenticate", allowed, "authenticate: Success", "AUTH user=somebody-else service=SERVICE rhost=192.0.2.99 phase=auth"},
		{"single_field=6", "behaviour=moves authenticate acct_mgmt", allowed, "acct_mgmt: Success", ""},
		{"single_field=6", "behaviour=moves authenticate user=root acct_mgmt", allowed, "authenticate: Success\nacct_mgmt: " + saysUnavail, ""},
		{"single_field=6", "user behaviour=moves authenticate", allowed, "authenticate: Success", "AUTH user=somebody-else "},
		{"", "behaviour=moves authenticate", allowed, "authenticate: " + saysAuthErr, "AUTH user=root "},
		{"", "behaviour=moves authenticate acct_mgmt", allowed, "acct_mgmt: " + saysUnavail, ""},
		{"", "behaviour=moves authenticate user=root acct_mgmt", allowed, "acct_mgmt: " + saysUnavail, ""},
		{"", "behaviour=moves authenticate", slices.Concat(question, []string{"S VERDICT allow basis=exempt\nOK\n"}), "authenticate: " + saysAuthErr, ""},
		{"", "behaviour=roams authenticate", allowed, "authenticate: Success", ""},
		{"", "behaviour=roams authenticate acct_mgmt", allowed, "acct_mgmt: " + saysUnavail, ""},
		{"conv=prompt", "tty=ssh key=100*A behaviour=rekeys authenticate", append(after("S INFO hello\nINQUIRE AUTHINFO"), "<", allow+"\nOK\n"), "authenticate: Success", "CAN\n"},
		{"conv=prompt", "tty=ssh key=100*A behaviour=rekeys authenticate", slices.Concat(question, []string{"INQUIRE AUTHINFO\n", "<", allow + "\nOK\n"}), "authenticate: Success", "CAN\n"},
	} {
		s, _ := scripted(t, b)
		s.heard = make(chan string, 9)
		s.lines <- tc.factor
		close(s.lines) // asked again, it goes away
		service := s.service("timeout=5 " + tc.args)
		got := b.app(t, service, "root", strings.Fields(tc.words)...)
		if !strings.Contains(got, tc.want) {
			t.Errorf("%s %s: %q, want %q", tc.args, tc.words, got, tc.want)
		}
		var heard []string
		for len(s.heard) > 0 {
			heard = append(heard, <-s.heard)
		}
		if want := strings.Replace(tc.heard, "SERVICE", service, 1); !slices.ContainsFunc(heard, func(line string) bool { return strings.HasPrefix(line, want) }) {
			t.Errorf("%s %s: factord heard %q, want %q", tc.args, tc.words, heard, want)
		}
	}
}
