package main_test

import (
	"regexp"
	"strings"
	"testing"
)

// What "enroll FACTOR --help" says is there for each factor, and its flags are those
// that factord takes for it.
func TestEnrollHelp(t *testing.T) {
	m := newMachine(t)
	values := map[string]string{"algorithm": "SHA256", "digits": "8", "period": "60", "look-ahead": "5", "counter": "5", "prefix": "ubhe01234567",
		"public-id": "vvcccccchbtu", "slot": "1", "serial": "7", "verification": "pin", "scan-map": strings.Repeat("04", 45), "no-presence": "true"}
	unfit := regexp.MustCompile(`unknown|has no|has none|have no options|there is no --|always touched`)
	_, factors, ok := strings.Cut(m.run("", "enroll", "nothing").stderr, "it is one of ")
	if !ok {
		t.Fatal("factord does not say which factors it knows")
	}
	for _, factor := range append(strings.Split(strings.TrimSpace(factors), ", "), "duo") {
		help := run(t, "", "enroll", factor, "--help").stdout
		if !strings.Contains(help, "Usage: factorctl enroll "+factor+" ") || !strings.Contains(help, "\n  needs ") || !strings.Contains(help, "\n  asks ") ||
			!strings.Contains(help, "\n      --user ") || !strings.Contains(help, "--socket PATH") {
			t.Errorf("%s: %s", factor, help)
		}
		if other := run(t, "", "help", "enroll", factor).stdout; other != help {
			t.Errorf("help enroll %s: %s", factor, other)
		}
		if factor == "duo" { // this factord is not set up for it
			continue
		}
		for flag, value := range values {
			if flag == "slot" && factor == "piv" {
				value = "9c"
			}
			o := m.run("", "enroll", factor, "--user", m.user, "--"+flag+"="+value)
			if told := strings.Contains(help, "\n      --"+flag+" "); told == unfit.MatchString(o.stderr) {
				t.Errorf("enroll %s: --%s is told of: %v; %d %s", factor, flag, told, o.code, o.stderr)
			}
		}
	}
}
