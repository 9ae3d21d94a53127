package conf

import (
	"os"
	"path/filepath"
	"slices"
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
			[]string{`f:1: rule #1: no PAM service is called "sudoi" here: a mistake, unless factor-helper names it`}},
		{"[[rule]]\nservices = ['i3lock']\ncallers = ['user']\nfactors = ['totp']\n" + any, nil},
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
