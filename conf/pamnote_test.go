package conf

import (
	"os"
	"testing"
)

func TestPAMNote(t *testing.T) {
	dir := pamFolder(t, "common-auth", commonAuth(t, "factord-sudo"), "plain", "auth required pam_unix.so\n", "common-account", "account required pam_unix.so\n",
		"sudo", "@include common-auth\n@include common-account\n", "cron", "@include common-auth\n@include common-account\n",
		"sudo-i", "@include plain\n@include common-account\n", "sshd", "@include plain\n@include common-account\n",
		"gate", "auth required pam_permit.so\naccount required pam_factord.so gate\n", "half", "@include plain\n", "lost", "@include nothing\n@include common-account\n")
	plain := pamPlaces{services: []string{dir}}
	full := pamPlaces{services: []string{dir}, profile: dir + "/plain", sshd: []string{dir + "/no*", dir + "/forced"}}
	for _, tt := range []struct {
		at            pamPlaces
		service, want string
	}{
		{full, "sudo", ""},
		{full, "cron", "note: " + dir + "/cron does not call factord, so nothing asks yet"},
		{full, "sudo-i", "note: " + dir + "/sudo-i does not call factord, so nothing asks yet: pam-auth-update --enable factord-sudo"},
		{plain, "sudo-i", "note: " + dir + "/sudo-i does not call factord, so nothing asks yet"},
		{full, "sshd", "note: " + dir + "/sshd does not call factord, so nothing asks yet"},
		{full, "gate", ""}, {full, "half", ""}, {full, "lost", ""}, {full, "nobody", ""},
	} {
		if got := tt.at.note(tt.service); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.service, got, tt.want)
		}
	}
	if err := os.WriteFile(dir+"/forced", []byte("ForceCommand /usr/libexec/factor-helper ssh\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := full.note("sshd"); got != "" {
		t.Errorf("with ForceCommand: %q", got)
	}
}
