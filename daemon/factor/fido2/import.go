package fido2

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/fido2/keyfile"
	"github.com/factord/factord/daemon/factor/key"
	"github.com/factord/factord/daemon/factor/record"
)

// imported is a credential of a file, with whose it is.
type imported struct {
	user, name, where string
	c                 credential
}

// Import implements factor.Importer, for mapping files of pam_u2f and OpenSSH's files of
// security keys.
func (f *Factor) Import(i factor.Import) (factor.Batch, error) {
	var rows []imported
	var err error
	if bytes.HasPrefix(bytes.TrimSpace(i.File), []byte("-----BEGIN OPENSSH PRIVATE KEY-----")) {
		rows, err = fromOpenSSH(i)
	} else {
		rows, err = f.fromPAMU2F(i)
	}
	if err != nil {
		return factor.Batch{}, err
	}
	b := factor.Batch{Where: map[string]string{}}
	for _, r := range rows {
		b.Users = append(b.Users, r.user)
		b.Where[r.user] = r.where
	}
	slices.Sort(b.Users)
	b.Users = slices.Compact(b.Users)
	b.Commit = func(of func(string) factor.Records, now time.Time) ([]factor.Imported, error) {
		return commitAll(rows, of, now)
	}
	return b, nil
}

var errNeedsUser = errors.New("a key file of OpenSSH does not say whose it is\nhint: --user USER")

func fromOpenSSH(i factor.Import) ([]imported, error) {
	if i.User == "" {
		return nil, errNeedsUser
	}
	k, err := keyfile.ParseOpenSSH(i.File)
	if err != nil {
		return nil, err
	}
	if len(i.Owners) > 0 {
		return nil, errNeedsUser
	}
	if i.Origin != "" {
		return nil, errors.New("a key file of OpenSSH says itself where the key was enrolled\nhint: leave out --origin")
	}
	r := imported{user: i.User, name: k.Comment, where: "the key file"}
	if err := r.take(k.Credential, k.Application); err != nil {
		return nil, err
	}
	r.c.Protected = k.PIN // OpenSSH has the key hide those (sk-usbhid.c, credProtect 3)
	return []imported{r}, nil
}

// fromPAMU2F takes the lines of all users, or that of the one who is named. The file does
// not say its relying party: pam_u2f's own choice is "pam://" with the machine's name.
func (f *Factor) fromPAMU2F(i factor.Import) ([]imported, error) {
	if len(i.Owners) > 0 {
		return nil, errors.New("a mapping file of pam_u2f says itself whose the keys are\nhint: leave out --users")
	}
	origin := cmp.Or(i.Origin, "pam://"+f.Host)
	if !isRPID(origin) {
		return nil, fmt.Errorf("not an origin of pam_u2f: %q\nhint: --origin ORIGIN, as its line in the PAM configuration has it", origin)
	}
	people, err := keyfile.ParsePAMU2F(i.File)
	if err != nil {
		return nil, err
	}
	var rows []imported
	for _, p := range people {
		if i.User != "" && p.User != i.User {
			continue
		}
		for n, c := range p.Credentials {
			r := imported{user: p.User, where: fmt.Sprintf("line %d, key %d of the file", p.Line, n+1)}
			if err := r.take(c, origin); err != nil {
				return nil, fmt.Errorf("%s: %w", r.where, err)
			}
			rows = append(rows, r)
		}
	}
	if len(rows) == 0 {
		return nil, errors.New("the file has no key of that user")
	}
	return rows, nil
}

// take makes a record of what another program keeps. A touch is asked for, whether that
// program did or not.
func (r *imported) take(from keyfile.Credential, rpID string) error {
	switch {
	case from.ID == nil:
		return errors.New("the credential's id is in the key alone\nhint: enrol that key anew: factorctl enroll fido2")
	case from.PIN && from.Verification:
		return errors.New("it demands both PIN and built-in verification, of which factord takes one")
	}
	r.c = credential{Head: key.Head{Head: record.Head{Version: version}}, RPID: rpID, U2F: from.U2F,
		Credential: from.ID, COSE: from.Key.COSE(), PIN: from.PIN, UV: from.Verification, public: from.Key}
	if factor.CheckName(r.name) != nil {
		r.name = ""
	}
	return nil
}

func commitAll(rows []imported, of func(string) factor.Records, now time.Time) ([]factor.Imported, error) {
	var all []factor.Imported
	for _, r := range rows {
		rs := of(r.user)
		existing, err := record.List[credential](rs)
		if err != nil {
			return nil, err
		}
		c := r.c
		record.Name(&c, r.name, existing)
		var no factor.Refusal
		if err := c.keep(rs, now); errors.As(err, &no) {
			return nil, factor.Refusal(fmt.Sprintf("%s: %s", r.where, no))
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", r.where, err)
		}
		all = append(all, factor.Imported{User: r.user, ID: c.ID, Name: c.Name, Detail: c.detail()})
	}
	return all, nil
}
