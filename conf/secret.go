package conf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Secret is a key that the configuration has or names. However it is printed or
// encoded, it reads "[secret]".
type Secret string

const hidden = "[secret]"

// Format implements fmt.Formatter for every verb.
func (Secret) Format(f fmt.State, _ rune) { io.WriteString(f, hidden) }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText keeps secrets out of JSON and TOML.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// maxSecret bounds a secret, in bytes. Duo's have 40.
const maxSecret = 256

// check accepts what such keys are made of.
func (s Secret) check() flaw {
	switch {
	case s == "":
		return flaw{"is empty", ""}
	case len(s) > maxSecret:
		return flaw{fmt.Sprintf("is longer than %d bytes", maxSecret), ""}
	case strings.ContainsFunc(string(s), func(r rune) bool { return r <= ' ' || r > '~' }):
		return flaw{"has a character that no key has", "the key alone, on one line"}
	}
	return flaw{}
}

// credentialPrefix marks a systemd credential, as in "credential:duo-skey".
const credentialPrefix = "credential:"

// readSecretFile accepts the place of a secret: a credential or an absolute path. What
// is neither may be the secret itself, and is not shown.
func readSecretFile(s string) flaw {
	const hint = `write "credential:NAME", a credential that systemd loads for factord, or an absolute path`
	if name, ok := strings.CutPrefix(s, credentialPrefix); ok {
		if name == "" || name == "." || name == ".." || len(name) > maxName || strings.Trim(name, alphanumeric+"_.-") != "" {
			return flaw{fmt.Sprintf("%q is not the name of a credential", name), hint}
		}
		return flaw{}
	}
	if !filepath.IsAbs(s) || filepath.Clean(s) != s {
		return flaw{"is not a clean absolute path", hint}
	}
	return flaw{}
}

// mayShow reports whether a line that is not TOML surely has no secret in it: not
// skey, api_key or aes_key, however they are written.
func mayShow(line string) bool {
	line = strings.ToLower(line)
	return !strings.Contains(line, "key") && !strings.Contains(line, "secret")
}

// loadSecret reads the secret that lies at place. credentials is the folder in which
// systemd puts credentials ($CREDENTIALS_DIRECTORY), or ""; owners are uids whose files
// are taken beside root's and our own.
func loadSecret(place, credentials string, owners ...int) (Secret, error) {
	trusted := func(path string, info fs.FileInfo) error { return checkSecret(path, info, owners) }
	name, ok := strings.CutPrefix(place, credentialPrefix)
	if !ok {
		return readSecret(place, trusted)
	}
	const restart = "; systemd loads it when the service starts, not at a reload: systemctl restart factord.service"
	if credentials == "" {
		return "", fmt.Errorf("there are no credentials\nhint: factord.service needs LoadCredential=%s and the file /etc/credstore/%[1]s"+restart+". Without systemd name a file", name)
	}
	s, err := readSecret(filepath.Join(credentials, name), trusted)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w\nhint: factord.service needs LoadCredential=%s and the file /etc/credstore/%[2]s"+restart, err, name)
	}
	return s, err
}

// readSecret reads a file, unless judge, which may be nil, is against it.
func readSecret(path string, judge func(string, fs.FileInfo) error) (Secret, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC|syscall.O_NOCTTY, 0)
	if errors.Is(err, fs.ErrPermission) {
		return "", denied(err)
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if judge != nil {
		if err := judge(path, info); err != nil {
			return "", err
		}
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+2))
	if err != nil {
		return "", err
	}
	s := Secret(strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r"))
	if wrong := s.check(); wrong.what != "" {
		return "", errors.New(path + ": " + wrong.what)
	}
	return s, nil
}

// checkSecret is check for a file that not everybody may read.
func checkSecret(path string, info fs.FileInfo, owners []int) error {
	if err := check(path, info, owners...); err != nil {
		return err
	}
	if info.Mode().Perm()&0o004 != 0 {
		return fmt.Errorf("%s: mode %04o lets everybody read it\nhint: chmod o-r %s", path, info.Mode().Perm(), path)
	}
	return nil
}

// denied says what to do about a key that may not be read.
func denied(err error) error { return fmt.Errorf("%w\nhint: %s", err, giveGroup(err)) }
