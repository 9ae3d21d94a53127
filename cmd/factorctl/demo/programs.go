package demo

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
)

// find returns the path of one of factord's programs: beside this one, as in
// bin/ of a build, then where packages put it.
func find(name string) (string, error) {
	var tried []string
	if self, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(self); err == nil {
			self = real
		}
		for _, dir := range []string{".", "../sbin", "../libexec"} {
			tried = append(tried, filepath.Join(filepath.Dir(self), dir, name))
		}
	}
	if path, err := exec.LookPath(name); err == nil {
		tried = append(tried, path)
	}
	tried = append(tried, filepath.Join("/usr/libexec", name), filepath.Join("/usr/sbin", name))
	for _, path := range tried {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0 {
			return filepath.Abs(path)
		}
	}
	return "", fmt.Errorf("the demo needs %s, which is neither beside factorctl nor in PATH\nhint: make build", name)
}

// whoPlays is the user of the demo: who runs it, also behind sudo.
func whoPlays() (string, error) {
	uid := os.Geteuid()
	if sudoer := os.Getenv("SUDO_USER"); uid == 0 && sudoer != "" {
		if u, err := user.Lookup(sudoer); err == nil {
			return u.Username, nil
		}
	}
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username, nil
	}
	// This program is static and reads /etc/passwd only; factord will know a
	// user of a directory by the name.
	if name := os.Getenv("USER"); name != "" {
		return name, nil
	}
	return "", fmt.Errorf("uid %d has no name in /etc/passwd\nhint: USER=name factorctl demo", uid)
}
