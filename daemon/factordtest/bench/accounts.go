package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// firstUID is the uid of the first of the benchmark's accounts.
const firstUID = 50000

// inPrivateEtc is set in the copy of this program that runs with accounts and
// PAM services of its own.
const inPrivateEtc = "FACTORD_BENCH_PRIVATE_ETC"

// privateEtc runs this program again in a mount namespace with a copy of /etc
// that has the benchmark's accounts, so that the machine's own stays as it is.
func privateEtc(dir string, accounts int) error {
	passwd, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return err
	}
	var b strings.Builder
	b.Write(passwd)
	for n := range accounts {
		fmt.Fprintf(&b, "%s:x:%d:%d::/nonexistent:/bin/false\n", userName(n), firstUID+n, firstUID+n)
	}
	if out, err := exec.Command("cp", "-a", "/etc", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("copying /etc: %w: %s", err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "etc/passwd"), []byte(b.String()), 0o644); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	script := `mount --make-rprivate / && mount --bind "$1/etc" /etc && shift && exec "$@"`
	cmd := exec.Command("unshare", append([]string{"-m", "sh", "-c", script, "sh", dir, self}, os.Args[1:]...)...)
	cmd.Env = append(os.Environ(), inPrivateEtc+"="+dir)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	return cmd.Run()
}
