package conf

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// pamPlaces are where PAM and sshd are told whom to ask.
type pamPlaces struct {
	services []string // folders of service files
	sshd     []string // configurations of sshd, as globs
	profile  string   // of pam-auth-update, for sudo
}

// PAMNote says that PAM does not ask factord in logins of a service, or "" if it does
// or if that can't be told.
func PAMNote(service string) string {
	return pamPlaces{
		services: pamDirs(),
		sshd:     []string{"/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d/*.conf"},
		profile:  "/usr/share/pam-configs/factord-sudo",
	}.note(service)
}

func (p pamPlaces) note(name string) string {
	known := services(p.services)
	if known[name] == nil || name == "sshd" && p.forced() {
		return ""
	}
	for _, kind := range []string{"auth", "account"} {
		lines, _ := stack(known, name, kind)
		surely, more := calls(known, name, kind)
		if len(lines) == 0 || len(surely) > 0 || more {
			return "" // without a line it is the service "other" that is asked
		}
	}
	note := fmt.Sprintf("note: %s does not call factord, so nothing asks yet", known[name].path)
	if _, err := os.Stat(p.profile); err == nil && (name == "sudo" || name == "sudo-i") {
		note += ": pam-auth-update --enable factord-sudo"
	}
	return note
}

// forced reports whether sshd may ask factord by itself, with ForceCommand.
func (p pamPlaces) forced() bool {
	for _, glob := range p.sshd {
		files, _ := filepath.Glob(glob)
		for _, file := range files {
			if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() || info.Size() > maxSize {
				return true
			}
			if text, err := os.ReadFile(file); err != nil || strings.Contains(string(text), "factor-helper") {
				return true
			}
		}
	}
	return false
}
