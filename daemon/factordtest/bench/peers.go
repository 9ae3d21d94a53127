package main

import (
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"
)

// oathUsers is how many lines the large users file of pam_oath has.
const oathUsers = 10_000

// peerSecret is the shared secret of the peers' tokens, as RFC 4226 has it in
// its test vectors.
const peerSecret = "12345678901234567890"

var peerBase32 = base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(peerSecret))

// peersInstalled names the package of what is missing for a part, or for all ("").
func peersInstalled(only string) error {
	if _, err := exec.LookPath("pamtester"); err != nil {
		return missing("pamtester", "pamtester")
	}
	if _, err := exec.LookPath(loginDuo); err != nil && only != "pam" {
		return missing("login_duo", "login-duo")
	}
	if _, err := exec.LookPath(saslauthd); err != nil && only != "pam" {
		return missing("saslauthd", "sasl2-bin")
	}
	if only == "duo" {
		return nil
	}
	for module, pkg := range map[string]string{
		"pam_exec.so": "libpam-modules", "pam_oath.so": "libpam-oath",
		"pam_google_authenticator.so": "libpam-google-authenticator",
	} {
		if !moduleInstalled(module) {
			return missing(module, pkg)
		}
	}
	return nil
}

func missing(what, pkg string) error {
	return fmt.Errorf("%s is not installed\nhint: apt-get install %s (package of Debian), or -only socket", what, pkg)
}

// moduleInstalled looks where libpam does in the distributions' builds.
func moduleInstalled(name string) bool {
	for _, dir := range []string{"/lib/*-linux-gnu*", "/usr/lib/*-linux-gnu*", "/lib", "/usr/lib", "/lib64", "/usr/lib64"} {
		if found, _ := filepath.Glob(filepath.Join(dir, "security", name)); len(found) > 0 {
			return true
		}
	}
	return false
}

// service writes a PAM service of one line into the private copy of /etc, and
// returns the command that logs in by it.
func service(dir, name, line string) ([]string, error) {
	pamtester, err := exec.LookPath("pamtester")
	if err != nil {
		return nil, err
	}
	name = "fbench-" + name
	path := filepath.Join(dir, "etc/pam.d", name)
	if err := os.WriteFile(path, []byte("auth required "+line+"\n"), 0o644); err != nil {
		return nil, err
	}
	return []string{pamtester, name, userName(0), "authenticate"}, nil
}

// googleState is a state file of pam_google_authenticator. Its TOTP codes are
// few, so the file is put back before each login, as if no code had been used.
type googleState struct{ path string }

func (g googleState) next() (string, error) {
	f, err := os.OpenFile(g.path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if _, err := fmt.Fprintf(f, "%s\n\" WINDOW_SIZE 3\n\" DISALLOW_REUSE\n\" TOTP_AUTH\n", peerBase32); err != nil {
		return "", err
	}
	if err := f.Sync(); err != nil { // else the login's own fsync pays for it
		return "", err
	}
	code, err := totp.GenerateCode(peerBase32, time.Now())
	return code + "\n", err
}

// oathFile writes a users file of pam_oath, whose last line is the user of the
// login, and returns the walk along that token's HOTP codes.
func oathFile(path string, users int) (next func() (string, error), err error) {
	var b strings.Builder
	secret := hex.EncodeToString([]byte(peerSecret))
	for n := range users {
		fmt.Fprintf(&b, "HOTP\t%s\t-\t%s\n", userName(users-1-n), secret)
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		return nil, err
	}
	var counter uint64
	return func() (string, error) {
		code, err := hotp.GenerateCode(peerBase32, counter)
		counter++
		return code + "\n", err
	}, nil
}
