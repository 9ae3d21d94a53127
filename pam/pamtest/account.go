// Package pamtest lends end-to-end tests what only root can make on a machine:
// accounts, PAM services, sudo rules, terminals. Whatever it makes is named after
// the test's process and removed with the test, and nothing that was there before
// is changed.
package pamtest

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// lockFile keeps the tests of other packages, which run at the same time, from
// changing accounts: useradd gives up when another holds /etc/passwd.
const lockFile = "/run/factordtest.lock"

// count makes names unique in this process.
var count atomic.Int64

// unique is a name that no other test has, of at most 32 bytes.
func unique(prefix string) string {
	return fmt.Sprintf("%s%d-%d", prefix, os.Getpid(), count.Add(1))
}

// Account is a throw-away account.
type Account struct {
	Name     string
	UID, GID int
	Password string // of none: empty, and no password is right
}

// NewAccount makes an account, with a password if one is given.
func NewAccount(t testing.TB, password string) Account {
	t.Helper()
	return add(t, password)
}

// NewUser makes an account with a home, which it owns, and a login shell.
func NewUser(t testing.TB, shell, home string) Account {
	t.Helper()
	a := add(t, "", "-d", home, "-s", shell)
	if err := os.Chown(home, a.UID, a.GID); err != nil {
		t.Fatal(err)
	}
	return a
}

// Alias makes a second name of an account's uid.
func (a Account) Alias(t testing.TB) Account {
	t.Helper()
	return add(t, "", "-o", "-u", strconv.Itoa(a.UID), "-g", strconv.Itoa(a.GID))
}

// Become is the command that runs a program as the account.
func (a Account) Become() []string {
	return []string{"setpriv", "--reuid=" + strconv.Itoa(a.UID), "--regid=" + strconv.Itoa(a.GID), "--init-groups"}
}

func add(t testing.TB, password string, options ...string) Account {
	t.Helper()
	name := unique("fdt")
	t.Cleanup(func() {
		if out, err := change(nil, "userdel", "-f", name); err != nil {
			t.Errorf("userdel %s: %v\n%s", name, err, out)
		}
	})
	argv := append([]string{"useradd", "-M", "-d", "/", "-s", "/bin/sh", "-K", "MAIL_DIR=/nonexistent"}, options...)
	if out, err := change(nil, append(argv, name)...); err != nil {
		t.Fatalf("useradd %s: %v\n%s", name, err, out)
	}
	if password != "" {
		if out, err := change(strings.NewReader(name+":"+password+"\n"), "chpasswd", "-c", "SHA512"); err != nil {
			t.Fatalf("chpasswd: %v\n%s", err, out)
		}
	}
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	return Account{Name: name, UID: uid, GID: gid, Password: password}
}

// CopyEtc copies /etc, without what tests have put there, while nobody changes an
// account.
func CopyEtc(t testing.TB, to string) {
	t.Helper()
	if out, err := change(nil, "sh", "-c", `tar -C /etc --exclude='factord-test-*' --exclude='factord-files-*' -cf - . | tar -C "$0" -xf -`, to); err != nil || out != "" {
		t.Fatalf("copying /etc: %v\n%s", err, out)
	}
}

// change runs a program that changes accounts, alone.
func change(stdin *strings.Reader, argv ...string) (string, error) {
	f, err := os.OpenFile(lockFile, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	if stdin != nil {
		cmd.Stdin = stdin
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Await calls done until it returns true, and returns how long that took. After
// limit it fails the test.
func Await(t testing.TB, what string, limit time.Duration, done func() bool) time.Duration {
	t.Helper()
	begun := time.Now()
	for !done() {
		if time.Since(begun) > limit {
			t.Fatalf("%s: not within %v", what, limit)
		}
		time.Sleep(2 * time.Millisecond)
	}
	return time.Since(begun)
}
