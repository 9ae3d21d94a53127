package fido2

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/factord/factord/daemon/factor"
	"github.com/factord/factord/daemon/factor/fido2/keyfile"
	"github.com/factord/factord/daemon/factor/key"
	"github.com/factord/factord/daemon/factor/record"
)

// imported is a credential of a file, with whose it is.
type imported struct {
	user, name  string
	line, where string // of the user and of the key, in the file
	c           credential
}

// Import implements factor.Importer, for mapping files of pam_u2f and OpenSSH's files of
// security keys.
func (f *Factor) Import(i factor.Import) (factor.Batch, error) {
	var rows []imported
	var err error
	openSSH := bytes.HasPrefix(bytes.TrimSpace(i.File), []byte("-----BEGIN OPENSSH PRIVATE KEY-----"))
	if openSSH {
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
		b.Where[r.user] = cmp.Or(b.Where[r.user], r.line)
	}
	if !openSSH && i.Origin == "" {
		b.Note = fmt.Sprintf("assumed pam_u2f's own origin, %s: factorctl test shows whether a key is taken; if not, give --origin", rows[0].c.RPID)
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
	r := imported{user: i.User, name: k.Comment, line: "the key file", where: "the key file"}
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
			r := imported{user: p.User, line: fmt.Sprintf("line %d of the file", p.Line), where: fmt.Sprintf("line %d, key %d of the file", p.Line, n+1)}
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

func commitAll(rows []imported, of func(string) factor.Records, now time.Time) (all []factor.Imported, err error) {
	made := map[string][]string{} // ids, by user
	var everybodys map[string][]string
	for _, r := range rows {
		rs := of(r.user)
		if everybodys == nil {
			everybodys = owners(r.user, rs)
		}
		existing, err := record.List[credential](rs)
		if err != nil {
			return nil, err
		}
		c := r.c
		one := factor.Imported{User: r.user, Note: shared(everybodys[string(c.Credential)], r.user)}
		before := func(o *credential) bool { return o.same(&c) && !slices.Contains(made[r.user], o.ID) }
		if n := slices.IndexFunc(existing, before); n >= 0 {
			one.ID, one.Name, one.Already, one.Detail = existing[n].ID, existing[n].Name, true, existing[n].detail()
			all = append(all, one)
			continue
		}
		record.Name(&c, r.name, existing)
		var no factor.Refusal
		if err := c.keep(rs, now); errors.As(err, &no) {
			return nil, factor.Refusef("%s: %s: %s", r.where, r.user, no)
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", r.where, err)
		}
		made[r.user] = append(made[r.user], c.ID)
		everybodys[string(c.Credential)] = append(everybodys[string(c.Credential)], r.user)
		one.ID, one.Name, one.Detail = c.ID, c.Name, c.detail()
		all = append(all, one)
	}
	return all, nil
}

// same reports whether two records are of one credential.
func (c *credential) same(other *credential) bool {
	return bytes.Equal(c.Credential, other.Credential) && c.RPID == other.RPID && c.public.Equal(other.public)
}

// owners are who has which credential, as far as that can be read; one user is of rs, the
// others are its neighbours.
func owners(user string, rs factor.Records) map[string][]string {
	all := map[string][]string{}
	add := func(user string, r factor.Record) {
		if c, err := record.Decode[credential](r); err == nil {
			all[string(c.Credential)] = append(all[string(c.Credential)], user)
		}
	}
	list, _ := rs.List() // an error is reported when the user's turn comes
	for _, r := range list {
		add(user, r)
	}
	if n, ok := rs.(factor.Neighbours); ok {
		for other, r := range n.Others() {
			add(other, r)
		}
	}
	return all
}

// shared says whose a credential is, too. It may be: what a key signs names the user.
func shared(owners []string, user string) string {
	others := slices.DeleteFunc(slices.Clone(owners), func(o string) bool { return o == user })
	if len(others) == 0 {
		return ""
	}
	return "this key is also that of " + strings.Join(others, ", ")
}
