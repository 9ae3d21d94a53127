package conf

import (
	"cmp"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// keyCheck is how the keys that a configuration names are looked for, without being
// factord: what systemd would give it is still in its stores.
type keyCheck struct {
	credentials string   // $CREDENTIALS_DIRECTORY, or ""
	stores      []string // where LoadCredential= finds what is named without a path
	sealed      []string // the same, of what only systemd can read
	units       []string // where systemd has factord's unit
	account     string   // that factord runs as; "": not asked
	used        bool     // the configuration is the one in use
}

// doubt is an error of which only factord can tell whether it is one.
type doubt struct{ error }

// errSealed is of a key that is there, and that only systemd can read.
var errSealed = errors.New("is systemd's to read")

// CheckKeys reads the keys and certificates that lie outside of the file, as factord does when it starts.
// The error is what factord would refuse them for, in its words; of what can't be told
// here there are doubts, a line each. used says that the file is the one in use.
func (c *Config) CheckKeys(file string, used bool) (doubts []string, err error) {
	return c.checkKeys(file, keyCheck{
		credentials: os.Getenv("CREDENTIALS_DIRECTORY"),
		stores:      []string{"/etc/credstore", "/run/credstore", "/usr/lib/credstore"},
		sealed:      []string{"/etc/credstore.encrypted", "/run/credstore.encrypted", "/usr/lib/credstore.encrypted", "/run/credentials/@system"},
		units:       unitDirs(),
		account:     Account,
		used:        used,
	})
}

func (c *Config) checkKeys(file string, k keyCheck) (doubts []string, err error) {
	var refused []error
	note := func(err error) {
		unsure := doubt{}
		switch {
		case err == nil || errors.Is(err, errSealed):
		case errors.As(err, &unsure):
			doubts = append(doubts, err.Error())
		default:
			refused = append(refused, err)
		}
	}
	if c.Duo != nil {
		_, err := c.Duo.readSkey(file, k.load)
		note(err)
		note(within("duo: reading ca_file", k.roots(c.Duo.CAFile)))
	}
	for i := range c.Yubico {
		_, err := c.Yubico[i].readAPIKey(file, k.load)
		note(err)
		note(within("reading ca_file of [[yubico.server]]", k.roots(c.Yubico[i].CAFile)))
	}
	note(within("piv: reading ca_file", k.roots(c.PIV.CAFile)))
	return doubts, errors.Join(refused...)
}

// load reads a key from its place, as loadSecret does for factord.
func (k keyCheck) load(place string) (Secret, error) {
	name, ok := strings.CutPrefix(place, credentialPrefix)
	if ok && k.credentials == "" {
		return k.stored(name)
	}
	s, err := loadSecret(place, k.credentials, k.owner()...)
	switch {
	case errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0:
		return "", unseen(err)
	case err != nil || ok:
		return s, err
	}
	return s, k.readable(place)
}

// within says what was done when err came up, as factord does.
func within(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// roots looks at a file of certificates; "" is what the system trusts.
func (k keyCheck) roots(file string) error {
	if file == "" {
		return nil
	}
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC|syscall.O_NOCTTY, 0)
	switch {
	case errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0:
		return unseen(err)
	case err != nil:
		return err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSize))
	if err != nil {
		return err
	}
	if block, _ := pem.Decode(text); block == nil {
		return fmt.Errorf("%s has no certificate in PEM", file)
	}
	return k.readable(file)
}

// readable asks whether the account can read what root has read.
func (k keyCheck) readable(path string) error {
	u, err := user.Lookup(k.account)
	if err != nil || os.Geteuid() != 0 || !refused(u, "-r", path) {
		return nil
	}
	if k.used {
		return denied(&fs.PathError{Op: "open", Path: path, Err: fs.ErrPermission})
	}
	return doubt{fmt.Errorf("%s: %s can't read it\nhint: %s", path, k.account, chgrp(path))}
}

// owner is the account's uid: its own files factord takes too.
func (k keyCheck) owner() []int {
	if u, err := user.Lookup(k.account); err == nil {
		if uid, err := strconv.Atoi(u.Uid); err == nil {
			return []int{uid}
		}
	}
	return nil
}

// stored looks for a credential where systemd will. Its owner and mode are systemd's
// business, which makes a copy for factord.
func (k keyCheck) stored(name string) (Secret, error) {
	var hidden error
	for _, dir := range k.stores {
		s, err := readSecret(filepath.Join(dir, name), nil)
		switch {
		case errors.Is(err, fs.ErrPermission):
			hidden = err
		case err == nil:
			return s, k.unloaded(name)
		case !errors.Is(err, fs.ErrNotExist):
			return s, err
		}
	}
	for _, dir := range k.sealed {
		switch _, err := os.Stat(filepath.Join(dir, name)); {
		case err == nil:
			return "", cmp.Or(k.unloaded(name), errSealed)
		case errors.Is(err, fs.ErrPermission):
			hidden = err
		}
	}
	if hidden != nil {
		return "", unseen(hidden)
	}
	return "", k.missing(name)
}

// missing is what becomes of a credential that is in no store: factord does not start
// without it, unless its unit takes it from elsewhere.
func (k keyCheck) missing(name string) error {
	var places []string
	for _, dir := range k.stores {
		places = append(places, filepath.Join(dir, name))
	}
	text := fmt.Sprintf("there is no credential %q here: neither %s", name, strings.Join(places, " nor "))
	if k.used {
		switch loads(k.units, name) {
		case fromOthers:
			return errSealed
		case fromStore:
			return fmt.Errorf("%s\nhint: factord does not start without it: put it into the first of these files, of mode 0600", text)
		case notLoaded:
			return fmt.Errorf("%s\nhint: factord does not start without it; and its unit needs a drop-in with LoadCredential=%s (systemctl edit factord.service)", text, name)
		}
	}
	return doubt{fmt.Errorf("%s\nhint: factord does not start without it, unless its unit has LoadCredential=%s:/another/path", text, name)}
}

// unloaded is the error of a credential that is in a store and that the unit does not
// name.
func (k keyCheck) unloaded(name string) error {
	if !k.used || loads(k.units, name) != notLoaded {
		return nil
	}
	return fmt.Errorf("factord.service does not load the credential %q\nhint: its unit needs a drop-in with LoadCredential=%s (systemctl edit factord.service)", name, name)
}

// unseen is the doubt of who is neither root nor factord.
func unseen(err error) error {
	if of := (*fs.PathError)(nil); errors.As(err, &of) {
		err = of
	}
	return doubt{fmt.Errorf("could not be checked: %w\nhint: root can check it", err)}
}
