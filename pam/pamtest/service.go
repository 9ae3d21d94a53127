package pamtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// ServiceDir is where libpam looks for services.
const ServiceDir = "/etc/pam.d"

// Service installs a PAM service under a name of its own and returns the name.
func Service(t testing.TB, text string) string {
	t.Helper()
	name := unique("factord-test-")
	install(t, filepath.Join(ServiceDir, name), text, 0o644)
	return name
}

// Replace gives a PAM service, or a file in the place of one, another text. Programs
// read it when a login begins.
func Replace(t testing.TB, path, text string) {
	t.Helper()
	install(t, path, text, 0o644)
}

// Sudoer lets an account run anything by sudo, with a PAM service of its own and
// nothing remembered.
func Sudoer(t testing.TB, a Account, service string) {
	t.Helper()
	text := fmt.Sprintf("Defaults:%s pam_service=%s, pam_login_service=%s, timestamp_timeout=0, !lecture\n%s ALL=(ALL:ALL) ALL\n",
		a.Name, service, service, a.Name)
	path := filepath.Join(t.TempDir(), "sudoers")
	if err := os.WriteFile(path, []byte(text), 0o440); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("visudo", "-cf", path).CombinedOutput(); err != nil {
		t.Fatalf("visudo: %v\n%s", err, out) // a bad one would stop every sudo
	}
	install(t, filepath.Join("/etc/sudoers.d", unique("factord-test-")), text, 0o440)
}

// install makes a file that is whole as soon as it is there.
func install(t testing.TB, path, text string, mode os.FileMode) {
	t.Helper()
	temp := path + "~" // sudo and PAM pass over such names
	t.Cleanup(func() { os.Remove(path); os.Remove(temp) })
	if err := os.WriteFile(temp, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(temp, path); err != nil {
		t.Fatal(err)
	}
}
