package conf

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestPAMDoubts(t *testing.T) {
	dir, vendor := t.TempDir(), t.TempDir()
	for path, text := range map[string]string{
		dir + "/sudo":           "#%PAM-1.0\nauth required pam_factord.so first\n",
		dir + "/su":             "@include common-auth\n",
		dir + "/sshd":           "auth substack common-auth\n",
		dir + "/login":          "auth\tinclude  common-auth\n",
		dir + "/common-auth":    "auth required pam_unix.so\nauth [success=1 default=ignore] pam_exec.so quiet /usr/libexec/factor-helper pam\n",
		dir + "/cron":           "# auth required pam_factord.so\nauth required pam_unix.so\n",
		dir + "/sudo.dpkg-dist": "auth required pam_factord.so\n",
		vendor + "/polkit-1":    "auth required pam_unix.so\n",
		vendor + "/sudo":        "auth required pam_unix.so\n", // the other folder's counts
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	os.Symlink(filepath.Join(dir, "common-auth"), filepath.Join(dir, "loop"))
	const any = "[[rule]]\nfactors = ['totp']\n"
	for _, tt := range []struct {
		text string
		want []string
	}{
		{any, nil},
		{"[[rule]]\nservices = ['sudo', 'sudoi', 'polkit-1']\nfactors = ['totp']\n" + any,
			[]string{`f:1: rule #1: no PAM service is called "sudoi" here: a mistake, unless factor-helper names it` + "\nhint: did you mean sudo?"}},
		{"[[rule]]\nservices = ['ssh']\ncallers = ['user']\nfactors = ['totp']\n" + any,
			[]string{`f:1: rule #1: no PAM service is called "ssh" here: a mistake, unless factor-helper names it` + "\nhint: did you mean sshd?"}},
		{"[[rule]]\nservices = ['i3lock']\ncallers = ['user']\nfactors = ['totp']\n" + any,
			[]string{`f:1: rule #1: no PAM service is called "i3lock" here: a mistake, unless factor-helper names it`}},
		{"[[rule]]\nservices = ['sudo', 'su', 'loop']\nfactors = ['totp']\n[[rule]]\nservices = ['sshd']\ncallers = ['user']\nfactors = ['totp']\n",
			[]string{`f: the PAM services login, sshd ask factord, and no rule is for them: it refuses whoever comes there`}},
		{"[[rule]]\nservices = ['sudo', 'su', 'sshd', 'loop']\nfactors = ['totp']\n",
			[]string{`f: the PAM service login asks factord, and no rule is for it: it refuses whoever comes there`}},
		{"", nil}, // which is a warning of its own
	} {
		c, err := Parse("f", []byte(tt.text), builtIn)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.pamDoubts("f", dir, vendor); !slices.Equal(got, tt.want) {
			t.Errorf("%s\n%q\n%q is wanted", tt.text, got, tt.want)
		}
	}
	c, _ := Parse("f", []byte("[[rule]]\nservices = ['sudo']\nfactors = ['totp']\n"), builtIn)
	if got := c.pamDoubts("f", dir+"/none", vendor+"/none"); got != nil {
		t.Errorf("without PAM: %q", got)
	}
}

// pamFolder writes service files, NAME and text by turns.
func pamFolder(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		if err := os.WriteFile(filepath.Join(dir, files[i]), []byte(files[i+1]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// commonAuth is what pam-auth-update makes of one of our profiles.
func commonAuth(t *testing.T, profile string) string {
	t.Helper()
	text, err := os.ReadFile("../packaging/pam-configs/" + profile)
	if err != nil {
		t.Fatal(err)
	}
	_, lines, _ := strings.Cut(string(text), "\nAuth:\n")
	all := "auth\t[success=1 default=ignore]\tpam_unix.so nullok\nauth\trequisite\tpam_deny.so\nauth\trequired\tpam_permit.so\n"
	for line := range strings.Lines(lines) {
		all += "auth" + line
	}
	return all
}

func pamWarnings(t *testing.T, rules, dir string) string {
	t.Helper()
	c, err := Parse("f", []byte(rules), builtIn)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(c.pamDoubts("f", dir), "\n")
}

const sudoRule = "[[rule]]\nservices = ['sudo', 'sudo-i']\nfactors = ['totp']\n"

// The profile for sudo alone goes by every other service, and that for all does not.
func TestPAMProfiles(t *testing.T) {
	folder := func(profile string) string {
		return pamFolder(t, "common-auth", commonAuth(t, profile), "sudo", "@include common-auth\n", "sudo-i", "auth substack common-auth\n",
			"su", "auth sufficient pam_rootok.so\n@include common-auth\n", "su-l", "auth include su\naccount include su\n",
			"login", "@include common-auth\n", "cron", "@include common-auth\n", "swaylock", "auth include login\n")
	}
	if got := pamWarnings(t, sudoRule, folder("factord-sudo")); got != "" {
		t.Errorf("factord-sudo: %s", got)
	}
	if got := pamWarnings(t, strings.Replace(sudoRule, ", 'sudo-i'", "", 1), folder("factord-sudo")); !strings.Contains(got, "the PAM service sudo-i asks factord, and no rule") {
		t.Errorf("factord-sudo without a rule for sudo-i: %q", got)
	}
	const want = "f: the PAM services cron, login, su, su-l, swaylock ask factord, and no rule is for them: it refuses whoever comes there"
	if got := pamWarnings(t, sudoRule, folder("factord")); got != want {
		t.Errorf("factord: %q", got)
	}
	if got := pamWarnings(t, sudoRule+"[[rule]]\nservices = ['swaylock', 'login']\ncallers = ['user']\nfactors = ['totp']\n", folder("factord")); got != strings.Replace(want, ", swaylock", "", 1) {
		t.Errorf("with a rule for a locker: %q", got)
	}
}

// What can't be understood is not spoken of.
func TestPAMStacks(t *testing.T) {
	const ask = "auth required pam_factord.so\n"
	for text, want := range map[string]string{
		ask: "sure",
		"auth required pam_unix.so\nsession required pam_factord.so\n":                                                                      "none",
		"AUTH\trequired \\\n pam_factord.so # why\n":                                                                                        "sure",
		"auth [ success=1 default=ignore ] pam_x.so\n" + ask:                                                                                "perhaps",
		"auth [success=1 default=ignore] pam_x.so\nauth required pam_deny.so\n" + ask:                                                       "sure",
		"auth [success=2 default=ignore] pam_x.so\nauth required pam_deny.so\n" + ask:                                                       "perhaps",
		"auth [success=1 default=ignore] pam_x.so\nauth substack two\n" + ask:                                                               "sure",
		"auth [success=1 default=ignore] pam_x.so\nauth include two\n" + ask:                                                                "sure",
		"auth [success=2 default=ignore] pam_x.so\nauth include two\n" + ask:                                                                "sure",
		"auth [success=2 default=ignore] pam_x.so\nauth substack two\n" + ask:                                                               "perhaps",
		"auth [success=1 default=ignore] pam_succeed_if.so quiet uid eq 0\n" + ask:                                                          "sure",
		"auth [success=1 default=ignore] pam_succeed_if.so quiet uid ge 1000\n" + ask:                                                       "perhaps",
		"auth [success=1 default=ignore] pam_succeed_if.so quiet service in me:you\n" + ask:                                                 "perhaps",
		"auth [success=ignore ignore=ignore auth_err=1 default=die] pam_succeed_if.so quiet service in you:me\n" + ask:                      "sure",
		"auth [success=ignore ignore=ignore auth_err=1 default=die] pam_succeed_if.so quiet service in you\n" + ask:                         "none",
		"auth [success=ignore ignore=ignore auth_err=1 default=die] pam_succeed_if.so quiet service in you\nauth optional pam_x.so\n" + ask: "sure",
		"@include me\n":                     "perhaps",
		"@include nothing\n":                "perhaps",
		"auth include two\n":                "none",
		"auth required [x\n":                "none",
		"auth [success=1\n":                 "none",
		"account required pam_factord.so\n": "none",
	} {
		known := services([]string{pamFolder(t, "me", text, "two", "auth optional pam_a.so\nauth optional pam_b.so\nsession optional pam_c.so\n")})
		surely, more := calls(known, "me", "auth")
		got := "none"
		switch {
		case len(surely) == 1 && !more:
			got = "sure"
		case len(surely) == 0 && more:
			got = "perhaps"
		case len(surely) > 0:
			got = "both"
		}
		if got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// Who has both the profile and the line is asked for two codes.
func TestPAMAskedTwice(t *testing.T) {
	const line = "@include common-auth\nauth required pam_factord.so first\n"
	dir := pamFolder(t, "common-auth", commonAuth(t, "factord-sudo"), "sudo", line, "sudo-i", "@include common-auth\n", "polkit-1", line)
	want := "f: the PAM service sudo asks factord twice: by " + dir + "/common-auth and by " + dir + "/sudo\nhint: take the line out of " + dir + "/sudo, or pam-auth-update --disable factord-sudo factord"
	if got := pamWarnings(t, "[[rule]]\nfactors = ['totp']\n", dir); got != want {
		t.Errorf("%q\n%q is wanted", got, want)
	}
	trial := pamFolder(t, "sudo", "auth sufficient pam_factord.so\nauth required pam_factord.so\n")
	if got := pamWarnings(t, "[[rule]]\nfactors = ['totp']\n", trial); got != "" {
		t.Errorf("a line that ends the stack: %q", got)
	}
}
